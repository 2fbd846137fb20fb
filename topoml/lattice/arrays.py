"""Ensembles from anybody's arrays."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from .ensemble import MANIFOLDS, Ensemble

__all__ = ["Part", "from_arrays", "gathered"]

_NORM_TOLERANCE = 1e-3  # vectors rounded to 4 decimals have |v| off by less


@dataclass(frozen=True)
class Part:
    """The data of one size, with a text that says in an error where they come from."""

    configurations: object
    temperature: object
    chain: object = None
    where: str = ""


def from_arrays(
    configurations: object,
    temperature: object,
    *,
    manifold: str | None = None,
    chain: object = None,
) -> Ensemble:
    """An ensemble from arrays of spins, each row with its temperature.

    Without ``manifold`` it is guessed, once over all sizes, and ``manifold_guessed`` is True:
    integers of which one is negative are "real" (Ising: -1, 1); other integers are "discrete" with
    q = max + 1 states ({0, 1} is q = 2); floats are angles, "circle".

    Args:
        configurations: Array (n, L, L), or a list of such, one a size; unit vectors
            (n, L, L, c) with ``manifold="sphere"``. Numpy or torch; copied.
        temperature: Array (n,), k_B = 1, or a list of such, one a size.
        manifold: "real", "discrete", "circle" (radians, at most one turn either way) or "sphere".
        chain: Integer ids (n,), or a list of such: which independent run a row comes from. Without
            it the rows of one temperature, in their order, are one chain. All chains of one
            (L, T) have one length.

    Raises:
        InputError: NaN, infinities, booleans, complex numbers, objects, lattices that are not
            square, two arrays of one size, vectors that are not of unit length.

    Example:
        >>> import numpy as np
        >>> spins = np.array([[[1, -1], [1, 1]], [[1, 1], [1, 1]], [[-1, 1], [-1, -1]]])
        >>> e = from_arrays(spins, [2.0, 2.0, 3.0])
        >>> e.manifold, e.temperatures, e.configurations(size=2, temperature=2.0).shape
        ('real', (2.0, 3.0), (1, 2, 2, 2))
    """
    if not isinstance(configurations, list | tuple):
        return gathered([Part(configurations, temperature, chain)], manifold)
    n_sizes = len(configurations)
    if n_sizes == 0:
        raise InputError("`configurations` is an empty list; expected one array for each size.")
    temperatures = _one_a_size("temperature", temperature, n_sizes)
    chains = [None] * n_sizes if chain is None else _one_a_size("chain", chain, n_sizes)
    parts = [
        Part(*of_size, where=f" (array {i} of the list)")
        for i, of_size in enumerate(zip(configurations, temperatures, chains, strict=True))
    ]
    return gathered(parts, manifold)


def gathered(parts: Sequence[Part], manifold: str | None) -> Ensemble:
    """The ensemble of ``parts``, one a size, after all checks."""
    if manifold is not None and manifold not in MANIFOLDS:
        known = ", ".join(map(repr, MANIFOLDS))
        raise InputError(f"`manifold` is {manifold!r}; expected one of {known}, or None to guess.")
    fields = [_field(part, manifold) for part in parts]
    guessed = manifold is None
    manifold = _guess(fields, parts) if manifold is None else manifold
    data: dict[int, dict[float, NDArray[Any]]] = {}
    for x, part in zip(fields, parts, strict=True):
        _check_values(x, manifold, guessed, part.where)
        size = x.shape[1]
        if size in data:
            raise InputError(
                f"`configurations`{part.where} has size {size}, as has one before; expected one "
                "array for each size. Concatenate them, with chain ids if they are separate runs."
            )
        data[size] = _by_temperature(x, part)
    return Ensemble(data, manifold, manifold_guessed=guessed)


def _one_a_size(name: str, values: object, n_sizes: int) -> Sequence[object]:
    if isinstance(values, list | tuple) and len(values) == n_sizes:
        return values
    what = f"of length {len(values)}" if isinstance(values, list | tuple) else "not a list"
    raise InputError(
        f"`{name}` is {what}; expected a list of {n_sizes} arrays, as `configurations` is."
    )


def _numbers(name: str, values: object, kinds: str, where: str) -> NDArray[Any]:
    """Numpy array of integers ("iu") or of any real numbers ("iuf"), not empty."""
    try:
        # torch.Tensor.numpy() would refuse what needs a gradient or lies on a GPU
        array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"`{name}`{where} cannot be made into one numpy array; expected numbers in an array. "
            "Give numpy.asarray(...) of equal rows."
        ) from error
    if array.dtype.kind not in kinds:
        expected = "integers" if kinds == "iu" else "integers or floats"
        raise InputError(
            f"`{name}`{where} has dtype {array.dtype}; expected {expected}. "
            f"Convert it: {name}.astype(int), or to float."
        )
    if array.size == 0:
        raise InputError(f"`{name}`{where} has shape {array.shape}; expected at least one row.")
    return array


def _field(part: Part, manifold: str | None) -> NDArray[Any]:
    x = _numbers("configurations", part.configurations, "iuf", part.where)
    n_axes = 4 if manifold == "sphere" else 3
    if x.ndim != n_axes or x.shape[1] != x.shape[2]:
        expected = "(n, L, L, c) of unit vectors" if manifold == "sphere" else "(n, L, L)"
        cure = "Lattices are square, samples come first."
        if x.ndim == 2:
            cure = "Give one array for each size; a single configuration is x[None]."
        elif x.ndim == 4:
            cure = "For unit vectors, say manifold='sphere'."
        raise InputError(
            f"`configurations`{part.where} has shape {x.shape}; expected {expected}. {cure}"
        )
    with np.errstate(invalid="ignore"):
        is_finite = np.isfinite(x.min()) and np.isfinite(x.max())
    if not is_finite:
        raise InputError(
            f"`configurations`{part.where} holds NaN or infinity; expected finite numbers. "
            "Leave those rows out."
        )
    return x


def _guess(fields: Sequence[NDArray[Any]], parts: Sequence[Part]) -> str:
    if len({x.dtype.kind == "f" for x in fields}) > 1:
        raise InputError(
            "`configurations` mixes arrays of integers and of floats; expected one kind. "
            "Convert them to one dtype, or say manifold='real'."
        )
    if fields[0].dtype.kind != "f":
        return "real" if any(x.min() < 0 for x in fields) else "discrete"
    if any(x.any() for x in fields) and all((x == np.rint(x)).all() for x in fields):
        raise InputError(
            f"`configurations`{parts[0].where} holds whole numbers stored as floats; expected "
            "angles, or integers. Convert spins with .astype(int), or say which `manifold`."
        )
    return "circle"


def _check_values(x: NDArray[Any], manifold: str, guessed: bool, where: str) -> None:
    name = f"`configurations`{where}"
    if manifold in ("circle", "sphere") and x.dtype.kind != "f":
        raise InputError(
            f"{name} has dtype {x.dtype}; expected floats with manifold={manifold!r}. "
            "Convert it with .astype(float), or say manifold='discrete'."
        )
    if manifold == "discrete" and (x.dtype.kind == "f" or x.min() < 0):
        got = f"dtype {x.dtype}" if x.dtype.kind == "f" else f"a value {x.min()}"
        raise InputError(
            f"{name} has {got}; expected integers from 0 to q - 1 with manifold='discrete'. "
            "Number the states from 0, as integers."
        )
    if manifold == "circle" and max(-float(x.min()), float(x.max())) > 2 * math.pi * (1 + 1e-6):
        worst = max(-float(x.min()), float(x.max()))
        guess = "Say manifold='real', or wrap" if guessed else "Wrap"
        raise InputError(
            f"{name} reaches {worst:.6g} in size; expected angles within 2 pi, in radians. "
            f"{guess} the angles: numpy.angle(numpy.exp(1j * x)); degrees: numpy.deg2rad(x)."
        )
    if manifold == "sphere":
        off = max(float(np.abs(np.linalg.norm(rows, axis=-1) - 1.0).max()) for rows in x)
        if x.shape[-1] < 2 or not off <= _NORM_TOLERANCE:
            raise InputError(
                f"{name} has vectors of {x.shape[-1]} components, up to {off:.3g} off unit length; "
                "expected unit vectors of 2 or more. Divide by numpy.linalg.norm(x, axis=-1)."
            )


def _by_temperature(x: NDArray[Any], part: Part) -> dict[float, NDArray[Any]]:
    """Temperature to (chain, sample, L, L, ...)."""
    temperature = _numbers("temperature", part.temperature, "iuf", part.where)
    _check_rows("temperature", temperature, len(x), part.where)
    if not (np.isfinite(temperature).all() and (temperature > 0).all()):
        raise InputError(
            f"`temperature`{part.where} holds NaN, infinity or a number that is not positive; "
            "expected finite temperatures above 0. Leave those rows out."
        )
    if part.chain is None:
        chain = np.zeros(len(x), np.int64)
    else:
        chain = _numbers("chain", part.chain, "iu", part.where)
        _check_rows("chain", chain, len(x), part.where)
    return {float(t): _by_chain(x, chain, temperature == t, float(t), part.where)
            for t in np.unique(temperature)}  # fmt: skip


def _check_rows(name: str, values: NDArray[Any], n: int, where: str) -> None:
    if values.shape != (n,):
        raise InputError(
            f"`{name}`{where} has shape {values.shape}; expected ({n},), one for each "
            "configuration. Repeat it by row: numpy.repeat(...)."
        )


def _by_chain(
    x: NDArray[Any], chain: NDArray[Any], here: NDArray[np.bool_], t: float, where: str
) -> NDArray[Any]:
    ids, lengths = np.unique(chain[here], return_counts=True)
    if lengths.min() != lengths.max():
        raise InputError(
            f"`chain`{where} gives chains of {lengths.min()} to {lengths.max()} rows at "
            f"temperature {t!r}; expected equal lengths. Cut them to {lengths.min()} rows."
        )
    order = np.flatnonzero(here)
    order = order[np.argsort(chain[order], kind="stable")]
    return x[order].reshape(len(ids), int(lengths[0]), *x.shape[1:])
