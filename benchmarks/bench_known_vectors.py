"""Known transitions and constants of vector spins and square ice, by classical observables.

    python benchmarks/bench_known_vectors.py [--quick]

`pytest benchmarks` runs a tiny version. Errors are those of blocks of chains with the systematics
of fit windows, of the second quantity and of the extrapolation (`phases`), and no more than that.

  heisenberg      cubic: crossings of the Binder cumulant, and of xi_2 / L beside it
  heisenberg-2d   square, the negative control: there is no transition, and the curves do not cross
  lebwohl-lasher  cubic, weakly of first order: crossings of the Binder cumulant of the tensor Q
  ice             W, the number of states a site: energies of the F model integrated over 1 / T,
                  for two sizes, whose difference is free of what the torus adds to ln Z
"""

import argparse
import math
import time

import numpy as np
from crossings import NAMES, compared, crossing
from timing import keep, machine

from topoml.lattice import Heisenberg, LebwohlLasher, SquareIce, simulate

LIEB = (4 / 3) ** 1.5
CUBIC = Heisenberg(lattice="cubic")


def log_states(size, samples, *, n_nodes=32, n_chains=16, seed=2):
    """ln Z of ice on size x size sites, and its error, from the energies of the F model.

    (ln 2) + the integral of its energy over beta: at beta = infinity there are 2 ground states. The
    nodes are Gauss' on [0, 4], for 8 x 8 sites exact to 1e-6 a site; beyond, the energy a site is
    some 4 exp(-4 beta).
    """
    model = SquareIce(a=1.0, b=1.0)
    u, w = np.polynomial.legendre.leggauss(n_nodes)
    total, variance = math.log(2), 0.0
    for beta, weight in zip(2 * (u + 1), 2 * w * size**2, strict=True):
        e = simulate(model, sizes=[size], temperatures=[1 / beta], samples=samples, seed=seed,
                     n_chains=n_chains).energy(size=size, temperature=1 / beta)  # fmt: skip
        total += weight * e.mean()
        variance += weight**2 * e.mean(1).var(ddof=1) / n_chains
    return total, math.sqrt(variance)


def ice(small, large, samples):
    """W of ice from two sizes."""
    start = time.perf_counter()
    (a, error_a), (b, error_b) = log_states(small, samples), log_states(large, samples)
    n = large**2 - small**2
    estimate = math.exp((b - a) / n)
    row = {
        "model": "ice, square",
        "quantity": "W, states a site",
        "sizes": f"{small} {large}",
        "estimate": estimate,
        "error": estimate * math.hypot(error_a, error_b) / n,
        "beside it": None,
    }
    return row | compared(estimate, (LIEB, None, "Lieb, Phys. Rev. 162, 162 (1967)"), start)


def rows(quick):
    """The table, one row at a time."""
    if quick:
        t = np.linspace(1.38, 1.50, 7)
        yield crossing(CUBIC, (4, 8), t, samples=1600, lead=NAMES[1])
        t = np.linspace(0.5, 1.1, 7)
        yield crossing(Heisenberg(), (8, 16), t, samples=800, lead=NAMES[0])
        yield ice(4, 8, 800)
        return
    t = np.linspace(1.415, 1.471, 9)
    yield crossing(CUBIC, (6, 8, 12, 16, 24), t, samples=3200, lead=NAMES[1])
    t = np.linspace(0.45, 1.05, 9)
    yield crossing(Heisenberg(), (16, 32, 64), t, samples=3200, lead=NAMES[0])
    t = np.linspace(1.105, 1.14, 9)
    yield crossing(LebwohlLasher(), (6, 8, 12, 16), t, samples=4800, lead=NAMES[1])
    yield ice(16, 32, 6400)


def test_quick():
    """The transition within 1 %, none for the control, and W as the transfer matrix has it."""
    cubic, square, w = rows(quick=True)
    assert abs(cubic["estimate"] - 1.442995) < 5 * cubic["error"]
    assert abs(float(cubic["off (%)"])) < 1.0
    assert square["estimate"] is None
    # ln Z is 16 * 0.49976983 of 4 x 4 and 64 * 0.44837670 of 8 x 8
    exact = math.exp((64 * 0.44837670 - 16 * 0.49976983) / 48)
    assert abs(w["estimate"] - exact) < 5 * w["error"]
    assert w["error"] < 0.01


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small lattices, nothing is kept")
    arguments = parser.parse_args()
    found = []
    for row in rows(arguments.quick):
        row |= {k: "" if v is None else v for k, v in row.items()}
        for key in ("estimate", "error"):
            row[key] = f"{row[key]:.5f}" if row[key] != "" else "none"
        print(row, flush=True)
        found.append(row)
    if not arguments.quick:
        keep("known_vectors", found, machine())


if __name__ == "__main__":
    main()
