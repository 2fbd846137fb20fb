"""Lists of numbers as the command line writes them."""

import math

from .._core.errors import InputError

__all__ = ["integers", "numbers"]

_MOST_TEMPERATURES = 1000


def numbers(name: str, text: str) -> list[float]:
    """Numbers from ``1.0,2.0`` or ``low:high:step``."""
    try:
        if ":" in text:
            low, high, step = (float(part) for part in text.split(":"))
            steps = (high - low) / step if step > 0 else math.nan
            if not 0 <= steps < _MOST_TEMPERATURES:
                raise ValueError
            n = int(steps * (1 + 1e-12) + 1e-9) + 1
            return [round(low + i * step, 12) for i in range(n)]
        return [float(part) for part in text.replace(",", " ").split()] or [float(text)]
    except ValueError:
        raise InputError(
            f"`{name}` is {text!r}; expected numbers with commas, such as 0.8,0.9,1.0, or"
            f" low:high:step with a positive step and at most {_MOST_TEMPERATURES} of them."
        ) from None


def integers(name: str, text: str) -> list[int]:
    """Integers from ``32,64``."""
    try:
        return [int(part) for part in text.replace(",", " ").split()] or [int(text)]
    except ValueError:
        raise InputError(
            f"`{name}` is {text!r}; expected integers with commas, such as 32,64,128."
        ) from None
