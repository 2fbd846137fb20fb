"""A user's own model: an energy, and all else follows."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from .._core.checks import check_count
from .._core.errors import InputError
from .._core.optional import require
from ..kernels import metropolis as kernels
from .geometry import check_lattice, n_axes, shape_of
from .model import Array, Known, cast_like, check_field, check_update, namespace, plain_numbers
from .tuning import tuned_scale

if TYPE_CHECKING:
    import torch

__all__ = ["CustomModel"]

_MANIFOLDS = ("real", "circle", "sphere", "discrete")  # in the order of the kernel's numbers
_MOST = {"real": math.inf, "circle": math.pi, "sphere": 10.0}  # of the scale of proposals
_OVERHEAD = 1024  # sites whose energies take torch as long as to begin
_PILOT_SITES = 64  # proposals a round of the pilot chain
_TRIALS = 3  # spins changed to try the reach


@dataclass(frozen=True)
class CustomModel:
    r"""Your own model from nothing but its energy H: weight :math:`e^{-H/T}`, k_B = 1.

    The measure is the invariant one of the manifold: :math:`d\phi`, :math:`d\theta`, the area of
    the sphere, the sum over labels. Translation invariance is not needed.

    States of energy +inf or NaN are forbidden: no proposal of them is accepted.

    ``function`` is one of three, and is told by what it returns and by what it is:

    - of torch: a batch of configurations (n, *shape, *components), float64 (int64 for labels), to
      their energies (n,).
    - of torch, with ``reach`` = r: to the energies of sites (n, *shape), whose sum is H. That of a
      site must depend on the sites up to r steps away along each axis only (periodic). Metropolis
      then updates many sites at once, (2 r + 1)^D or a little more batches a sweep whatever the
      size, where otherwise each site takes an energy of its own, N energies a sweep.
    - compiled by ``numba.njit``: one configuration (*shape, *components) to its energy, a float;
      N energies a sweep, without the overhead of torch and without "hmc".

    Updates: "metropolis", and "hmc" with an energy of torch on a continuous manifold, which wants
    it differentiable (where it is not, or jumps, the samples stay right and the acceptance falls).
    "hmc" is the default without ``reach``. Scales of proposals belong to the model, the shape and
    the temperature: a pilot chain with a seed of its own finds them (`tuning.tuned_scale`).

    Args:
        function: See above. One that depends on nothing but its argument.
        manifold: "real"; "circle", angles in radians in [-pi, pi]; "sphere", unit vectors of
            ``components``; "discrete", labels 0 to ``n_states`` - 1.
        lattice: One of "chain", "square", "cubic", "hypercubic", "triangular", "honeycomb": the
            shape of configurations; on the honeycomb (L, L, 2).
        reach: See above.
        n_components: Of the vectors on a sphere: 3 for S^2.
        n_states: Of labels.
        name: In lists and stores.
        symmetry: For people to read.
        order: Of the transition, for people to read.
        known_transition: A `Known` temperature, if there is one.

    Raises:
        InputError: An energy of another shape, not finite at the start, or that reaches farther
            than ``reach`` (tried at one random configuration before the first sample).

    Example:
        >>> def energy(theta):
        ...     return -(theta - theta.roll(1, -1)).cos() - (theta - theta.roll(1, -2)).cos()
        >>> model = CustomModel(energy, manifold="circle", reach=1)
        >>> from topoml.lattice import simulate
        >>> x = simulate(model, sizes=[3], temperatures=[1.0], samples=2, n_chains=1, seed=0)
        >>> x.configurations(size=3, temperature=1.0).shape
        (1, 2, 3, 3)
    """

    function: Callable[[Any], Any]
    manifold: str
    lattice: str = "square"
    reach: int | None = None
    n_components: int = 3
    n_states: int = 2
    name: str = "custom"
    symmetry: str = field(default="unknown", compare=False)
    order: str = field(default="unknown", compare=False)
    known_transition: Known | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        plain_numbers(self)
        if not callable(self.function):
            raise InputError(
                f"`function` is {self.function!r}; expected a function of configurations that"
                " returns energies. Pass the function itself, not its value."
            )
        if self.manifold not in _MANIFOLDS:
            known = ", ".join(map(repr, _MANIFOLDS))
            raise InputError(f"`manifold` is {self.manifold!r}; expected one of {known}.")
        check_lattice(self.lattice)
        if self.reach is not None:
            check_count("reach", self.reach, 0)
            if self._is_compiled:
                raise InputError(
                    "`reach` is given with a function of numba; expected one of torch, which"
                    " returns the energies of sites. Leave reach out."
                )
        check_count("n_components", self.n_components, 2)
        check_count("n_states", self.n_states, 2)
        if self.known_transition is not None and not isinstance(self.known_transition, Known):
            raise InputError(
                f"`known_transition` is {self.known_transition!r}; expected None or a"
                " topoml.lattice.Known(value, error, source)."
            )

    @property
    def updates(self) -> tuple[str, ...]:
        """The default first."""
        if self.manifold == "discrete" or self._is_compiled:
            return ("metropolis",)
        return ("hmc", "metropolis") if self.reach is None else ("metropolis", "hmc")

    @property
    def components(self) -> tuple[int, ...]:
        """Behind the axes of the lattice: (n_components,) on the sphere, else ()."""
        return (self.n_components,) if self.manifold == "sphere" else ()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of samples: float32; int8 or int32 for labels."""
        if self.manifold == "discrete":
            return np.dtype(np.int8 if self.n_states <= 128 else np.int32)
        return np.dtype(np.float32)

    def energy(self, configurations: Array) -> Array:
        """Total energy, shape (*batch,), of configurations (*batch, *shape, *components).

        Numpy in, numpy out, computed in float64; a torch tensor goes to the function as it is, with
        its gradient. The result has the dtype of floating configurations, and float64 for labels.
        """
        n = n_axes(self.lattice) + len(self.components)
        check_field("configurations", configurations, n_axes=n)
        batch, rest = configurations.shape[:-n], configurations.shape[-n:]
        x: Any = configurations.reshape(-1, *rest)
        values: Any
        if namespace(configurations) is np:
            values = self._energies_of_numpy(x)
        elif self._is_compiled:
            values = require("torch").from_numpy(self._energies_of_numpy(x.detach().cpu().numpy()))
        else:
            values = self._total(x)
        total: Array = cast_like(values.reshape(batch), configurations)
        return total

    def shape(self, size: int) -> tuple[int, ...]:
        """Of the lattice: one axis a dimension; (L, L, 2) on the honeycomb."""
        return shape_of(self.lattice, size)

    def n_sites(self, shape: tuple[int, ...]) -> int:
        """Of the lattice."""
        return math.prod(shape)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """All spins alike: 0, angle 0, the last axis, label 0; float64, or int64 for labels."""
        if self.manifold == "discrete":
            return np.zeros(shape, np.int64)
        out = np.zeros((*shape, *self.components))
        if self.manifold == "sphere":
            out[..., -1] = 1.0
        return out

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent spins, uniform on their manifold; of real ones, normal numbers."""
        if self.manifold == "discrete":
            return rng.integers(0, self.n_states, shape)
        if self.manifold == "circle":
            return rng.uniform(-np.pi, np.pi, shape)
        x = rng.standard_normal((*shape, *self.components))
        if self.manifold == "sphere":
            x /= np.linalg.norm(x, axis=-1, keepdims=True)
        return x

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "metropolis",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape, *components), each after ``rounds`` sweeps or trajectories.

        With them the number of energies of sites that were computed, on small lattices as many as
        would take that time. ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        if update == "hmc":
            hmc = require("topoml.lattice.hmc")
            made: tuple[NDArray[Any], int] = hmc.sample_by_hmc(
                self, spins, temperature, rounds, samples, rng
            )
            return made
        shape = spins.shape[: n_axes(self.lattice)]
        scale = _scale(self, shape, float(temperature))
        order = np.arange(math.prod(shape))
        out = np.empty((samples, *spins.shape), self.dtype)
        for sample in range(samples):
            for _ in range(rounds):
                self._sweep(spins, float(temperature), scale, order, rng)
            out[sample] = spins
        return out, samples * rounds * self._cost(shape)

    def _sweep(
        self,
        spins: NDArray[Any],
        temperature: float,
        scale: float,
        order: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> float:
        """Proposals at the sites of ``order`` (with ``reach``, at all); the share accepted."""
        n = n_axes(self.lattice)
        if self._is_compiled:
            flat = spins.reshape(math.prod(spins.shape[:n]), -1)
            accepted = kernels.sweep(
                self.function, spins, flat, _MANIFOLDS.index(self.manifold), self.n_states,
                temperature, scale, order, rng,
            )  # fmt: skip
            return float(accepted / len(order))
        torch, metropolis = require("torch"), require("topoml.lattice.metropolis")
        x = torch.from_numpy(spins)  # the same memory
        with torch.no_grad():
            new = metropolis.moved(x, scale, self.manifold, self.n_states, rng)
            if self.reach is None:
                accepted = metropolis.sweep_sites(self._total, x, new, n, temperature, order, rng)
                return float(accepted / len(order))
            accepted = metropolis.sweep_sublattices(
                self._of_sites, x, new, self.reach, temperature, rng
            )
            return float(accepted / math.prod(spins.shape[:n]))

    def _cost(self, shape: tuple[int, ...]) -> int:
        """Energies of sites computed in a sweep."""
        n_sites = math.prod(shape)
        at_once = n_sites if self._is_compiled else max(n_sites, _OVERHEAD)
        if self.reach is None:
            return n_sites * at_once
        masks = require("topoml.lattice.metropolis").sublattices(shape, self.reach)
        return 2 * len(masks) * at_once

    @property
    def _is_compiled(self) -> bool:
        return isinstance(self.function, Dispatcher)

    def _energies_of_numpy(self, x: NDArray[Any]) -> NDArray[np.float64]:
        x = np.ascontiguousarray(x, np.int64 if self.manifold == "discrete" else np.float64)
        if self._is_compiled:
            return np.array([self.function(one) for one in x], np.float64)
        torch = require("torch")
        with torch.no_grad():
            out: NDArray[np.float64] = self._total(torch.from_numpy(x)).numpy()
        return out

    def _total(self, x: "torch.Tensor") -> "torch.Tensor":
        """(n, *shape, *components) to (n,)."""
        if self.reach is not None:
            return self._of_sites(x).flatten(1).sum(1)
        return self._checked(x, tuple(x.shape[:1]), "one energy a configuration")

    def _of_sites(self, x: "torch.Tensor") -> "torch.Tensor":
        """(n, *shape, *components) to (n, *shape)."""
        shape = tuple(x.shape[: x.ndim - len(self.components)])
        return self._checked(x, shape, f"one energy a site (reach is {self.reach})")

    def _checked(self, x: "torch.Tensor", shape: tuple[int, ...], what: str) -> "torch.Tensor":
        values: torch.Tensor = self.function(x)
        if getattr(values, "shape", None) != shape:
            found = getattr(values, "shape", None)
            found = type(values).__name__ if found is None else f"shape {tuple(found)}"
            raise InputError(
                f"`function` returns {found} for configurations of shape {tuple(x.shape)};"
                f" expected a torch tensor of shape {shape}, {what}. Sum over the axes of the"
                " lattice only, never over the first."
            )
        return values


@lru_cache(maxsize=1024)
def _scale(model: CustomModel, shape: tuple[int, ...], temperature: float) -> float:
    """Of Metropolis's proposals, half of which are to be accepted; 1 for labels."""
    spins, rng = model.ordered(shape), np.random.default_rng(0)
    value = float(model._energies_of_numpy(spins[None])[0])
    if not math.isfinite(value):
        raise InputError(
            f"`function` is {value} where all spins are alike, and chains start; expected a finite"
            " energy. Choose coordinates in which that state is allowed."
        )
    if model.reach is not None:
        _check_reach(model, shape, rng)
    if model.manifold == "discrete":
        return 1.0
    n_sites = math.prod(shape)

    def acceptance(scale: float) -> float:
        order = rng.permutation(n_sites)[:_PILOT_SITES]
        return model._sweep(spins, temperature, scale, order, rng)

    return tuned_scale(acceptance, target=0.5, most=_MOST[model.manifold])


