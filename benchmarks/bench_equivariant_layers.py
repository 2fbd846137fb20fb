"""Equivariant layers: `pytest benchmarks` compares answers, `python` this file times them.

python benchmarks/bench_equivariant_layers.py [--cases "LConv SU(2)" ...] [--seconds 0.2]
    [--rounds 5]

Milliseconds a call on one thread, forward without a gradient, and forward and backward to input and
parameters, ours and the peer in turn in one process. Lattices of 16 x 16, 8 channels, a batch of
32, but where a case says otherwise. "bar" is what "x peer" should reach (for SU(3), forward). The
peers:
  einsum                   the formula of LConv in complex matrices: rolls and einsums, hop by hop
  Conv2d                   torch's convolution of the same entries by the same weights
  Conv2d, as many weights  an ordinary one, which does less: it has no group axis
Memory: the most that a process of its own held from before the input to after backward, over
input, output and parameters, of LConv for SU(3) on 8^4 sites, complex64.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from timing import in_turn, keep, machine
from torch import nn
from torch.nn.functional import conv2d, normalize, pad

from topoml.lie import SU
from topoml.nn import (
    GroupConv,
    HarmonicConv,
    LConv,
    LConvBilinear,
    LiftingConv,
    SpinAttention,
    SpinConv,
)
from topoml.nn.point_groups import P4M

CHANNELS = 8
DTYPES = {"float32": torch.float32, "float64": torch.float64}
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}  # of float64, in which answers are compared
COMPLEX = {torch.float32: torch.complex64, torch.float64: torch.complex128}


class Einsum(nn.Module):
    """LConv with hops of one site, spelled out."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, U, W):
        weight = self.layer.weight
        weight = weight.to(W.dtype) if weight.ndim == 3 else torch.view_as_complex(weight)
        seen = [W]
        for m in range(U.shape[1]):
            V, axis = U[:, m], 2 + m
            ahead = torch.roll(W, -1, axis)
            seen.append(torch.einsum("b...ij,bc...jk,b...lk->bc...il", V, ahead, V.conj()))
            behind = torch.einsum("b...ji,bc...jk,b...kl->bc...il", V.conj(), W, V)
            seen.append(torch.roll(behind, 1, axis))
        return sum(
            torch.einsum("oc,bc...->bo...", weight[:, :, hop], x) for hop, x in enumerate(seen)
        )


