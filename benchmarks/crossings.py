"""Transitions where dimensionless quantities of two sizes cross, for the tables of known ones."""

import time

import numpy as np

from topoml.lattice import simulate
from topoml.phases.methods import crossing_transition
from topoml.phases.observables import (
    Binder,
    CorrelationLength,
    OrderParameter,
    columns_at,
    curves_of,
)
from topoml.phases.resampling import block_means

NAMES = ("correlation length", "Binder cumulant")
N_REPLICATES = 200


def curves(model, size, temperatures, *, samples, seed, n_chains):
    """xi_2 / L and the Binder cumulant of one size, from chains of one temperature at a time."""
    blocks = {name: {} for name in NAMES}
    for t in temperatures:
        e = simulate(
            model, sizes=[size], temperatures=[t], samples=samples, seed=seed, n_chains=n_chains
        )
        order = OrderParameter.of(e)
        observables = (CorrelationLength(order, size, model.lattice), Binder(order))
        for name, observable in zip(NAMES, observables, strict=True):
            blocks[name][t] = block_means(columns_at(e, observable, size, t))
    rng = np.random.default_rng(seed)
    return [
        curves_of(observable, size, blocks[name], n_replicates=N_REPLICATES, rng=rng)[0]
        for name, observable in zip(NAMES, observables, strict=True)
    ]


def crossing(model, sizes, temperatures, *, samples, lead, seed=1, n_chains=16):
    """A row: the transition by crossings of one quantity, the other beside it."""
    start = time.perf_counter()
    options = {"samples": samples, "seed": seed, "n_chains": n_chains}
    found = {size: curves(model, size, temperatures, **options) for size in sizes}
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
