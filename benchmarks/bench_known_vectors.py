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
from timing import keep, machine

from topoml.lattice import Heisenberg, LebwohlLasher, SquareIce, simulate
from topoml.phases.methods import crossing_transition
from topoml.phases.resampling import block_means, bootstrap
from topoml.phases.transition import Curve

LIEB = (4 / 3) ** 1.5
NAMES = ("correlation length", "Binder cumulant")


def moments(x, manifold):
    """|m|^2, |m|^4 and S at the smallest wave vectors of configurations (n, L, ..., L, 3).

    m is the mean spin, or of axes the mean of s s^T - 1 / 3, as a vector; S is a mean over the
    lattice axes.
    """
    x = x.astype(np.float64)
    if manifold == "projective":
        tensor = x[..., :, None] * x[..., None, :] - np.eye(3) / 3
        x = tensor.reshape(*x.shape[:-1], 9)
    axes = range(1, x.ndim - 1)
    square = (x.mean(tuple(axes)) ** 2).sum(-1)
    wave = np.exp(2j * np.pi * np.arange(x.shape[1]) / x.shape[1])
    at_one = []
    for axis in axes:
        planes = x.mean(tuple(other for other in axes if other != axis))
        amplitude = np.einsum("nlc,l->nc", planes, wave) / len(wave)
        at_one.append((np.abs(amplitude) ** 2).sum(-1))
    return np.stack([square, square**2, np.mean(at_one, axis=0)], -1)


def curves(model, size, temperatures, samples, n_chains, seed):
    """xi_2 / L and the Binder cumulant of one size, from chains of one temperature at a time."""
    blocks = []
    for t in temperatures:
        e = simulate(model, sizes=[size], temperatures=[t], samples=samples, seed=seed,
                     n_chains=n_chains)  # fmt: skip
        x = e.configurations(size=size, temperature=t)
        rows = [moments(chain, model.manifold) for chain in x]
        blocks.append(block_means(np.stack(rows)))
    drawn = bootstrap(blocks, 200, np.random.default_rng(seed))
    mean = np.stack([b.mean(0) for b in blocks])

    def values(m):
        ratio = np.maximum(m[..., 0] / m[..., 2] - 1.0, 0.0)
        xi = np.sqrt(ratio) / (2 * size * math.sin(math.pi / size))
        return xi, 1.0 - m[..., 1] / (3.0 * m[..., 0] ** 2)

    t = np.array(temperatures)
    pairs = zip(values(mean), values(drawn), strict=True)
    return [Curve(size, t, value, replicates) for value, replicates in pairs]


def crossing(model, sizes, temperatures, samples, *, lead, n_chains=16, seed=1):
    """The transition by crossings of one quantity, the other beside it."""
    start = time.perf_counter()
    found = {size: curves(model, size, temperatures, samples, n_chains, seed) for size in sizes}
    order = (NAMES.index(lead), 1 - NAMES.index(lead))
    transition = crossing_transition(
        [{size: c[m] for size, c in found.items()} for m in order], [NAMES[m] for m in order]
    )
    other = transition.diagnostics.get("other quantities", {}).get(NAMES[order[1]])
    row = {
        "model": f"{model.name}, {model.lattice}",
        "quantity": f"T by the {lead}",
        "sizes": " ".join(map(str, sizes)),
        "estimate": transition.estimate,
        "error": transition.error,
        "beside it": None if other is None else f"{other:.4f} by the {NAMES[order[1]]}",
    }
    return row | compared(transition.estimate, model.known_transition, start)


def compared(estimate, known, start):
    """The known value, the deviation from it in per cent and the time, for a row."""
    off = None if known is None or estimate is None else f"{100 * (estimate / known[0] - 1):+.2f}"
    return {
        "known": None if known is None else f"{known[0]:.6g}",
        "source": "no transition" if known is None else known[2],
        "off (%)": off,
        "seconds": f"{time.perf_counter() - start:.0f}",
    }


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
        yield crossing(Heisenberg(lattice="cubic"), (4, 8), t, 1600, lead=NAMES[1])
        t = np.linspace(0.5, 1.1, 7)
        yield crossing(Heisenberg(), (8, 16), t, 800, lead=NAMES[0])
        yield ice(4, 8, 800)
        return
    t = np.linspace(1.415, 1.471, 9)
    yield crossing(Heisenberg(lattice="cubic"), (6, 8, 12, 16, 24), t, 3200, lead=NAMES[1])
    t = np.linspace(0.45, 1.05, 9)
    yield crossing(Heisenberg(), (16, 32, 64), t, 3200, lead=NAMES[0])
    t = np.linspace(1.105, 1.14, 9)
    yield crossing(LebwohlLasher(), (6, 8, 12, 16), t, 4800, lead=NAMES[1])
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
