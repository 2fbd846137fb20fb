"""Exponentials and logarithms: `pytest benchmarks` compares answers, `python` this file times.

python benchmarks/bench_lie.py [--cases "SO(3)" ...] [--batch 1024] [--seconds 0.2] [--rounds 5]

Ours and the peer in turn in one process, on one thread: forward, and forward and backward. The
arguments come from normal coordinates of standard deviation 1/2, so that few are close to a cut
locus, where the peers lose digits. Gradients are compared in these coordinates, as off the manifold
each may extend its function as it likes. The peers:
  torch.matrix_exp
  geomstats         ``.space`` of the group, or its ``.metric``, on its torch backend
geomstats takes matrix logarithms one by one in scipy, whose BLAS has one thread, too. SE(3) exp is
matrix_exp on both sides. "bar" is what "x peer" should reach.
"""

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from threadpoolctl import threadpool_limits
from timing import in_turn, keep, machine

from topoml.lie import SE, SO, SPD, SU, Hyperbolic, Sphere, default_dtype

DTYPES = {"float64": torch.float64, "float32": torch.float32}
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-4}  # relative; logm of scipy sets both


@dataclass(frozen=True)
class Case:
    """Ours, a maker of the peer, and the arguments as a function of real coordinates."""

    ours: Callable
    peer: Callable
    chart: Callable
    shapes: tuple[tuple[int, ...], ...]
    bar: int | str = ""
    name: str = "geomstats"

    def coordinates(self, n, dtype, seed=0):
        g = torch.Generator().manual_seed(seed)
        return [torch.randn(n, *shape, generator=g, dtype=dtype) / 2 for shape in self.shapes]


def positive(x):
    return torch.matrix_exp(x + x.mT)


def matrix_exp(group, bar):
    """exp of a group against torch's."""
    chart, shapes = lambda v: (group.hat(v),), ((group.dim,),)
    return Case(group.exp, lambda: torch.matrix_exp, chart, shapes, bar, name="torch.matrix_exp")


def exp(group):
    return Case(group.exp, lambda: group.space.exp, lambda v: (group.hat(v),), ((group.dim,),))


def log(group, bar=""):
    chart, shapes = lambda v: (torch.matrix_exp(group.hat(v)),), ((group.dim,),)
    return Case(group.log, lambda: group.space.log, chart, shapes, bar)


def exp_at(manifold, project):
    def chart(v, base):
        base = project(base)
        return manifold.to_tangent(v, base), base

    return Case(manifold.exp, lambda: manifold.space.metric.exp, chart, (manifold.point_shape,) * 2)


def log_at(manifold, project, bar=""):
    return Case(
        manifold.log,
        lambda: manifold.space.metric.log,
        lambda x, base: (project(x), project(base)),
        (manifold.point_shape,) * 2,
        bar,
    )


CASES = {
    "SO(3) log": log(SO(3), bar=1000),
    "SO(3) exp": matrix_exp(SO(3), bar=2),
    "SU(2) exp": matrix_exp(SU(2), bar=5),
    "SU(3) exp": matrix_exp(SU(3), bar=2),
    "Sphere(2) log": log_at(Sphere(2), Sphere(2).project, bar=2),
    "Sphere(2) exp": exp_at(Sphere(2), Sphere(2).project),
    "Hyperbolic(2) log": log_at(Hyperbolic(2), Hyperbolic(2).project),
    "Hyperbolic(2) exp": exp_at(Hyperbolic(2), Hyperbolic(2).project),
    "SPD(3) log": log_at(SPD(3), positive),
    "SPD(3) exp": exp_at(SPD(3), positive),
    "SE(3) log": log(SE(3)),
    "SE(3) exp": exp(SE(3)),
}


def gradients(function, leaves, cotangent):
    return torch.autograd.grad(function(*leaves), leaves, cotangent)


def compare_answers(case, dtype, n=3):
    """The same values, and the same gradients in the coordinates."""
    theirs, tolerance = case.peer(), TOLERANCE[dtype]
    x = [v.requires_grad_() for v in case.coordinates(n, dtype)]
    found, expected = (f(*case.chart(*x)) for f in (case.ours, theirs))
    assert found.dtype == expected.dtype
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    cotangent = torch.randn_like(found)
    one, two = (torch.autograd.grad(y, x, cotangent) for y in (found, expected))
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance * float(b.abs().max()))


QUIET = (  # of the logarithm of geomstats
    "ignore:Casting complex values to real:UserWarning",
    "ignore:logm result may be inaccurate:RuntimeWarning",
)


@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_lie(benchmark, name, dtype):
    case, dtype = CASES[name], DTYPES[dtype]
    with default_dtype(dtype):
        compare_answers(case, dtype)
        benchmark(case.ours, *case.chart(*case.coordinates(1024, dtype)))


def test_the_comparison_sees_another_function():
    case = CASES["SU(2) exp"]
    wrong = Case(lambda x: case.ours(1.001 * x), case.peer, case.chart, case.shapes)
    with pytest.raises(AssertionError):
        compare_answers(wrong, torch.float64)


def row(name, dtype, batch, seconds, rounds):
    """Microseconds a call, ours and the peer's."""
    case = CASES[name]
    compare_answers(case, DTYPES[dtype])
    theirs = case.peer()
    given = case.chart(*case.coordinates(batch, DTYPES[dtype]))
    leaves = [x.clone().requires_grad_() for x in given]
    cotangent = torch.randn_like(case.ours(*given))
    functions = {
        "forward": lambda: case.ours(*given),
        "peer forward": lambda: theirs(*given),
        "both": lambda: gradients(case.ours, leaves, cotangent),
        "peer both": lambda: gradients(theirs, leaves, cotangent),
    }
    with threadpool_limits(1):  # of scipy, too, which is loaded by now
        t = in_turn(functions, seconds=seconds, rounds=rounds)
    t = {key: 1e6 * v for key, v in t.items()}
    return {
        "function": name,
        "dtype": dtype,
        "batch": batch,
        "forward (us)": f"{t['forward']:.0f}",
        "with backward (us)": f"{t['both']:.0f}",
        "peer": case.name,
        "peer forward (us)": f"{t['peer forward']:.0f}",
        "peer with backward (us)": f"{t['peer both']:.0f}",
        "x peer forward": f"{t['peer forward'] / t['forward']:.2f}",
        "x peer with backward": f"{t['peer both'] / t['both']:.2f}",
        "bar": case.bar,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="CASE", help="prefixes")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=0.2, help="a round lasts at least")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chosen = [name for name in CASES if name.startswith(tuple(arguments.cases))]
    rows = []
    for dtype in DTYPES:
        with default_dtype(DTYPES[dtype]):
            for name in chosen:
                timing = arguments.seconds, arguments.rounds
                rows.append(row(name, dtype, arguments.batch, *timing))
    keep("lie", rows, machine("geomstats", "scipy"))


if __name__ == "__main__":
    main()
