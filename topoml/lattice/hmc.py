"""Hybrid Monte Carlo of any action that torch can differentiate."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._core.checks import check_count, check_positive, number
from .._core.errors import InputError
from ..kernels.angles import cosine_and_sinc, dot
from ..lie import SU, Sphere
from .model import Model
from .tuning import tuned_scale

__all__ = [
    "LEAPFROG",
    "OMELYAN",
    "Action",
    "HMCInfo",
    "HMCState",
    "Integrator",
    "hmc_start",
    "hmc_step",
    "hmc_tuned",
    "sample_by_hmc",
    "trajectory",
]

Action = Callable[[Tensor], Tensor]

_JITTER = 0.2  # of models: no mode of a free field turns by a multiple of pi every time
_N_STEPS = 5  # of models, of Omelyan's integrator
_OVERHEAD = (
    4096  # visits of spins in a compiled kernel that take as long as a small lattice's force
)
_LEAVES, _TRIALS = 0.2, 8  # acceptance of so many trajectories from an ordered or a random start
_SMALLEST = 1e-6  # of the step size found without a look at the starts
_MOST = 1.0  # of models: step sizes in radians on compact manifolds


class Integrator(NamedTuple):
    """One step as kicks with a drift between each two, as parts of the step size.

    Exactly area-preserving whatever the numbers; reversible where both lists read the same
    backwards.
    """

    kicks: tuple[float, ...]
    drifts: tuple[float, ...]


_LAMBDA = 0.1931833275037836
LEAPFROG = Integrator(kicks=(0.5, 0.5), drifts=(1.0,))
"""One force a step; the error of H falls as eps^2."""
OMELYAN = Integrator(kicks=(_LAMBDA, 1.0 - 2.0 * _LAMBDA, _LAMBDA), drifts=(0.5, 0.5))
"""Two forces a step, errors of H a tenth of the leapfrog's or less at the same eps.

