"""What `simulate` asks of a model, and the checks that the models share."""

import math
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = [
    "Array",
    "EffectiveModel",
    "Known",
    "Model",
    "cast_like",
    "check_coupling",
    "check_field",
    "check_update",
    "namespace",
    "plain_numbers",
]

Array = TypeVar("Array", "NDArray[Any]", "torch.Tensor")


class Known(NamedTuple):
    """A transition temperature from the literature; ``error`` is None for an exact value."""

    value: float
    error: float | None
    source: str


@runtime_checkable
class Model(Protocol):
    """Spins on a periodic lattice, or links of a gauge field, k_B = 1; see `Ising` and `XY`.

    A configuration has the shape (*shape(size), *components): ``shape(size)`` is (L, L) on the
    square lattice, (L, L, L) on the cubic one, (L, L, 2) on the honeycomb, (D, L, ..., L) for
    links; ``components`` is () for spins that are numbers, (3,) for vectors, (N, N) for matrices.
    Energies are divided by ``n_sites(shape)``. ``spins`` below is the array that the sampler works
    on, which may hold more than a configuration does (XY: unit vectors in float64 for angles in
    float32).

    ``updates`` names the updates that leave the Boltzmann distribution at a temperature
    invariant; the first is the default. ``sample`` makes ``rounds`` rounds of one of them before
    each sample and returns the configurations (samples, *shape) and the number of spins that were
    flipped or visited: a round is a cluster, or a sweep that visits every spin once.
    """

    @property
    def name(self) -> str: ...
    @property
    def manifold(self) -> str: ...
    @property
    def symmetry(self) -> str: ...
    @property
    def order(self) -> str: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def known_transition(self) -> Known | None: ...
    @property
    def updates(self) -> tuple[str, ...]: ...
    @property
    def components(self) -> tuple[int, ...]: ...
    def shape(self, size: int, /) -> tuple[int, ...]: ...
    def n_sites(self, shape: tuple[int, ...], /) -> int: ...
    def energy(self, configurations: Array, /) -> Array: ...
    def ordered(self, shape: tuple[int, ...], /) -> NDArray[Any]: ...
    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator, /) -> NDArray[Any]: ...
    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str,
        /,
    ) -> tuple[NDArray[Any], int]: ...


@runtime_checkable
class EffectiveModel(Model, Protocol):
    """A model whose weight is exp(-H / T) with an H of its own at every temperature (`Villain`).

    Its ``energy`` needs the temperature, and is the estimator whose mean is -d ln Z / d(1 / T).
    """

    @property
    def energy_needs_temperature(self) -> bool: ...
    def energy(self, configurations: Array, /, *, temperature: float | None = None) -> Array: ...


def namespace(x: object) -> ModuleType:
    """Numpy or torch, whichever ``x`` belongs to."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np


def cast_like(total: Any, field: Any) -> Any:  # noqa: ANN401
    """``total`` in the dtype of a floating ``field``; as it is (float64) for integers."""
    if namespace(field) is np:
        return total.astype(field.dtype) if field.dtype.kind == "f" else total
    return total.to(field.dtype) if field.is_floating_point() else total


def plain_numbers(model: object) -> None:
    """Python's numbers in the place of numpy's, in the fields of a frozen dataclass."""
    for name, value in vars(model).items():
        if isinstance(value, np.generic):
            plain = float(value) if isinstance(value, np.floating) else value.item()
            object.__setattr__(model, name, plain)


def check_field(name: str, x: object, meaning: str = "", *, n_axes: int = 2) -> None:
    """A numpy array or torch tensor (*batch, L0, L1, ...) that holds numbers on ``n_axes`` axes."""
    kind = namespace(x)
    if kind is np and not isinstance(x, np.ndarray):
        raise InputError(
            f"`{name}` is of type {type(x).__name__}; expected a numpy array or a torch tensor. "
            "Convert it: numpy.asarray(...)."
        )
    shape = tuple(x.shape)  # type: ignore[attr-defined]
    if len(shape) < n_axes or 0 in shape[-n_axes:]:
        sides = ", ".join(f"L{axis}" for axis in range(n_axes))
        raise InputError(
            f"`{name}` has shape {shape}; expected (*batch, {sides}){meaning}, sides of at "
            "least 1. The lattice axes come last."
        )


def check_coupling(J: float) -> None:
    """A ferromagnetic coupling: finite and positive."""
    if isinstance(J, bool) or not isinstance(J, int | float) or not 0 < J < math.inf:
        raise InputError(f"`J` is {J!r}; expected a finite number above 0. Try J=1.0.")


def check_update(update: str, valid: tuple[str, ...]) -> None:
    """One of the updates of a model."""
    if update not in valid:
        known = ", ".join(map(repr, valid))
        raise InputError(
            f"`update` is {update!r}; expected one of {known}. Leave it out for {valid[0]!r}."
        )