class PlainConv(nn.Module):
    """The convolution of a spin or a harmonic layer by torch's."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        weight = self.layer.weight
        if x.is_complex():
            weight = torch.complex(*weight).unflatten(0, (CHANNELS, CHANNELS))
            return conv2d(wrapped(x), weight)
        folded = x.movedim(-1, 1).flatten(0, 1)
        return conv2d(wrapped(folded), weight).unflatten(0, (len(x), -1)).movedim(1, -1)


def wrapped(x):
    return pad(x, (1, 1, 1, 1), mode="circular")


def matrices(q):
    """Quaternions (.., 4) as q0 + i q . sigma."""
    sigma = torch.tensor(
        [[[1, 0], [0, 1]], [[0, 1j], [1j, 0]], [[0, 1], [-1, 0]], [[1j, 0], [0, -1j]]]
    )
    return torch.einsum("...a,aij->...ij", q.to(COMPLEX[q.dtype]), sigma.to(COMPLEX[q.dtype]))


def same(x):
    return x


@dataclass(frozen=True)
class Case:
    """A layer and its input; a peer, and what it takes in place of a tensor of ours."""

    layer: nn.Module
    inputs: tuple[torch.Tensor, ...]
    peer: nn.Module | None = None
    name: str = ""
    form: Callable = same
    bar: float | str = ""
    agrees: bool = True  # gives the same answer


def normal(*shape, dtype, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gauge_fields(n, dim, side, batch, dtype, quaternions=False):
    """Links, and matrices at the sites."""
    lattice = (side,) * dim
    if quaternions:
        U = normalize(normal(batch, dim, *lattice, 4, dtype=dtype), dim=-1)
        return U, normal(batch, CHANNELS, *lattice, 4, dtype=dtype, seed=1)
    g = torch.Generator().manual_seed(0)
    U = SU(n).random_haar(batch, dim, *lattice, generator=g, dtype=COMPLEX[dtype])
    return U, normal(batch, CHANNELS, *lattice, n, n, dtype=COMPLEX[dtype], seed=1)


def lconv(n, dim, *, batch, side, bar="", quaternions=False, recompute=False):
    def make(dtype, small=False):
        layer = LConv(CHANNELS, CHANNELS, group=SU(n), dim=dim, recompute=recompute).to(dtype)
        size = (3, 2) if small else (side, batch)
        fields = gauge_fields(n, dim, *size, dtype, quaternions)
        return Case(layer, fields, Einsum(layer), "einsum", matrices if quaternions else same, bar)

    return make


def bilinear(n, *, batch, quaternions):
    def make(dtype, small=False):
        layer = LConvBilinear(CHANNELS, CHANNELS, group=SU(n), dim=2).to(dtype)
        size = (3, 2) if small else (16, batch)
        return Case(layer, gauge_fields(n, 2, *size, dtype, quaternions))

    return make


def sites(small):
    return (2, CHANNELS, 4, 4) if small else (32, CHANNELS, 16, 16)


def spin_conv(dtype, small=False):
    layer = SpinConv(CHANNELS, CHANNELS).to(dtype)
    x = normal(*sites(small), 3, dtype=dtype)
    return Case(layer, (x,), PlainConv(layer), "Conv2d")


def spin_attention(dtype, small=False):
    x = normalize(normal(*sites(small), 3, dtype=dtype), dim=-1)
    return Case(SpinAttention(CHANNELS).to(dtype), (x,))


def harmonic_conv(dtype, small=False):
    layer = HarmonicConv((1,) * CHANNELS, (1,) * CHANNELS).to(dtype)
    z = normal(*sites(small), dtype=COMPLEX[dtype])
    return Case(layer, (z,), PlainConv(layer), "Conv2d")


def lifting_conv(dtype, small=False):
    layer = LiftingConv(CHANNELS, CHANNELS, group=P4M).to(dtype)
    peer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, padding_mode="circular").to(dtype)
    x = normal(*sites(small), dtype=dtype)
    return Case(layer, (x,), peer, "Conv2d, as many weights", agrees=False)


def group_conv(dtype, small=False):
    """Its 8 x 8 channels have 72 weights each: as 16 x 32 of 9."""
    layer = GroupConv(CHANNELS, CHANNELS, group=P4M).to(dtype)
    peer = nn.Conv2d(16, 32, 3, padding=1, padding_mode="circular").to(dtype)
    b, c, *lattice = sites(small)
    x = normal(b, c, P4M.order, *lattice, dtype=dtype)
    return Case(
        layer, (x,), peer, "Conv2d, as many weights", lambda x: x[:, :2].flatten(1, 2), agrees=False
    )


SU2 = {"n": 2, "dim": 2, "batch": 32, "side": 16}
SU3 = {"n": 3, "dim": 4, "batch": 1, "side": 8}
CASES = {
    "LConv SU(2), quaternions": lconv(**SU2, bar=3, quaternions=True),
    "LConv SU(2), matrices": lconv(**SU2, bar=3),
    "LConv SU(3), 8^4, batch 1": lconv(**SU3, bar=0.5),
    "LConv SU(3), 8^4, batch 1, recompute": lconv(**SU3, recompute=True),
    "LConvBilinear SU(2), quaternions": bilinear(2, batch=32, quaternions=True),
    "LConvBilinear SU(3), batch 8": bilinear(3, batch=8, quaternions=False),
    "SpinConv, n = 3": spin_conv,
    "SpinAttention, n = 3": spin_attention,
    "HarmonicConv": harmonic_conv,
    "LiftingConv P4M": lifting_conv,
    "GroupConv P4M": group_conv,
}


def gradients(module, inputs, cotangent):
    return torch.autograd.grad(module(*inputs), [*inputs, *module.parameters()], cotangent)


def compare_answers(case):
    """The same answer and gradients; of links that are quaternions, along the sphere."""
    leaves = [x.clone().requires_grad_() for x in case.inputs]
    given = [normalize(leaves[0], dim=-1), *leaves[1:]] if case.form is matrices else leaves
    found = case.form(case.layer(*given))
    expected = case.peer(*map(case.form, given))
    torch.testing.assert_close(found, expected, **ROUNDING)
    cotangent = torch.randn_like(expected)
    wanted = [*leaves, *case.layer.parameters()]
    one, two = (
        torch.autograd.grad(y, wanted, cotangent, retain_graph=True) for y in (found, expected)
    )
    torch.testing.assert_close(one, two, **ROUNDING)


def check_peer(case):
    """The same answers, or else as many weights."""
    if case.peer is not None and case.agrees:
        compare_answers(case)
    elif case.peer is not None:
        assert case.peer.weight.numel() == case.layer.weight.numel()
        case.peer(*map(case.form, case.inputs))


@pytest.mark.parametrize("name", CASES)
def test_layers(benchmark, name):
    case = CASES[name](torch.float64, small=True)
    check_peer(case)
    leaves = [x.clone().requires_grad_() for x in case.inputs]
    benchmark(gradients, case.layer, leaves, torch.ones_like(case.layer(*leaves)))


def test_the_comparison_sees_another_layer():
    case = CASES["LConv SU(2), matrices"](torch.float64, small=True)
    U, W = case.inputs
    with pytest.raises(AssertionError):
        compare_answers(Case(case.layer, (U, W), Einsum(LConv(8, 8, group=SU(2), dim=2).double())))


MEMORY = """
import json, sys
import torch
from bench_equivariant_layers import Einsum, gauge_fields
from topoml.lie import SU
from topoml.nn import LConv