Source: Omelyan, Mryglod and Folk, Comput. Phys. Commun. 151, 272 (2003); Takaishi and de Forcrand,
Phys. Rev. E 73, 036706 (2006), hep-lat/0505020."""


class HMCInfo(NamedTuple):
    """Of each chain: whether its proposal was accepted, bool, and the change of H on the way."""

    accepted: Tensor
    delta_h: Tensor


@dataclass(frozen=True, eq=False)
class HMCState:
    """Chains, and how they go on; made by `hmc_start`. All but ``field`` is fixed.

    Attributes:
        action: Fields (chains, ...) to numbers (chains,); the weight is exp(-action).
        field: (chains, ...), see `hmc_start`.
        manifold: Where the variables live.
        step_size: eps of the integrator.
        n_steps: Its number of steps, of one trajectory.
        integrator: `LEAPFROG`, `OMELYAN`, or another.
        jitter: eps is drawn anew for each chain and trajectory, uniform within this part of it.
    """

    action: Action
    field: Tensor
    manifold: str
    step_size: float
    n_steps: int
    integrator: Integrator = LEAPFROG
    jitter: float = 0.0


def hmc_start(
    action: Action,
    field: Tensor,
    *,
    manifold: str,
    step_size: float,
    n_steps: int = 10,
    integrator: Integrator = LEAPFROG,
    jitter: float = 0.0,
) -> HMCState:
    r"""Chains of hybrid Monte Carlo for the weight :math:`e^{-S}` against the invariant measure.

    Args:
        action: S, from torch and differentiable almost everywhere: a batch of fields (chains, ...)
            to (chains,). Any batch size will be asked for. A step of S (or +inf) costs acceptance
            and is no error. A temperature is the caller's: S = H / T.
        field: Where the chains start, float64 for exactness; any device.
        manifold: Of the variables: "real" (chains, ...); "circle" or "U(1) links", angles
            (chains, ...) in radians; "sphere", unit vectors (chains, ..., n); "SU(2) links",
            "SU(3) links", ..., complex matrices (chains, ..., N, N).
        step_size: eps, in the unit of the field (radians), for momenta of unit variance; see
            `hmc_tuned`. On SU(N) an angle of unit quaternions, |v| of `topoml.lie.SU`.
        n_steps: Of one trajectory, at least 1.
        integrator: `LEAPFROG` or `OMELYAN`.
        jitter: In [0, 1). Above 0 no mode of a (nearly) free field comes back to where it was at
            each trajectory's end, which would make the chain non-ergodic.

    Raises:
        InputError: Fields off the manifold, an action that is not finite at ``field``, of another
            shape, or without a derivative.

    Example:
        >>> import torch
        >>> def gaussian(x):
        ...     return x.square().sum(-1) / 2
        >>> state = hmc_start(gaussian, torch.zeros(3, 5), manifold="real", step_size=0.3)
        >>> state, info = hmc_step(state, torch.Generator().manual_seed(0))
        >>> state.field.shape, info.accepted.shape
        (torch.Size([3, 5]), torch.Size([3]))
    """
    check_positive("step_size", step_size)
    check_count("n_steps", n_steps)
    if not 0 <= number(jitter) < 1:
        raise InputError(f"`jitter` is {jitter!r}; expected a number in [0, 1). Try 0.2.")
    if not isinstance(field, Tensor):
        raise InputError(
            f"`field` is of type {type(field).__name__}; expected a torch tensor (chains, ...)."
            " Convert it: torch.as_tensor(...)."
        )
    flow = _flow(manifold, field)
    flow.check(field)
    state = HMCState(
        action, field.detach(), manifold, float(step_size), n_steps, integrator, float(jitter)
    )
    _check_action(action, state.field)
    return state


def hmc_step(state: HMCState, generator: torch.Generator) -> tuple[HMCState, HMCInfo]:
    r"""One trajectory of each chain and its acceptance, with :math:`\min(1, e^{-\Delta H})`.

    Draws momenta, follows Hamilton's equations for ``n_steps`` steps, and keeps the end or goes
    back. Exact for the invariant measure whatever the step size; in equilibrium
    :math:`\langle e^{-\Delta H} \rangle = 1`. A trajectory that ends in NaN is not accepted. The
    same generator state gives the same bits, on a machine with as many threads of torch.

    Args:
        state: From `hmc_start`; left as it was.
        generator: On the device of the field.

    Source: Duane, Kennedy, Pendleton and Roweth, Phys. Lett. B 195, 216 (1987); Creutz, Phys. Rev.
        D 38, 1228 (1988), for the mean of exp(-dH); on spheres Byrne and Girolami, Scand. J. Stat.
        40, 825 (2013), arXiv:1301.6064.
    """
    x = state.field
    if generator.device.type != x.device.type:
        raise InputError(
            f"`generator` is on {generator.device}; expected {x.device}, the field's device."
            f" Cure: torch.Generator({str(x.device)!r})."
        )
    real = x.real.dtype
    size = _flow(state.manifold, x).noise_shape(x)
    noise = torch.randn(size, generator=generator, dtype=real, device=x.device)
    uniform = torch.rand((2, len(x)), generator=generator, dtype=real, device=x.device)
    return _step(state, noise, uniform)


def hmc_tuned(
    state: HMCState, generator: torch.Generator, *, acceptance: float = 0.8, most: float = math.inf
) -> HMCState:
    """The state after 120 trajectories in which ``step_size`` was brought to an acceptance.

    For the thermalisation: afterwards the step size stays, as it must (`tuning.tuned_scale`). The
    number of steps is left alone, so that the length of a trajectory follows the stiffness of the
    action.

    Args:
        state: From `hmc_start`.
        generator: On the device of the field.
        acceptance: The mean of min(1, exp(-dH)) wanted, in (0, 1).
        most: Upper limit of the step size.

    Source: the optimum of second-order integrators in large volumes, 0.651, is broad (Beskos et
        al., Bernoulli 19, 1501 (2013), arXiv:1001.4460); 0.8 keeps clear of the side where chains
        get stuck.
    """
    if not 0 < number(acceptance) < 1:
        raise InputError(
            f"`acceptance` is {acceptance!r}; expected a number between 0 and 1. Try 0.8."
        )

    def run(scale: float) -> float:
        nonlocal state
        state, info = hmc_step(replace(state, step_size=scale), generator)
        return _mean_acceptance(info.delta_h)

    return replace(state, step_size=tuned_scale(run, target=acceptance, most=most))


def trajectory(
    state: HMCState, momentum: Tensor, step_size: Tensor | float | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Follow Hamilton's equations from ``state.field``: the end, its momentum, and dH.

    Momenta: of the field's shape; tangent vectors on spheres; coordinates v (chains, ..., N^2 - 1)
    on SU(N), :math:`\dot U = U\,\mathrm{hat}(v)`. The kinetic energy is half their square. With
    the end's momentum turned around it leads back.

    Args:
        state: Of `hmc_start`.
        momentum: See above.
        step_size: In place of the state's, a number or one a chain, (chains, 1, ..., 1).
    """
    flow = _flow(state.manifold, state.field)
    eps = state.step_size if step_size is None else step_size
    kicks, drifts = state.integrator
    x, p = state.field, momentum
    before, force = _action_and_force(state.action, flow, x)
    kinetic = _kinetic(p)
    after = before
    for step in range(state.n_steps):
        for i, (kick, drift) in enumerate(zip(kicks, drifts, strict=False)):
            # the last kick of a step and the first of the next are one
            total = kick + (kicks[-1] if i == 0 and step > 0 else 0.0)
            x, p = flow.drift(x, p + total * eps * force, drift * eps)
            after, force = _action_and_force(state.action, flow, x)
    p = p + kicks[-1] * eps * force
    return x, p, (after - before) + (_kinetic(p) - kinetic)


