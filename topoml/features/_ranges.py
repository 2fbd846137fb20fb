"""Ranges of the births, deaths and lifetimes in a batch, for grids that are learnt from it."""

import torch

from .._core.errors import InputError
from ..homology import Diagrams

__all__ = ["image_range", "value_range"]


def value_range(diagrams: Diagrams) -> tuple[float, float]:
    """Least and greatest value among births and deaths of the classes of finite lifetime > 0."""
    birth_min, birth_max, _, _, *deaths = _ranges(diagrams)
    return min(birth_min, deaths[0]), max(birth_max, deaths[1])


def image_range(diagrams: Diagrams) -> tuple[float, float, float, float]:
    """(birth_min, birth_max, life_min, life_max) of the same classes."""
    return _ranges(diagrams)[:4]  # type: ignore[return-value]


def _ranges(diagrams: Diagrams) -> tuple[float, ...]:
    life = diagrams.lifetime.detach()
    points = diagrams.points.detach()[torch.isfinite(life) & (life > 0)].double()
    if not len(points):
        raise InputError(
            "`diagrams` has no class of finite lifetime above 0; expected at least one, to take the"
            " range from. Cure: give the range."
        )
    birth, death = points.unbind(1)
    pairs = (birth, (birth - death).abs(), death)
    return tuple(float(end) for x in pairs for end in (x.min(), x.max()))
