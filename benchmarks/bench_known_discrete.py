"""Known transitions of Ising and Potts models, by crossings of classical observables.

    python benchmarks/bench_known_discrete.py [--quick] [--rows "Ising, square" ...]

`pytest benchmarks` runs a tiny version. Errors are those of blocks of chains with the systematics
of fit windows, of the second quantity and of the extrapolation (`phases`), and no more than that.
The negative control is the chain, which has no transition: its curves do not cross.
"""

import argparse

import numpy as np
import pytest
from crossings import crossing, printable
from timing import keep, machine

from topoml.lattice import Ising, Potts

SMALL, LARGE = (8, 16), (16, 32, 64)
# model, sizes, those of the quick form, samples
ROWS = {
    "Ising, square": (Ising(), LARGE, SMALL, 6400),
    "Ising, triangular": (Ising(lattice="triangular"), LARGE, SMALL, 6400),
    "Ising, honeycomb": (Ising(lattice="honeycomb"), LARGE, SMALL, 6400),
    "Ising, cubic": (Ising(lattice="cubic"), (8, 12, 16, 24), (4, 8), 6400),
    "Potts 3": (Potts(3), LARGE, SMALL, 6400),
    "Potts 4": (Potts(4), LARGE, SMALL, 6400),
}
# q = 4: above T_c Binder's cumulant dips as at a transition of first order, and need not cross
LEADS = {"Potts 4": "correlation length"}


def row(name, quick):
    model, sizes, few, samples = ROWS[name]
    width = 0.04 if quick else 0.02
    around = model.known_transition.value * (1 + width * np.linspace(-1, 1, 7))
    return crossing(
        model, few if quick else sizes, [round(float(t), 5) for t in around],
        samples=samples, lead=LEADS.get(name, "Binder cumulant"),
    )  # fmt: skip


def chain():
    """Where there is none: temperatures at which the longest correlation is as long as a size."""
    return crossing(
        Ising(lattice="chain"), (16, 32), [0.4, 0.6, 0.8, 1.0, 1.2, 1.5], samples=1600,
        lead="Binder cumulant",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["Ising, triangular", "Potts 3"])
def test_rows(name):
    found = row(name, True)
    assert found["estimate"] == pytest.approx(ROWS[name][0].known_transition.value, rel=0.03)


def test_no_transition():
    assert chain()["estimate"] is None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small lattices, a minute in all")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    arguments = parser.parse_args()
    rows = [printable(row(name, arguments.quick)) for name in arguments.rows]
    rows.append(printable(chain()))
    keep("known_discrete_quick" if arguments.quick else "known_discrete", rows, machine())


if __name__ == "__main__":
    main()