batch, way = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)

def status(name):
    return 1024 * int(open("/proc/self/status").read().split(name + ":")[1].split()[0])

def step(U, W):
    out = module(U.requires_grad_(), W.requires_grad_())
    out.backward(torch.ones_like(out))
    return out.nbytes

layer = LConv(8, 8, group=SU(3), dim=4, recompute=way == "recompute")
module = Einsum(layer) if way == "einsum" else layer
step(*gauge_fields(3, 4, 3, 1, torch.float32))
layer.zero_grad()
U, W = gauge_fields(3, 4, 8, batch, torch.float32)
given = U.nbytes + W.nbytes + layer.weight.nbytes
before = status("VmRSS")
given += step(U, W)
held = U.nbytes + W.nbytes + layer.weight.nbytes + status("VmHWM") - before
print(json.dumps({"given": given, "held": held}))
"""


def memory(batch, way):
    """Bytes of input, output and parameters, and the most that was held in training."""
    command = [sys.executable, "-c", MEMORY, str(batch), way]
    here = Path(__file__).parent
    done = subprocess.run(command, check=True, capture_output=True, cwd=here)
    return json.loads(done.stdout)


def test_memory():
    """The bar: four times input, output and parameters."""
    used = memory(4, "recompute")
    assert used["held"] <= 4 * used["given"] + 2**22  # 4 MiB of allocator


def row(name, dtype, seconds, rounds):
    """Milliseconds a call, ours and the peer's."""
    check_peer(CASES[name](torch.float64, small=True))
    case = CASES[name](DTYPES[dtype])

    def both(module, inputs):
        leaves = [x.clone().requires_grad_() for x in inputs]
        cotangent = torch.randn_like(module(*inputs))
        return lambda: gradients(module, leaves, cotangent)

    def forward(module, inputs):
        return torch.no_grad()(lambda: module(*inputs))

    functions = {
        "forward": forward(case.layer, case.inputs),
        "both": both(case.layer, case.inputs),
    }
    if case.peer is not None:
        given = [case.form(x).contiguous() for x in case.inputs]
        functions["peer forward"] = forward(case.peer, given)
        functions["peer both"] = both(case.peer, given)
    t = in_turn(functions, seconds=seconds, rounds=rounds)

    ms = {key: f"{1e3 * value:.2f}" for key, value in t.items()}

    def ratio(key):
        return "" if case.peer is None else f"{t['peer ' + key] / t[key]:.2f}"

    return {
        "layer": name,
        "dtype": dtype,
        "forward (ms)": ms["forward"],
        "with backward (ms)": ms["both"],
        "peer": case.name,
        "peer forward (ms)": ms.get("peer forward", ""),
        "peer with backward (ms)": ms.get("peer both", ""),
        "x peer forward": ratio("forward"),
        "x peer with backward": ratio("both"),
        "bar": case.bar,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="CASE", help="prefixes")
    parser.add_argument("--seconds", type=float, default=0.2, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [name for name in CASES if name.startswith(tuple(arguments.cases))]
    timing = arguments.seconds, arguments.rounds
    rows = [row(name, dtype, *timing) for name in chosen for dtype in DTYPES]
    keep("equivariant_layers", rows, machine())
    rows = []
    for batch in (4, 16):
        for way in ("recompute", "keep", "einsum"):
            used = memory(batch, way)
            rows.append(
                {
                    "LConv SU(3), 8^4": way,
                    "batch": batch,
                    "input, output, parameters (MB)": f"{used['given'] / 1e6:.1f}",
                    "most held (MB)": f"{used['held'] / 1e6:.1f}",
                    "ratio": f"{used['held'] / used['given']:.2f}",
                    "bar": 4 if way == "recompute" else "",
                }
            )
    keep("equivariant_layers_memory", rows, machine())


if __name__ == "__main__":
    main()
