"""Gauge layers against their formulas, written out by walks over links and plain einsums."""

import pytest
import torch
from torch import nn

from topoml._core.errors import InputError
from topoml.lie import SO, SU, U1
from topoml.nn.equivariance import assert_equivariant, invariant, translations
from topoml.nn.gauge import LAct, LBilinear, LConv, LConvBilinear, LExp, LTrace
from topoml.nn.loops import Plaquettes
from topoml.nn.transformations import gauge_transformations, transform_links

from .equivariant import Battery, generator
from .gauge_fields import CASES, carried, links, loops, matrices


def new(kind, case, *args, dim=2, seed=0, **options):
    torch.manual_seed(seed)
    return kind(*args, group=CASES[case], dim=dim, **options).double()


def weights(layer):
    w = layer.weight.detach()
    return w.to(torch.complex128) if layer.group.matrix_size == 2 else torch.view_as_complex(w)


def enlarged(w):
    """(B, 2 C + 1, ...): W, W†, 1."""
    one = torch.eye(w.shape[-1], dtype=w.dtype).expand_as(w[:, :1])
    return torch.cat([w, w.mH, one], 1)


class Chain(nn.Module):
    """Four layers deep, from links and matrices to traces."""

    def __init__(self, case, channels=2):
        super().__init__()
        group = CASES[case]
        self.first = LConvBilinear(channels, 2, group=group, dim=2)
        self.act = LAct(torch.sigmoid)
        self.second = LConv(2, 2, group=group, dim=2)
        self.turn = LExp(2, group=group, dim=2)
        self.last = LConv(2, 1, group=group, dim=2)
        self.trace = LTrace()

    def forward(self, u, w):
        w = self.second(u, self.act(self.first(u, w)))
        return self.trace(self.last(self.turn(u, w), w))