def sample_by_hmc(
    model: Model,
    spins: NDArray[Any],
    temperature: float,
    rounds: int,
    samples: int,
    rng: np.random.Generator,
) -> tuple[NDArray[Any], int]:
    """What ``Model.sample`` is to return, by HMC of ``model.energy(...) / temperature``.

    For models whose working array is a configuration, in float64 or complex128. The step size
    belongs to (model, shape, temperature): a pilot chain with a seed of its own finds it, once a
    process, smaller where trajectories from an ordered or a random start would be rejected; so it
    is the same for every chain, for every resumption and whatever the order.

    Args:
        model: Hashable, ``model.energy`` works on torch; ``model.manifold`` as in `hmc_start`.
        spins: (*shape, *components), changed in place.
        temperature: T > 0.
        rounds: Trajectories before each sample.
        samples: How many.
        rng: Momenta and acceptances.

    Returns:
        Configurations (samples, *spins.shape) of ``model.dtype``, and the number of spins visited:
        one for each spin and force, on small lattices as many as would take that time.
    """
    n_axes = spins.ndim - len(model.components)
    eps = _step_size(model, spins.shape[:n_axes], float(temperature))  # type: ignore[arg-type]
    state = _of_model(model, spins, temperature, eps)
    out = np.empty((samples, *spins.shape), model.dtype)
    for sample in range(samples):
        for _ in range(rounds):
            state, _ = _step_by_numpy(state, rng)
        out[sample] = state.field[0].numpy()
    spins[...] = state.field[0].numpy()
    n_forces = len(OMELYAN.drifts) * _N_STEPS
    return out, samples * rounds * n_forces * max(_OVERHEAD, math.prod(spins.shape[:n_axes]))


@lru_cache(maxsize=1024)
def _step_size(model: Model, shape: tuple[int, ...], temperature: float) -> float:
    rng = np.random.default_rng(0)
    state = _of_model(model, model.ordered(shape), temperature, 1.0)
    _check_action(state.action, state.field, name="energy")

    def run(scale: float) -> float:
        nonlocal state
        state, info = _step_by_numpy(replace(state, step_size=scale), rng)
        return _mean_acceptance(info.delta_h)

    scale = tuned_scale(run, target=0.8, most=math.inf if model.manifold == "real" else _MOST)
    random = model.random_state(shape, rng)
    starts = [model.ordered(shape)]
    if math.isfinite(float(model.energy(random[None])[0])):  # or no chain could start there
        starts.append(random)
    least = _SMALLEST * scale
    while min(_leaving(model, x, temperature, scale, rng) for x in starts) < _LEAVES:
        scale = float(f"{0.8 * scale:.2g}")
        if scale < least:
            raise InputError(
                f"`temperature` is {temperature}, at which trajectories of {model.name} are"
                f" rejected down to steps of {scale}; expected forces that are the derivative of"
                " the energy where chains start. Use another update or start."
            )
    return scale


