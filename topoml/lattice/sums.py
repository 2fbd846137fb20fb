"""What a store keeps of every configuration beside it: energy and magnetisation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import EffectiveModel, Model

__all__ = ["energies", "n_magnetisation", "sums"]

_AT_ONCE = 1 << 22  # numbers of configurations turned into energies at a time


def energies(
    model: Model, configurations: NDArray[np.generic], temperature: float
) -> NDArray[np.float64]:
    """Energy per site (n,) of configurations (n, *shape, *components) at a temperature."""
    shape = configurations.shape[1 : configurations.ndim - len(model.components)]
    out = np.empty(len(configurations))
    at_once = max(1, _AT_ONCE // max(1, configurations[:1].size))
    for i in range(0, len(out), at_once):
        part = configurations[i : i + at_once]
        if isinstance(model, EffectiveModel):
            out[i : i + at_once] = model.energy(part, temperature=temperature)
        else:
            out[i : i + at_once] = model.energy(part)
    return out / model.n_sites(shape)


def n_magnetisation(model: Model) -> int:
    """Components of the magnetisation: 0 where the manifold has none."""
    if model.manifold == "sphere":
        return model.components[0]
    q = getattr(model, "q", 0) if model.manifold == "discrete" else 0
    return {"real": 1, "circle": 2}.get(model.manifold, int(q)) if not model.components else 0


def sums(
    model: Model, configurations: NDArray[np.generic], temperature: float
) -> dict[str, NDArray[np.float64]]:
    """Energy per site (n,) and, if there is one, magnetisation (n, component) by their names.

    The magnetisation is the mean spin; for "circle" the mean cosine and sine, for "discrete" the
    fractions of the states.
    """
    found = {"energy": energies(model, configurations, temperature)}
    if n := n_magnetisation(model):
        parts = _parts(model, configurations, n)
        axes = tuple(range(1, parts[0].ndim))
        means = [part.mean(axes, dtype=np.float64) for part in parts]
        found["magnetisation"] = np.stack(means, -1)
    return found


def _parts(model: Model, x: NDArray[Any], n: int) -> list[NDArray[Any]]:
    """Fields (n, *shape) whose means are the magnetisation."""
    if model.manifold == "circle":
        return [np.cos(x), np.sin(x)]
    if model.manifold == "discrete":
        return [x == state for state in range(n)]
    return [x[..., c] for c in range(n)] if model.manifold == "sphere" else [x]