class OfGauge(Battery):
    case = "su3"
    act_out = None

    def input(self, dtype):
        return links(self.case, dtype), loops(self.case, 2, dtype)

    def symmetries(self):
        gauge = gauge_transformations(CASES[self.case])
        options = {} if self.act_out is None else {"act_out": self.act_out}
        return {"gauge": (gauge, options), "translations": translations(2)}

    def broken(self):
        layer = self.layer()

        class Broken(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = layer

            def forward(self, u, w):
                out = self.layer(u, w)
                return out + 1e-6 * u[:, :1].reshape(u.shape[0], -1)[:, 0].real.reshape(
                    -1, *[1] * (out.ndim - 1)
                )

        return Broken()


class TestLConvSU3(OfGauge):
    def layer(self):
        return LConv(2, 3, group=SU(3), dim=2)


class TestLConvBilinearQuaternions(OfGauge):
    case = "quaternions"

    def layer(self):
        return LConvBilinear(2, 2, group=SU(2), dim=2)


class TestLExpSU3(OfGauge):
    act_out = staticmethod(transform_links)

    def layer(self):
        return LExp(2, group=SU(3), dim=2)


class TestChainU1(OfGauge):
    test_compiled_without_a_break = None  # as its layers

    case = "u1"
    act_out = staticmethod(invariant)

    def layer(self):
        return Chain("u1")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dim", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_every_layer_is_covariant(case, dim, dtype):
    x = links(case, dtype, dim, 2, 1), loops(case, 2, dtype, dim, 2, 1)
    action = gauge_transformations(CASES[case])
    for kind in (LConv, LConvBilinear, LExp):
        args = (2,) if kind is LExp else (2, 2)
        layer = new(kind, case, *args, dim=dim).to(dtype)
        out = {"act_out": transform_links} if kind is LExp else {}
        assert_equivariant(layer, action, x, generator(), n_draws=1, **out)
        assert_equivariant(layer, translations(dim), x, generator(), n_draws=1)
        assert layer(*x).dtype == x[0].dtype
    bilinear = new(LBilinear, case, 2, 2, dim=dim).to(dtype)
    for f in (bilinear, LAct()):
        assert_equivariant(lambda u, w, f=f: f(w), action, x, generator(), n_draws=1)
    assert_equivariant(
        lambda u, w: LTrace()(w), action, x, generator(), act_out=invariant, n_draws=1
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_chain_is_invariant(case, dtype):
    torch.manual_seed(0)
    x = links(case, dtype), loops(case, 2, dtype)
    chain = Chain(case).to(dtype)
    assert_equivariant(chain, gauge_transformations(CASES[case]), x, generator(), act_out=invariant)


@pytest.mark.parametrize("periodic", [True, (False, True)])
@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("case", CASES)
def test_convolution_equals_the_formula(case, n, periodic):
    u, w = links(case, batch=1), loops(case, 2, batch=1)
    layer = new(LConv, case, 2, 3, n, periodic=periodic)
    axes = (True, True) if periodic is True else periodic
    seen = carried(matrices(u), matrices(w), n, axes)
    expected = torch.einsum("ijh,bhj...->bi...", weights(layer), seen)
    # of 9 hops, 2 channels and products of up to 4 matrices, entries up to 10
    torch.testing.assert_close(matrices(layer(u, w)), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("periodic", [True, (False, True)])
@pytest.mark.parametrize("case", CASES)
def test_bilinear_equals_the_formula(case, periodic):
    u, w = links(case, batch=1), loops(case, 2, batch=1)
    axes = (True, True) if periodic is True else periodic
    layer = new(LConvBilinear, case, 2, 3, periodic=periodic)
    seen = carried(matrices(u), matrices(w), 1, axes).flatten(1, 2)
    a, b = enlarged(matrices(w)), enlarged(seen)
    expected = torch.einsum("ijk,bj...mn,bk...no->bi...mo", weights(layer), a, b)
    found = matrices(layer(u, w))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)  # sums of 105 such products

    local = new(LBilinear, case, 2, 3)
    other = loops(case, 2, batch=1).flip(2)
    expected = torch.einsum(
        "ijk,bj...mn,bk...no->bi...mo", weights(local), a, enlarged(matrices(other))
    )
    torch.testing.assert_close(matrices(local(w, other)), expected, rtol=0, atol=1e-12)
    assert torch.equal(local(w), local(w, w))


@pytest.mark.parametrize("case", CASES)
def test_pointwise_layers(case):
    u, w = links(case), loops(case, 2)
    full = matrices(w)
    trace = full.diagonal(dim1=-2, dim2=-1).sum(-1)
    expected = torch.cat([trace.real, trace.imag], 1)
    if case == "quaternions":
        expected = trace.real
    torch.testing.assert_close(LTrace()(w), expected)
    act = torch.tanh(trace.real)[..., None, None] * full
    torch.testing.assert_close(matrices(LAct(torch.tanh)(w)), act)

    layer = new(LExp, case, 2)
    x = torch.einsum("mi,bi...->bm...", layer.beta.detach().to(torch.complex128), full)
    x = (x - x.mH) / 2
    n = x.shape[-1]
    if n > 1:
        x = x - x.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * torch.eye(n)
    expected = torch.matrix_exp(x.contiguous()) @ matrices(u)
    found = matrices(layer(u, w))
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-13)  # |x| up to 10
    unit = torch.eye(n, dtype=found.dtype).expand_as(found)
    torch.testing.assert_close(found @ found.mH, unit, rtol=0, atol=1e-13)
    torch.testing.assert_close(torch.linalg.det(found).abs(), torch.ones(found.shape[:-2]).double())


def test_quaternions_are_the_matrices():
    """The same weights on quaternions and on the matrices that they stand for."""
    u, w = links("quaternions"), Plaquettes()(links("quaternions"))
    torch.testing.assert_close(matrices(w), Plaquettes()(matrices(u)))
    for kind in (LConv, LConvBilinear):
        layer = new(kind, "su2", 4, 3)
        torch.testing.assert_close(matrices(layer(u, w)), layer(matrices(u), matrices(w)))
    layer = new(LExp, "su2", 4)
    torch.testing.assert_close(matrices(layer(u, w)), layer(matrices(u), matrices(w)))


@pytest.fixture
def torch_alone(monkeypatch):
    """As on a GPU: without the kernels of SU(2) on the CPU."""
    monkeypatch.setattr("topoml.nn.gauge.serves", lambda *x: False)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("n", [0, 2])
def test_recomputed_gradients(case, n, torch_alone):
    """Equal to those that autograd keeps, whatever the chunks."""
    found = []
    for recompute in (False, True):
        layer = new(LConv, case, 3, 2, n, recompute=recompute, periodic=(True, False))
        u, w = links(case, size=4).requires_grad_(), loops(case, 3, size=4).requires_grad_()
        out = layer(u, w)
        out.abs().square().sum().backward()
        found.append((out, w.grad, layer.weight.grad, *([u.grad] if n else [])))
    for kept, again in zip(*found, strict=True):
        torch.testing.assert_close(again, kept, rtol=1e-13, atol=1e-13)


def test_recomputed_in_chunks(monkeypatch, torch_alone):
    monkeypatch.setattr("topoml.nn._transported.CHUNK", 30)
    test_recomputed_gradients("su3", 2, None)
    test_recomputed_gradients("quaternions", 2, None)


def test_recomputed_products():
    found = []
    for recompute in (False, True):
        layer = new(LConvBilinear, "su3", 2, 2, recompute=recompute)
        u, w = links("su3").requires_grad_(), loops("su3", 2).requires_grad_()
        layer(u, w).abs().square().sum().backward()
        found.append((u.grad, w.grad, layer.weight.grad))
    for kept, again in zip(*found, strict=True):
        torch.testing.assert_close(again, kept)


@pytest.mark.parametrize("case", ["su2", "quaternions", "su3"])
@pytest.mark.parametrize("periodic", [True, False])
def test_first_derivatives(case, periodic):
    """Against differences; of links off the group, too. Odd sides, one and three tiles."""
    layer = new(LConv, case, 2, 3, 2, periodic=periodic)
    leaves = links(case, size=3, batch=1), loops(case, 2, size=3, batch=1)
    leaves = [(1.1 * x).requires_grad_() for x in leaves]
    assert torch.autograd.gradcheck(layer, leaves, fast_mode=True)
    leaves = [x.requires_grad_() for x in (links(case, size=9), loops(case, 2, size=9))]
    weight = layer.weight.detach().requires_grad_()

    def of_weight(u, w, weight):
        return torch.func.functional_call(layer, {"weight": weight}, (u, w))

    assert torch.autograd.gradcheck(of_weight, [*leaves, weight], fast_mode=True)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (1, 2)])