def _leaving(
    model: Model, spins: NDArray[Any], temperature: float, eps: float, rng: np.random.Generator
) -> float:
    """Share of trajectories from one state that are accepted."""
    state = _of_model(model, spins, temperature, eps)
    many = state.field.expand(_TRIALS, *state.field.shape[1:]).clone()
    return _mean_acceptance(_step_by_numpy(replace(state, field=many), rng)[1].delta_h)


def _of_model(model: Model, spins: NDArray[Any], temperature: float, eps: float) -> HMCState:
    def action(x: Tensor) -> Tensor:
        return model.energy(x) / temperature

    field = torch.from_numpy(spins[None].copy())
    return HMCState(action, field, model.manifold, eps, _N_STEPS, OMELYAN, _JITTER)


def _step_by_numpy(state: HMCState, rng: np.random.Generator) -> tuple[HMCState, HMCInfo]:
    size = _flow(state.manifold, state.field).noise_shape(state.field)
    noise = torch.from_numpy(rng.standard_normal(size))
    return _step(state, noise, torch.from_numpy(rng.random((2, len(state.field)))))


def _step(state: HMCState, noise: Tensor, uniform: Tensor) -> tuple[HMCState, HMCInfo]:
    """With normal numbers for the momenta, and (2, chains) of [0, 1) for eps and acceptance."""
    x = state.field
    flow = _flow(state.manifold, x)
    momentum = flow.momentum(noise, x)
    eps = state.step_size * (1 + state.jitter * (2 * uniform[0] - 1))
    end, _, delta_h = trajectory(state, momentum, _a_chain(eps, momentum))
    accepted = uniform[1] < torch.exp(-delta_h)  # false for NaN
    chosen = _a_chain(accepted, x)
    end = flow.restored(torch.where(chosen, end, x))  # no NaN reaches it
    field = torch.where(chosen, end, x)
    return replace(state, field=field), HMCInfo(accepted, delta_h)


def _mean_acceptance(delta_h: Tensor) -> float:
    """NaN counts as an infinite dH."""
    return float(torch.exp(-delta_h).nan_to_num(nan=0.0).clamp(max=1.0).mean())


def _a_chain(of_chain: Tensor, x: Tensor) -> Tensor:
    """(chains,) made to broadcast against (chains, ...)."""
    return of_chain.reshape(-1, *(1,) * (x.ndim - 1))


def _kinetic(p: Tensor) -> Tensor:
    return p.square().flatten(1).sum(1) / 2


