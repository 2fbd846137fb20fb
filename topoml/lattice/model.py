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

__all__ = ["Array", "Known", "Model", "cast_like", "check_coupling", "check_field", "namespace"]

Array = TypeVar("Array", "NDArray[Any]", "torch.Tensor")


class Known(NamedTuple):
    """A transition temperature from the literature; ``error`` is None for an exact value."""

    value: float
    error: float | None
    source: str


@runtime_checkable
class Model(Protocol):
    """Spins on a periodic square lattice, k_B = 1; see `Ising` and `XY`.

    ``spins`` below is the array that the sampler works on, which may hold more than a
    configuration does (XY: unit vectors in float64 for angles in float32).
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
    def energy(self, configurations: Array, /) -> Array: ...
    def ordered(self, shape: tuple[int, int]) -> NDArray[Any]: ...
    def random_state(self, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[Any]: ...
    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        clusters: int,
        samples: int,
        rng: np.random.Generator,
    ) -> tuple[NDArray[Any], int]: ...


def namespace(x: object) -> ModuleType:
    """Numpy or torch, whichever ``x`` belongs to."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(x, torch.Tensor) else np


def cast_like(total: Any, field: Any) -> Any:  # noqa: ANN401
    """``total`` in the dtype of a floating ``field``; as it is (float64) for integers."""
    if namespace(field) is np:
        return total.astype(field.dtype) if field.dtype.kind == "f" else total
    return total.to(field.dtype) if field.is_floating_point() else total


def check_field(name: str, x: object, meaning: str = "") -> None:
    """A numpy array or torch tensor (*batch, L0, L1) that holds numbers."""
    kind = namespace(x)
    if kind is np and not isinstance(x, np.ndarray):
        raise InputError(
            f"`{name}` is of type {type(x).__name__}; expected a numpy array or a torch tensor. "
            "Convert it: numpy.asarray(...)."
        )
    shape = tuple(x.shape)  # type: ignore[attr-defined]
    if len(shape) < 2 or 0 in shape[-2:]:
        raise InputError(
            f"`{name}` has shape {shape}; expected (*batch, L0, L1){meaning}, sides of at least 1. "
            "The lattice axes come last."
        )


def check_coupling(J: float) -> None:
    """A ferromagnetic coupling: finite and positive."""
    if isinstance(J, bool) or not isinstance(J, int | float) or not 0 < J < math.inf:
        raise InputError(f"`J` is {J!r}; expected a finite number above 0. Try J=1.0.")