@pytest.mark.parametrize("case", ["su2", "quaternions"])
def test_kernels_of_su2_are_torch(case, wanted, monkeypatch):
    """Of fields in any order of memory, and whatever needs a gradient."""
    layer = new(LConv, case, 3, 2, 2, periodic=(True, False))
    u, w = links(case, size=7, batch=3), loops(case, 3, size=7, batch=3)
    w = w.transpose(0, 2).contiguous().transpose(0, 2)
    given = [u, w, layer.weight]
    for i, x in enumerate(given):
        x.requires_grad_(i in wanted)
    leaves = [given[i] for i in wanted]
    found = []
    for numba in (True, False):
        monkeypatch.setattr("topoml.nn.gauge.serves", lambda *x, numba=numba: numba)
        out = layer(u, w)
        cotangent = torch.randn(out.shape, generator=generator(3), dtype=out.dtype)
        found.append((out, *torch.autograd.grad(out, leaves, cotangent)))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", ["su2", "quaternions"])
def test_kernels_of_su2_on_threads(case):
    """The same bits."""
    layer = new(LConv, case, 2, 2)
    u, w = links(case, size=20), loops(case, 2, size=20).requires_grad_()
    given, found = torch.get_num_threads(), []
    try:
        for n in (1, 3):
            torch.set_num_threads(n)
            out = layer(u.requires_grad_(), w)
            found.append((out, *torch.autograd.grad(out.abs().sum(), [u, w, layer.weight])))
    finally:
        torch.set_num_threads(given)
    assert all(map(torch.equal, *found))


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("case", ["su2", "quaternions"])
def test_transforms_of_functorch(case):
    layer = new(LConv, case, 1, 2)
    u, w = links(case, size=3, batch=4), loops(case, 1, size=3, batch=4)

    def action(u, w):
        return layer(u[None], w[None]).abs().square().sum()

    along = torch.func.vmap(torch.func.grad(action, (0, 1)))(u, w)
    u, w = u.requires_grad_(), w.requires_grad_()
    each = torch.autograd.grad(layer(u, w).abs().square().sum(), (u, w))
    torch.testing.assert_close(along, each)
    tangents = tuple(torch.randn_like(x) for x in (u, w))
    forward = torch.func.jvp(layer, (u.detach(), w.detach()), tangents)[1]
    slope = (forward * layer(u, w).conj()).real.sum() * 2
    backward = sum((g.conj() * t).real.sum() for g, t in zip(each, tangents, strict=True))
    torch.testing.assert_close(slope, backward)