def _action_and_force(action: Action, flow: "_Flow", x: Tensor) -> tuple[Tensor, Tensor]:
    """S (chains,) and -dS in the coordinates of the momenta."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        S = action(x)
        (gradient,) = torch.autograd.grad(S.sum(), x)
    return S.detach(), flow.force(x.detach(), gradient)


def _check_action(action: Action, field: Tensor, name: str = "action") -> None:
    with torch.enable_grad():
        x = field.detach().requires_grad_()
        S = action(x)
        if not isinstance(S, Tensor) or S.shape != x.shape[:1]:
            what = f"shape {tuple(S.shape)}" if isinstance(S, Tensor) else f"type {type(S)}"
            raise InputError(
                f"`{name}` returns {what} for a batch of {tuple(x.shape)}; expected a tensor"
                f" ({len(x)},), one number a field. Sum over all axes but the first."
            )
        gradient = (
            torch.autograd.grad(S.sum(), x, allow_unused=True)[0] if S.requires_grad else None
        )
    if gradient is None:
        raise InputError(
            f"`{name}` returns a tensor without a derivative; expected one that torch can"
            " differentiate by the field. Compute it from the field, outside of no_grad and detach."
        )
    if not bool(torch.isfinite(S.detach()).all()):
        raise InputError(
            f"`{name}` is {S.detach()[~torch.isfinite(S.detach())][0].item()} where a chain starts;"
            " expected finite numbers. Start elsewhere."
        )


class _Flow(Protocol):
    """What the integrator must know of a manifold."""

    def check(self, x: Tensor) -> None: ...
    def noise_shape(self, x: Tensor) -> torch.Size: ...
    def momentum(self, noise: Tensor, x: Tensor) -> Tensor: ...
    def force(self, x: Tensor, gradient: Tensor) -> Tensor: ...
    def drift(self, x: Tensor, p: Tensor, time: Tensor | float) -> tuple[Tensor, Tensor]: ...
    def restored(self, x: Tensor) -> Tensor:
        """Without the roundings that lead off the manifold."""
        ...


@dataclass(frozen=True)
class _Flat:
    turn: float | None = None  # of angles

    def check(self, x: Tensor) -> None:
        if x.ndim < 1 or not x.is_floating_point() or not bool(torch.isfinite(x).all()):
            raise InputError(
                f"`field` is {_described(x)}; expected finite floats (chains, ...). Convert it:"
                " field.double()."
            )

    def noise_shape(self, x: Tensor) -> torch.Size:
        return x.shape

    def momentum(self, noise: Tensor, x: Tensor) -> Tensor:
        return noise

    def force(self, x: Tensor, gradient: Tensor) -> Tensor:
        return -gradient

    def drift(self, x: Tensor, p: Tensor, time: Tensor | float) -> tuple[Tensor, Tensor]:
        return x + time * p, p

    def restored(self, x: Tensor) -> Tensor:
        return x if self.turn is None else x - self.turn * torch.round(x / self.turn)


class _OnSphere:
    def check(self, x: Tensor) -> None:
        if x.ndim < 2 or x.shape[-1] < 2:
            raise InputError(
                f"`field` is {_described(x)}; expected unit vectors (chains, ..., n), n >= 2."
            )
        Sphere(x.shape[-1] - 1).check("field", x)

    def noise_shape(self, x: Tensor) -> torch.Size:
        return x.shape

    def momentum(self, noise: Tensor, x: Tensor) -> Tensor:
        return noise - dot(noise, x) * x

    def force(self, x: Tensor, gradient: Tensor) -> Tensor:
        return dot(gradient, x) * x - gradient

    def drift(self, x: Tensor, p: Tensor, time: Tensor | float) -> tuple[Tensor, Tensor]:
        v = time * p
        cosine, sinc = cosine_and_sinc(dot(v, v))
        return cosine * x + sinc * v, cosine * p - dot(p, v) * sinc * x

    def restored(self, x: Tensor) -> Tensor:
        length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x / length


@dataclass(frozen=True)
class _OnGroup:
    group: SU

    def check(self, x: Tensor) -> None:
        if x.ndim < 3:
            raise InputError(f"`field` is {_described(x)}; expected (chains, ..., N, N).")
        self.group.check("field", x)

    def noise_shape(self, x: Tensor) -> torch.Size:
        return torch.Size((*x.shape[:-2], self.group.dim))

    def momentum(self, noise: Tensor, x: Tensor) -> Tensor:
        return noise

    def force(self, x: Tensor, gradient: Tensor) -> Tensor:
        # dS = Re tr(G^+ U hat(dv)), and vee halves the trace
        return -2 * self.group.vee(x.mH @ gradient)

    def drift(self, x: Tensor, p: Tensor, time: Tensor | float) -> tuple[Tensor, Tensor]:
        return x @ self.group.exp(self.group.hat(time * p)), p

    def restored(self, x: Tensor) -> Tensor:
        return self.group.project(x)


def _flow(manifold: str, field: Tensor) -> _Flow:
    if manifold == "real":
        return _Flat()
    if manifold in ("circle", "U(1) links"):
        return _Flat(2 * math.pi)
    if manifold == "sphere":
        return _OnSphere()
    if manifold.startswith("SU(") and manifold.endswith(") links"):
        n = manifold[3 : -len(") links")]
        if n.isdecimal() and int(n) >= 2:
            return _OnGroup(SU(int(n)))
    raise InputError(
        f"`manifold` is {manifold!r}; expected 'real', 'circle', 'sphere', 'U(1) links' or"
        " 'SU(N) links'."
    )


def _described(x: Tensor) -> str:
    return f"{x.dtype} of shape {tuple(x.shape)}"
