"""A test that a module commutes with a group: its defect, and actions to ask for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from .._core.checks import check_count, check_positive
from .._core.errors import InputError

__all__ = ["Action", "assert_equivariant", "invariant", "rotations", "translations"]

Value = Any  # a tensor, or a tuple of tensors
Element = Any  # of a group, as its action wants it
Module = Callable[..., Value]
Representation = Callable[[Element, Value], Value]

TOLERANCES = {torch.float64: 1e-12, torch.float32: 2e-5}


@runtime_checkable
class CompactGroup(Protocol):
    """A group of matrices with a Haar measure, such as ``topoml.lie.SO(3)``."""

    @property
    def matrix_size(self) -> int: ...

    def random_haar(
        self,
        *size: int,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | None = None,
    ) -> Tensor: ...


@runtime_checkable
class OpenGroup(Protocol):
    """A group of matrices without one, such as ``topoml.lie.Lorentz()``."""

    @property
    def matrix_size(self) -> int: ...

    def random(
        self,
        *size: int,
        scale: float,
        generator: torch.Generator,
        dtype: torch.dtype,
        device: torch.device | None = None,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Action:
    """How a group acts on what goes into a module and on what comes out of it.

    Attributes:
        draw: (x, generator) -> g, one random element; ``x`` gives shape, dtype and device.
        act_in: (g, x) -> g x. ``x`` is a tensor, or the tuple of all arguments of the module.
        act_out: (g, y) -> g y. ``y`` is what the module returned; `invariant` where g does nothing.

    Example:
        >>> import torch
        >>> def some_sign(x, generator):
        ...     return -1.0
        >>> def multiply(g, x):
        ...     return g * x
        >>> g, x = torch.Generator(), torch.ones(2)
        >>> assert_equivariant(torch.sin, Action(some_sign, multiply, multiply), x, g)
        0.0
    """

    draw: Callable[[Value, torch.Generator], Element]
    act_in: Representation
    act_out: Representation


def assert_equivariant(
    module: Module,
    group: CompactGroup | OpenGroup | Action,
    x: Tensor | tuple[Tensor, ...],
    generator: torch.Generator,
    *,
    tolerance: float | None = None,
    act_in: Representation | None = None,
    act_out: Representation | None = None,
    n_draws: int = 3,
) -> float:
    r"""The largest defect of f(gx) = g f(x) over random g, which must not exceed ``tolerance``.

    .. math:: \max_g \frac{\max |f(g x) - g f(x)|}{\max |f(x)|}

    for each output of its own where there are several. No gradients; the module runs as it is
    (a module with dropout must be in ``eval()``). An output that is zero everywhere, NaN or of
    another shape fails, as it shows nothing. On CUDA, torch convolves float32 with ten bits unless
    ``torch.backends.cudnn.allow_tf32`` is False, and no layer is as exact as the tolerance then.

    Args:
        module: A callable of ``x``, or of the tensors of ``x`` if it is a tuple, that returns a
            tensor or a tuple of tensors.
        group: A group of ``topoml.lie``, which acts on the last axis of input and output by matrix
            times vector (of SE(n): in homogeneous coordinates), drawn by its Haar measure or, if it
            is not compact, with scale 1; or an `Action`, such as `translations`.
        x: The input; groups are drawn in its dtype (of the first tensor) and on its device.
        generator: Of the random elements; on the device of ``x``, or that of the CPU if the group
            draws there.
        tolerance: At least 0; None is 1e-12 in float64 and 2e-5 in float32, enough for four layers.
        act_in: (g, x) -> g x, in place of that of the group.
        act_out: (g, y) -> g y, likewise; `invariant` for a module that g does not change.
        n_draws: Number of elements, at least 1.

    Returns:
        The defect, for a record of it.

    Raises:
        AssertionError: The defect is above ``tolerance``.
        InputError: An argument out of these ranges; no default tolerance for the dtype.

    Example:
        >>> import torch
        >>> def flip(x, generator):
        ...     return None
        >>> action = Action(flip, lambda g, x: x.flip(0), lambda g, y: y.flip(0))
        >>> x, g = torch.tensor([1.0, 2.0]), torch.Generator()
        >>> assert_equivariant(torch.exp, action, x, g)
        0.0
        >>> assert_equivariant(lambda x: x.cumsum(0), action, x, g)
        Traceback (most recent call last):
            ...
        AssertionError: f(gx) and g f(x) differ by 0.667 of max |f(x)|; expected at most 2e-05.
    """
    inputs = x if isinstance(x, tuple) else (x,)
    action = group if isinstance(group, Action) else rotations(group)
    action = replace(action, act_in=act_in or action.act_in, act_out=act_out or action.act_out)
    limit = _tolerance(inputs, tolerance)
    worst = 0.0
    with torch.no_grad():
        y = module(*inputs)
        for _ in range(check_count("n_draws", n_draws)):
            g = action.draw(x, generator)
            moved = action.act_in(g, x)
            found = module(*moved) if isinstance(moved, tuple) else module(moved)
            defect = _defect(found, action.act_out(g, y), y)
            if not defect <= limit:  # NaN as well
                raise AssertionError(
                    f"f(gx) and g f(x) differ by {defect:.3g} of max |f(x)|;"
                    f" expected at most {limit:.3g}."
                )
            worst = max(worst, defect)
    return worst


def invariant(g: Element, y: Value) -> Value:
    """(g, y) -> y: the action on an output that the group leaves as it is."""
    del g
    return y


def rotations(group: CompactGroup | OpenGroup) -> Action:
    """One matrix of ``group`` for all sites, times the vectors on the last axis.

    Real groups in the dtype of x, complex ones in the complex dtype of the same precision.

    Args:
        group: A group of matrices of ``topoml.lie``; `assert_equivariant` says how it is drawn.

    Raises:
        InputError: Something that draws no elements.
    """

    def draw(x: Value, generator: torch.Generator) -> Tensor:
        first = x[0] if isinstance(x, tuple) else x
        dtype = first.dtype
        if getattr(group, "is_complex", False):
            dtype = dtype.to_complex()
        elif dtype.is_complex:
            dtype = dtype.to_real()
        device = first.device
        if isinstance(group, CompactGroup):
            return group.random_haar(generator=generator, dtype=dtype, device=device)
        return group.random(scale=1.0, generator=generator, dtype=dtype, device=device)

    if not isinstance(group, CompactGroup | OpenGroup):
        raise InputError(
            f"`group` is {group!r}; expected a group of matrices with random elements, such as"
            " topoml.lie.SO(3), or an Action."
        )
    return Action(draw, _rotate, _rotate)


def translations(dim: int, *, first_axis: int = 2) -> Action:
    """Random shifts along ``dim`` axes of a periodic lattice, of input and output alike.

    Axes ``first_axis`` ... ``first_axis + dim - 1`` are the lattice; tuples are shifted together.

    Args:
        dim: Number of lattice axes, at least 1.
        first_axis: 2 for fields (B, C, *L) and (B, C, *L, n), 1 for angles (B, *L).

    Example:
        >>> import torch
        >>> x, g = torch.arange(12.0).reshape(1, 1, 3, 4) + 1, torch.Generator()
        >>> assert_equivariant(lambda x: x * x.roll(1, 2), translations(2), x, g)
        0.0
    """
    axes = tuple(range(first_axis, first_axis + check_count("dim", dim)))

    def draw(x: Value, generator: torch.Generator) -> tuple[int, ...]:
        first = x[0] if isinstance(x, tuple) else x
        shift = [
            torch.randint(first.shape[a], (1,), generator=generator, device=generator.device)
            for a in axes
        ]
        return tuple(int(s) for s in shift)

    def act(g: tuple[int, ...], x: Value) -> Value:
        if isinstance(x, tuple):
            return tuple(act(g, part) for part in x)
        return x.roll(g, axes)

    return Action(draw, act, act)


def _rotate(g: Tensor, x: Value) -> Value:
    if isinstance(x, tuple):
        return tuple(_rotate(g, part) for part in x)
    if x.ndim == 0 or x.shape[-1] != g.shape[-1]:
        raise InputError(
            f"a field has shape {tuple(x.shape)}; expected vectors of {g.shape[-1]} on the last"
            " axis. Cure: give `act_in` or `act_out`, such as `invariant`."
        )
    return torch.einsum("ij,...j->...i", g.to(x.dtype) if x.is_complex() else g, x)


def _tolerance(inputs: tuple[Tensor, ...], tolerance: float | None) -> float:
    """The stated one, or that of the dtype."""
    if tolerance is not None:
        return 0.0 if tolerance == 0 else check_positive("tolerance", tolerance)
    dtype = inputs[0].dtype.to_real() if inputs[0].is_complex() else inputs[0].dtype
    if dtype not in TOLERANCES:
        raise InputError(
            f"`x` has dtype {dtype}; expected float64 or float32, which have a default tolerance."
            " Cure: give `tolerance`."
        )
    return TOLERANCES[dtype]


def _defect(found: Value, expected: Value, scale: Value) -> float:
    """Largest relative difference; over tuples, the largest of their parts (NaN wins)."""
    if isinstance(scale, tuple):
        parts = [_defect(*part) for part in zip(found, expected, scale, strict=True)]
        return max(parts, key=lambda d: float("inf") if d != d else d)
    if found.shape != expected.shape:
        raise AssertionError(
            f"f(gx) has shape {tuple(found.shape)} and g f(x) has {tuple(expected.shape)}."
        )
    return float((found - expected).abs().max() / scale.abs().max())