@pytest.mark.parametrize("case", ["su2", "quaternions"])
def test_second_derivatives(case):
    layer = new(LConv, case, 1, 1)
    u, w = links(case, size=2, batch=1), loops(case, 1, size=2, batch=1)
    leaves = (u.requires_grad_(), w.requires_grad_())
    assert torch.autograd.gradgradcheck(layer, leaves, fast_mode=True)


def test_lattice_size_is_free():
    layer = new(LConvBilinear, "su2", 4, 1)
    for size in (1, 2, 5):
        u = links("su2", size=size)
        assert layer(u, Plaquettes()(u)).shape[2:4] == (size, size + 1)


def test_variance_at_the_start():
    """Of one real part for SU(2), of two otherwise: 1 / (a b)."""
    torch.manual_seed(0)
    for group in (SU(2), SU(3)):
        w = LConvBilinear(5, 20, group=group, dim=2).weight.detach().square()
        total = w.mean() if group == SU(2) else w.sum(-1).mean()
        assert float(total * 11 * 51) == pytest.approx(1, abs=0.1)  # 10 ^ 4 numbers


@pytest.mark.parametrize(
    ("u", "w", "message"),
    [
        (links("u1"), loops("u1", 2), r"`U` has shape .*, of 1 x 1 matrices; expected those"),
        (links("su3"), loops("su3", 3), r"`W` has shape .* and C = 2"),
        (links("su3"), loops("su3", 2, torch.float32), r"`W` is torch.complex64 on cpu; expected"),
        (links("su3"), loops("su3", 2, size=4), r"`W` has shape .*; expected the batch and"),
        (links("su3", dim=3, size=2), loops("su3", 2), r"`U` has shape .*, here 2"),
        (links("su3"), None, r"`W` is NoneType"),
    ],
)
def test_wrong_fields(u, w, message):
    with pytest.raises(InputError, match="^" + message):
        new(LConv, "su3", 2, 1)(u, w)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": SO(3)}, r"`group` is SO"),
        ({"group": None}, r"`group` is None; expected a group of unitary matrices"),
        ({"kernel_size": -1}, r"`kernel_size` is -1; expected an integer of at least 0"),
        ({"dim": 0}, r"`dim` is 0"),
        ({"in_channels": 0}, r"`in_channels` is 0"),
        ({"periodic": (True,)}, r"`periodic` is \(True,\)"),
    ],
)
def test_wrong_arguments(change, message):
    options = {"in_channels": 1, "out_channels": 1, "group": U1(), "dim": 2, **change}
    with pytest.raises(InputError, match="^" + message):
        LConv(**options)


def test_wrong_activation():
    with pytest.raises(InputError, match=r"^`activation` is 3; expected a callable"):
        LAct(3)
