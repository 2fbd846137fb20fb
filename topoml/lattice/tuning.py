"""The scale of a proposal from a pilot chain, found before the chains that count."""

import math
from collections.abc import Callable

__all__ = ["tuned_scale"]

_GROPE, _SETTLE = 40, 80  # rounds of the pilot chain


def tuned_scale(
    acceptance: Callable[[float], float], *, target: float, most: float = math.inf
) -> float:
    """The scale of a proposal at which about ``target`` of them are accepted, to two digits.

    The logarithm of the scale follows acceptance minus target: 40 rounds with gain 1, from a scale
    of 1 (or ``most``), so that three orders of magnitude away it arrives; then 80 with a gain that
    falls as 1 / round, whose mean over the last 40 is the answer. A chain whose scale changes with
    its past has no stationary distribution to speak of: hence a pilot, of which only the scale is
    kept.

    Args:
        acceptance: Makes a round of the pilot chain at a scale; the share accepted, in [0, 1].
        target: Share wanted.
        most: Upper limit of the scale.

    Source: Robbins and Monro, Ann. Math. Stat. 22, 400 (1951); Andrieu and Thoms, Stat. Comput. 18,
        343 (2008).
    """
    limit = math.log(most) if most < math.inf else math.inf
    log_scale, kept = min(0.0, limit), []
    for k in range(_GROPE + _SETTLE):
        gain = 1.0 if k < _GROPE else 8.0 / (8 + k - _GROPE)
        log_scale = min(limit, log_scale + gain * (acceptance(math.exp(log_scale)) - target))
        kept.append(log_scale)
    last = kept[-_SETTLE // 2 :]
    return float(f"{math.exp(sum(last) / len(last)):.2g}")
