"""Checks that stand beside every reported transition temperature."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from .._core.errors import InputError
from .._core.optional import require
from ..features import betti_curve
from ..lattice import Ensemble
from .methods import Blocks, Method, blocked
from .observables import Columns, OrderParameter, ScalarBlocks, SpinBlocks, coarse_grid
from .transition import Control

__all__ = ["all_controls", "halves_agree", "shuffled_temperatures", "window_shift"]

Floats = NDArray[np.float64]
_PER_TEMPERATURE = 300  # configurations that the classifier sees at each temperature


def shuffled_temperatures(method: Method, blocks: Blocks, rng: np.random.Generator) -> Control:
    """The same data with their temperatures dealt out at random: nothing must be found.

    The value is the number of transitions found.
    """
    dealt: dict[int, Columns] = {}
    for size, of_size in blocks.items():
        pool = np.concatenate(list(of_size.values()))
        pool = pool[rng.permutation(len(pool))]
        ends = np.cumsum([len(block) for block in of_size.values()])[:-1]
        dealt[size] = dict(zip(of_size, np.split(pool, ends), strict=True))
    found = method.locate(dealt).estimate is not None
    return Control("temperatures shuffled: transitions found", float(found), not found)


def halves_agree(method: Method, columns: dict[int, Columns]) -> Control:
    """The first halves of all chains against the second: not equilibrated if they disagree.

    The value is the difference in units of its error, the bootstrap and window errors of both.
    """
    name = "first against second half of the chains (sigma)"
    if min(c.shape[1] for of_size in columns.values() for c in of_size.values()) < 2:
        return Control(name, None, None)
    found = []
    for half in (0, 1):
        part = {
            size: {t: np.array_split(c, 2, axis=1)[half] for t, c in of_size.items()}
            for size, of_size in columns.items()
        }
        try:
            blocks = {size: blocked(of_size) for size, of_size in part.items()}
        except (InputError, ValueError):  # too short to be halved
            return Control(name, None, None)
        found.append(method.locate(blocks))
    first, second = found
    if first.estimate is None or second.estimate is None:
        return Control(name, None, None)
    sigma = math.hypot(first.error or 0.0, second.error or 0.0)
    value = (second.estimate - first.estimate) / sigma
    return Control(name, value, abs(value) < 3)


def _betti_features(x: NDArray[np.generic], order: OrderParameter, grid: int) -> Floats:
    """Betti curves of the block field of each configuration, (n, k)."""
    block = order.blocks(x, grid)
    if order.is_direction:
        diagrams = SpinBlocks(order, grid).diagrams(block)
        return betti_curve(diagrams, resolution=24, sample_range=(0.0, math.pi)).numpy()
    n, c = block.shape[:2]
    unit = block / (block**2).mean((2, 3), keepdim=True).sqrt().clamp_min(1e-12)
    total = torch.zeros(n, 48, dtype=torch.float64)
    for sign in (1.0, -1.0):
        diagrams = ScalarBlocks(order, grid).diagrams(sign * unit)
        curve = betti_curve(diagrams, resolution=24, sample_range=(-2.5, 2.5))
        total += curve.reshape(n, c, -1).mean(1) / 2
    return total.numpy()


def window_shift(ensemble: Ensemble) -> tuple[Control, Floats]:
    """How far the answer of the usual two-window classifier moves with its windows.

    A logistic regression on Betti curves of the largest size's block fields is trained on two
    windows of temperatures, and its T_50, where the mean output passes 1/2, is read off; then the
    windows move. The value is the slope dT_50 / dT_midpoint: 0 for a detector of a transition, 1
    for a thermometer, which reports the midpoint of its windows. Passed below 0.3. This judges
    the two-window protocol on these data, not the estimate, which uses no windows.

    Returns:
        The control, and the rows (midpoint, T_50) behind it.
    """
    name = "window shift of the two-window classifier: dT50/dTmid"
    size = ensemble.sizes[-1]
    temperature = np.array(ensemble.temperatures_of(size))
    if temperature.size < 6:
        return Control(name, None, None), np.empty((0, 2))
    order, grid = OrderParameter.of(ensemble), coarse_grid(ensemble.sizes)
    features = []
    for t in temperature:
        x = ensemble.configurations(size=size, temperature=float(t))
        rows = x.reshape(-1, *x.shape[2:])
        features.append(_betti_features(rows[:: -(-len(rows) // _PER_TEMPERATURE)], order, grid))
    linear_model = require("sklearn.linear_model")
    everything = np.concatenate(features)
    mean, scale = everything.mean(0), everything.std(0)
    features = [(f - mean) / np.where(scale > 0, scale, 1.0) for f in features]
    span = max(4, temperature.size - 3)
    rows_found = []
    for start in range(temperature.size - span + 1):
        low, high = (start, start + 1), (start + span - 2, start + span - 1)
        x = np.concatenate([features[i] for i in (*low, *high)])
        y = np.concatenate([np.full(len(features[i]), i in high) for i in (*low, *high)])
        model = linear_model.LogisticRegression(C=0.1, solver="newton-cholesky").fit(x, y)
        output = np.array([model.predict_proba(f)[:, 1].mean() for f in features])
        passes = np.flatnonzero((output[:-1] < 0.5) & (output[1:] >= 0.5))
        if passes.size:
            i = passes[0]
            t50 = temperature[i] + (temperature[i + 1] - temperature[i]) * (0.5 - output[i]) / (
                output[i + 1] - output[i]
            )
            rows_found.append((temperature[[*low, *high]].mean(), t50))
    table = np.array(rows_found).reshape(-1, 2)
    if len(table) < 3 or np.ptp(table[:, 0]) == 0:
        return Control(name, None, None), table
    slope = float(np.polyfit(table[:, 0], table[:, 1], 1)[0])
    return Control(name, slope, abs(slope) < 0.3), table


def all_controls(
    method: Method, ensemble: Ensemble, columns: dict[int, Columns], seed: int
) -> tuple[Control, ...]:
    """The controls of one detection."""
    blocks = {size: blocked(of_size) for size, of_size in columns.items()}
    return (
        window_shift(ensemble)[0],
        shuffled_temperatures(method, blocks, np.random.default_rng(seed)),
        halves_agree(method, columns),
    )
