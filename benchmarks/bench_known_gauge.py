"""Transitions of lattice gauge fields by classical observables, against the literature.

    python benchmarks/bench_known_gauge.py [--quick] [--rows z2-3d ...] [--seed 0]

  z2-3d  3D Z2: beta of the peak of the heat capacity, extrapolated in L^(-1 / nu), nu of 3D Ising
  z2-4d  4D Z2, of first order: cold and hot starts stay apart at the self-dual beta, where their
         plaquettes add up to sqrt(2): the beta at which E_cold + E_hot, both reweighted, does
  u1-4d  4D U(1), weakly of first order: beta of the peak of the heat capacity, extrapolated in
         L^(-4), and the two peaks of the plaquette, whose valley gets deeper with L

Couplings are beta = 1 / T. Errors are those of a jackknife over independent chains; corrections to
scaling are in none of them. `pytest benchmarks` runs tiny versions.
"""

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from timing import keep, machine

from topoml.lattice import Known, U1Gauge, Z2Gauge, start
from topoml.lattice.chain import blocks

NU = 0.62997  # of 3D Ising: Ferrenberg, Xu and Landau, arXiv:1806.03558, find .629912(86)


class Row(NamedTuple):
    """What was found, in beta."""

    estimate: float
    error: float
    method: str
    known: Known


def energies(model, size, beta, samples, n_chains, seed, *, burn_in=200, hot=()):
    """(chain, sample) of independent chains; those whose numbers are in ``hot`` start at random."""
    out = []
    for number, rng in enumerate(np.random.default_rng(seed).spawn(n_chains)):
        state = start(model, model.shape(size), 1 / beta, rng=rng if number in hot else None)
        for warmer, _ in blocks(state, burn_in, rng):
            state = warmer
        out.append(np.concatenate([model.energy(x) for _, x in blocks(state, samples, rng)]))
    return np.array(out, float)


def weights(e, shift):
    """Of samples with energies e, for a beta higher by ``shift``."""
    w = np.exp(-shift * (e - e.mean()))
    return w / w.sum()


def reweighted(e, shift):
    return (weights(e, shift) * e).sum()


def peak(e, beta, reach):
    """beta at which beta^2 var(e) is largest, by reweighting."""

    def heat(b):
        w = weights(e, b - beta)
        return -(b**2) * (w * (e - (w * e).sum()) ** 2).sum()

    return minimize_scalar(heat, bounds=(beta - reach, beta + reach), method="bounded").x


def jackknife(function, e):
    """Of all chains, and its error from leaving each one out."""
    left = np.array([function(np.delete(e, i, 0)) for i in range(len(e))])
    return function(e), np.sqrt((len(e) - 1) * left.var(0))


def known_beta(model):
    known = model.known_transition
    error = None if known.error is None else known.error / known.value**2
    return Known(1 / known.value, error, known.source)


def z2_3d(quick: bool, seed: int) -> Row:
    """beta_c of 3D Z2."""
    model = Z2Gauge(3)
    runs = {6: (0.715, 1500), 8: (0.733, 1500)} if quick else {
        8: (0.7335, 8000), 12: (0.7465, 8000), 16: (0.7520, 6000)
    }  # fmt: skip
    found = {}
    for size, (beta, samples) in runs.items():
        e = energies(model, size, beta, samples, 16, seed)
        found[size] = jackknife(lambda part, beta=beta: peak(part, beta, 0.012), e)
    x = np.array(list(found), float) ** (-1 / NU)
    y, error = np.array(list(found.values())).T
    _, covariance = np.polyfit(x, y, 1, w=1 / error, cov="unscaled")
    estimate = np.polyfit(x, y, 1, w=1 / error)[1]
    method = f"peak of the heat capacity, L = {list(runs)}, to L = infinity"
    return Row(float(estimate), float(np.sqrt(covariance[1, 1])), method, known_beta(model))


