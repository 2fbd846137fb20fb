"""Transitions where dimensionless quantities of two sizes cross, for the tables of known ones."""

import math
import time

import numpy as np

from topoml.lattice import simulate
from topoml.phases.methods import crossing_transition
from topoml.phases.resampling import block_means, bootstrap
from topoml.phases.transition import Curve

NAMES = ("correlation length", "Binder cumulant")
N_REPLICATES = 200


def moments(field):
    """|m|^2, |m|^4 and S(2 pi / L), mean over axes, of order-parameter fields (n, L, ..., L, c)."""
    axes = range(1, field.ndim - 1)
    square = (field.mean(tuple(axes)) ** 2).sum(-1)
    wave = np.exp(2j * np.pi * np.arange(field.shape[1]) / field.shape[1])
    at_one = []
    for axis in axes:
        planes = field.mean(tuple(other for other in axes if other != axis))
        amplitude = np.einsum("nlc,l->nc", planes, wave) / len(wave)
        at_one.append((np.abs(amplitude) ** 2).sum(-1))
    return np.stack([square, square**2, np.mean(at_one, axis=0)], -1)


def quantities(mean, size):
    """xi_2 / L, and the Binder cumulant, of mean moments (..., 3)."""
    ratio = np.maximum(mean[..., 0] / mean[..., 2] - 1.0, 0.0)
    xi = np.sqrt(ratio) / (2 * size * math.sin(math.pi / size))
    return xi, 1.0 - mean[..., 1] / (3.0 * mean[..., 0] ** 2)


def curves(model, size, temperatures, order, *, samples, seed, n_chains):
    """xi_2 / L and the Binder cumulant of one size, from chains of one temperature at a time."""
    blocks = []
    for t in temperatures:
        e = simulate(
            model, sizes=[size], temperatures=[t], samples=samples, seed=seed, n_chains=n_chains
        )
        x = e.configurations(size=size, temperature=t)
        blocks.append(block_means(np.stack([moments(order(chain)) for chain in x])))
    drawn = bootstrap(blocks, N_REPLICATES, np.random.default_rng(seed))
    mean, t = np.stack([b.mean(0) for b in blocks]), np.array(temperatures)
    pairs = zip(quantities(mean, size), quantities(drawn, size), strict=True)
    return [Curve(size, t, value, replicates) for value, replicates in pairs]


def crossing(model, sizes, temperatures, order, *, samples, lead, seed=1, n_chains=16):
    """A row: the transition by crossings of one quantity, the other beside it.

    ``order`` turns configurations (n, ...) into order-parameter fields (n, L, ..., L, c).
    """
    start = time.perf_counter()
    options = {"samples": samples, "seed": seed, "n_chains": n_chains}
    found = {size: curves(model, size, temperatures, order, **options) for size in sizes}
    leading = (NAMES.index(lead), 1 - NAMES.index(lead))
    transition = crossing_transition(
        [{size: c[m] for size, c in found.items()} for m in leading], [NAMES[m] for m in leading]
    )
    other = transition.diagnostics.get("other quantities", {}).get(NAMES[leading[1]])
    row = {
        "model": f"{model.name}{getattr(model, 'q', '')}, {model.lattice}",
        "quantity": f"T by the {lead}",
        "sizes": " ".join(map(str, sizes)),
        "estimate": transition.estimate,
        "error": transition.error,
        "beside it": None if other is None else f"{other:.4f} by the {NAMES[leading[1]]}",
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


def printable(row):
    """Numbers as text, nothing for what is missing."""
    return {
        key: "" if value is None else f"{value:.5f}" if isinstance(value, float) else value
        for key, value in row.items()
    }