def _check_reach(model: CustomModel, shape: tuple[int, ...], rng: np.random.Generator) -> None:
    """Change one spin, and see that the energies of sites out of its reach stay.

    They stay within roundings, as an energy may go through Fourier space.
    """
    torch = require("torch")
    window_sums = require("topoml.lattice.metropolis").window_sums
    for _ in range(_TRIALS):
        x, other = model.random_state(shape, rng), model.random_state(shape, rng)
        site = np.unravel_index(int(rng.integers(math.prod(shape))), shape)
        changed, touched = x.copy(), torch.zeros(shape, dtype=torch.float64)
        changed[site] = other[site]
        touched[site] = 1.0
        with torch.no_grad():
            a, b = model._of_sites(torch.from_numpy(np.stack([x, changed])))
        assert model.reach is not None
        far = window_sums(touched, model.reach) == 0
        allowed = torch.isfinite(a) & torch.isfinite(b)  # others say nothing of who depends on whom
        most = torch.where(allowed, a.abs(), 0.0).max()
        moved = allowed & (a != b) & ~((a - b).abs() <= 1e-9 * most) & far
        if bool(moved.any()):
            where = tuple(int(i) for i in moved.nonzero()[0])
            raise InputError(
                f"`reach` is {model.reach}, but the energy of site {where} depends on the spin at"
                f" {tuple(map(int, site))} of a lattice {shape}; expected a reach within which all"
                " of its spins are. Give a larger one, or none with total energies."
            )
