"""Transition temperatures of planar spins by classical observables, against the literature.

    python benchmarks/bench_known_xy.py [--quick] [--rows cubic-xy ...] [--seed 0]

  cubic-xy    3D XY: where the second-moment correlation lengths over L of two sizes cross
  xy          2D XY: the helicity modulus over T and the Kosterlitz flow over sizes
  nematic-xy  generalised XY, Delta = 0.15, q = 2: the Ising line, as for 3D XY; strings that end on
              half-vortices vanish there, so that theta orders and not 2 theta alone
  villain     2D Villain: the correlation length over L, and its own Kosterlitz flow

Errors are those of `phases.yardstick` and `phases.crossing`: bootstrap over chains and fit windows.
Corrections to scaling are in none of them. `pytest benchmarks` runs tiny versions.
"""

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from timing import keep, machine

from topoml.lattice import XY, GeneralizedXY, Known, Villain, simulate
from topoml.phases import yardstick
from topoml.phases.crossing import cross
from topoml.phases.observables import CorrelationLength, OrderParameter, columns_of, curves_of
from topoml.phases.resampling import block_means

N_REPLICATES = 400


class Row(NamedTuple):
    """What was found."""

    estimate: float | None
    error: float | None
    method: str
    known: Known


def crossing(model, sizes, temperatures, samples, seed, known):
    """T where the curves of two sizes cross, of the correlation length over L."""
    ensemble = simulate(
        model, sizes=sizes, temperatures=temperatures, samples=samples, seed=seed, n_chains=16
    )
    rng = np.random.default_rng(seed)
    curves = []
    for size in sizes:
        observable = CorrelationLength(OrderParameter.of(ensemble), size, model.lattice)
        blocks = {t: block_means(c) for t, c in columns_of(ensemble, observable, size).items()}
        curves.append(curves_of(observable, size, blocks, n_replicates=N_REPLICATES, rng=rng)[0])
    found = cross(*curves)
    method = f"crossing of xi / L, L = {sizes[0]} and {sizes[1]}"
    if found.reason is not None:
        return Row(None, None, f"{method}: {found.reason}", known)
    return Row(found.estimate, found.error, method, known)


def cubic_xy(quick: bool, seed: int) -> Row:
    """T_c of 3D XY."""
    model = XY(lattice="cubic")
    known = model.known_transition
    around = known.value * (1 + np.linspace(-0.03, 0.03, 7))
    sizes, samples = ([4, 8], 2560) if quick else ([8, 16], 3200)
    return crossing(model, sizes, around.round(4), samples, seed, known)


def nematic_xy(quick: bool, seed: int) -> Row:
    """T of the Ising line of the nematic XY model at Delta = 0.15."""
    model = GeneralizedXY(0.15)
    known = model.known_transition
    around = known.value * (1 + np.linspace(-0.045, 0.045, 7))
    sizes, samples = ([8, 16], 6400) if quick else ([16, 32], 12_800)
    return crossing(model, sizes, around.round(4), samples, seed, known)


def xy(quick: bool, seed: int) -> Row:
    """T_BKT of XY by the helicity modulus."""
    return flow(XY(), quick, seed)


def villain(quick: bool, seed: int) -> Row:
    """T_BKT of the Villain model by the correlation length."""
    return flow(Villain(), quick, seed)


def flow(model, quick, seed):
    """By the classical yardstick of `detect`."""
    known = model.known_transition
    around = known.value * np.linspace(0.9, 1.15, 8)
    sizes, samples = ([8, 16, 32], 640) if quick else ([16, 32, 64], 3200)
    ensemble = simulate(
        model, sizes=sizes, temperatures=around.round(4), samples=samples, seed=seed, n_chains=16
    )
    found = yardstick(ensemble, seed=seed)
    return Row(found.estimate, found.error, f"{found.method}, L = {sizes}", known)


ROWS: dict[str, Callable[[bool, int], Row]] = {
    "cubic-xy": cubic_xy,
    "xy": xy,
    "nematic-xy": nematic_xy,
    "villain": villain,
}


def row(name: str, quick: bool, seed: int) -> dict[str, object]:
    """A line of the table."""
    start = time.perf_counter()
    found = ROWS[name](quick, seed)
    seconds = time.perf_counter() - start
    known = found.known
    line = {"model": name, "estimate": "none", "error": "", "known": f"{known.value:.5g}"}
    if found.estimate is not None:
        line["estimate"] = f"{found.estimate:.5f}"
        line["error"] = f"{found.error:.5f}"
        off = 100 * (found.estimate / known.value - 1)
        line["off, %"] = f"{off:+.2f}"
    else:
        line["off, %"] = ""
    return {**line, "how": found.method, "source": known.source, "seconds": f"{seconds:.0f}"}


@pytest.mark.parametrize("name", ["cubic-xy", "xy", "nematic-xy"])
def test_rows(name):
    found = ROWS[name](True, 0)
    assert found.estimate is not None
    assert abs(found.estimate / found.known.value - 1) < 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small lattices, a minute in all")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = [row(name, arguments.quick, arguments.seed) for name in arguments.rows]
    keep("known_xy_quick" if arguments.quick else "known_xy", rows, machine("scipy"))


if __name__ == "__main__":
    main()