def z2_4d(quick: bool, seed: int) -> Row:
    """beta_c of 4D Z2 by cold and hot starts."""
    model, (size, samples) = Z2Gauge(4), (4, 300) if quick else (8, 400)
    known = known_beta(model)
    e = energies(model, size, known.value, samples, 16, seed, hot=range(8, 16))
    volume = 6 * size**4
    pairs = np.stack([e[:8], e[8:]], 1)  # a cold and a hot chain

    def crossing(part):
        def excess(shift):
            return sum(reweighted(part[:, i], shift) for i in (0, 1)) / volume + np.sqrt(2)

        return known.value + brentq(excess, -0.01, 0.01)

    estimate, error = jackknife(crossing, pairs)
    cold, hot = (-pairs[:, i].mean() / volume for i in (0, 1))
    method = f"cold start {cold:.4f} + hot start {hot:.4f} = sqrt(2), L = {size}"
    return Row(float(estimate), float(error), method, known)


def u1_4d(quick: bool, seed: int) -> Row:
    """The double peak of 4D U(1), and beta from two sizes."""
    model = U1Gauge(4)
    runs = {4: (0.98, 300)} if quick else {6: (1.002, 3000), 8: (1.0075, 3000)}
    n_chains = 4 if quick else 12
    found, peaks = {}, []
    for size, (beta, samples) in runs.items():
        e = energies(model, size, beta, samples, n_chains, seed, hot=range(1, n_chains, 2))
        found[size] = jackknife(lambda part, beta=beta: peak(part, beta, 0.01), e)
        (low, valley, high), error = double_peak(e, beta, found[size][0], 6 * size**4)
        if np.isnan(valley):
            peaks.append(f"one peak of the plaquette at L = {size}")
        else:
            peaks.append(
                f"plaquettes at L = {size} peak at {low:.3f} and {high:.3f},"
                f" valley {valley:.2f} +- {error:.2f} of the lower peak"
            )
    (estimate, error), method = found[size], f"peak of the heat capacity, L = {list(runs)}"
    if len(found) == 2:
        (small, of_small), (large, of_large) = found.values()
        v, w = (n**4 for n in found)
        estimate = (w * large - v * small) / (w - v)
        error = np.hypot(w * of_large, v * of_small) / (w - v)
        method += ", to L = infinity in L^-4"
    method = "; ".join([method, *peaks])
    return Row(float(estimate), float(error), method, known_beta(model))


def double_peak(e, beta, at, volume):
    """Plaquettes at the two peaks of the density and, between, the valley over the lower peak."""
    p = -e / volume
    grid = np.linspace(p.min(), p.max(), 200)

    def density(part):
        w = weights(part, at - beta).ravel()
        count, edges = np.histogram(-part.ravel() / volume, 200, (grid[0], grid[-1]), weights=w)
        width = 0.004 / (edges[1] - edges[0])
        kernel = np.exp(-0.5 * (np.arange(-50, 51) / width) ** 2)
        return np.convolve(count, kernel, "same")

    f = density(e)
    tops = [i for i in range(1, 199) if f[i - 1] < f[i] >= f[i + 1] and f[i] > 0.2 * f.max()]
    if len(tops) < 2:
        return (grid[tops[0]], np.nan, np.nan), np.nan
    low, high = tops[0], tops[-1]

    def valley(part):
        g = density(part)
        return g[low:high].min() / min(g[low], g[high])

    ratio, error = jackknife(valley, e)
    return (grid[low], ratio, grid[high]), error


ROWS: dict[str, Callable[[bool, int], Row]] = {"z2-3d": z2_3d, "z2-4d": z2_4d, "u1-4d": u1_4d}


def row(name: str, quick: bool, seed: int) -> dict[str, object]:
    """A line of the table."""
    begin = time.perf_counter()
    found = ROWS[name](quick, seed)
    return {
        "model": f"{name}, beta",
        "estimate": f"{found.estimate:.5f}",
        "error": f"{found.error:.5f}",
        "known": f"{found.known.value:.6g}",
        "off, %": f"{100 * (found.estimate / found.known.value - 1):+.2f}",
        "how": found.method,
        "source": found.known.source,
        "seconds": f"{time.perf_counter() - begin:.0f}",
    }


@pytest.mark.parametrize("name", ROWS)
def test_rows(name):
    found = ROWS[name](True, 0)
    assert abs(found.estimate / found.known.value - 1) < 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small lattices, a few seconds")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = [row(name, arguments.quick, arguments.seed) for name in arguments.rows]
    keep("known_gauge_quick" if arguments.quick else "known_gauge", rows, machine("scipy"))


if __name__ == "__main__":
    main()
