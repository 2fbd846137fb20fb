"""Parallel tempering: replicas of a model that exchange their temperatures."""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from .._core.errors import InputError
from ._arguments import (
    check_integer,
    check_jobs,
    check_samples,
    check_start,
    check_temperatures,
)
from .catalogue import model_key
from .chain import State, step, temperature_key, thermalisation
from .chain import start as begin
from .ensemble import Ensemble
from .model import EffectiveModel, Model, check_update

__all__ = ["Tempered", "exchange", "tempering"]


@dataclass(frozen=True, eq=False)
class Tempered:
    """What `tempering` returns.

    Attributes:
        ensemble: As from `simulate`; the rows of one chain at one temperature come from all of its
            replicas.
        acceptance: (T - 1,), the fraction of exchanges between neighbouring temperatures that were
            made. Where it is below some 0.2 a temperature is missing in between.
        round_trips: From the lowest temperature to the highest and back, over all replicas of all
            chains: 0 means that the exchanges bring nothing.
    """

    ensemble: Ensemble
    acceptance: NDArray[np.float64]
    round_trips: int


def tempering(
    model: Model,
    *,
    size: int,
    temperatures: Iterable[float],
    samples: int,
    seed: int,
    discard: int,
    n_chains: int = 8,
    update: str | None = None,
    start: str = "random",
    n_jobs: int | None = None,
) -> Tempered:
    r"""Sample ``model`` at several temperatures at once, between which replicas move.

    In each chain there is a replica for each temperature. A step updates every one of them and
    offers an exchange to the neighbours (0, 1), (2, 3), ... or (1, 2), (3, 4), ... in turn, which
    is made with probability

    .. math:: \min(1, \exp[(1 / T_i - 1 / T_j)(E_i - E_j)]).

    So the joint distribution of all replicas stays the product of their Boltzmann distributions,
    and low temperatures are reached through high ones. The result depends on the arguments alone,
    not on ``n_jobs``.

    Args:
        model: Any `Model`.
        size: Side L of the lattice.
        temperatures: At least two, distinct, positive; in any order.
        samples: Configurations for each temperature, over all chains; a multiple of ``n_chains``.
        seed: Non-negative integer.
        discard: Steps before the first sample, after those that choose the numbers of rounds.
        n_chains: Independent sets of replicas.
        update: One of ``model.updates``; the first, if left out.
        start: "random" or "ordered", of every replica.
        n_jobs: Threads; None is one a core.

    Raises:
        InputError: An argument out of range, or a model whose energy depends on the temperature
            (`Villain`).

    Source: Hukushima & Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996), eqs. (4) and (5).

    Example:
        >>> from topoml.lattice import PlusMinusJ
        >>> t = tempering(
        ...     PlusMinusJ(), size=4, temperatures=[0.5, 1.0], samples=8, seed=0, discard=10
        ... )
        >>> t.ensemble.configurations(size=4, temperature=0.5).shape, t.acceptance.shape
        ((8, 1, 4, 4), (1,))
    """
    if isinstance(model, EffectiveModel):
        raise InputError(
            f"`model` is {model!r}, whose energy depends on the temperature; expected one whose "
            "replicas can be exchanged by it. Use simulate."
        )
    ts = sorted(check_temperatures(temperatures))
    if len(ts) < 2:
        raise InputError(f"`temperatures` is {ts}; expected at least two, to exchange between.")
    size, per_chain = check_integer("size", size, 1), check_samples(samples, n_chains)
    seed, discard = check_integer("seed", seed, 0), check_integer("discard", discard, 0)
    n_jobs = check_jobs(n_jobs)
    update = model.updates[0] if update is None else update
    check_update(update, model.updates)
    check_start(start)
    shape = model.shape(size)
    data = {t: np.empty((n_chains, per_chain, *shape, *model.components), model.dtype) for t in ts}
    stop = threading.Event()

    def work(chain: int) -> _Ladder:
        key = (*model_key(model), size, *(word for t in ts for word in temperature_key(t)), chain)
        children = np.random.SeedSequence(seed, spawn_key=key).spawn(len(ts) + 1)
        exchanges, *streams = map(np.random.default_rng, children)
        states = [
            _warm(model, shape, t, update, start == "random", rng)
            for t, rng in zip(ts, streams, strict=True)
        ]
        ladder = _Ladder.of(states)
        for i in range(discard + per_chain):
            configurations = ladder.step(streams, exchanges, i)
            if stop.is_set():
                return ladder
            if i >= discard:
                for t, x in zip(ts, configurations, strict=True):
                    data[t][chain, i - discard] = x
        return ladder

    with ThreadPoolExecutor(n_jobs, thread_name_prefix="topoml-tempering") as pool:
        try:
            ladders = list(pool.map(work, range(n_chains)))
        finally:
            stop.set()
    rounds = {t: tuple(ladder.states[i].rounds for ladder in ladders) for i, t in enumerate(ts)}
    ensemble = Ensemble(
        {size: data}, model.manifold, model=model, seed=seed, thinning={size: rounds},
        version=__version__,
    )  # fmt: skip
    made, offered = (
        np.sum([getattr(ladder, name) for ladder in ladders], 0) for name in ("made", "offered")
    )
    with np.errstate(invalid="ignore"):
        return Tempered(ensemble, made / offered, sum(ladder.round_trips for ladder in ladders))


def exchange(
    energies: Sequence[float], temperatures: Sequence[float], first: int, rng: np.random.Generator
) -> list[int]:
    """Which replica each temperature has after exchanges between first and first + 1, and so on."""
    order = list(range(len(energies)))
    for i in range(first, len(order) - 1, 2):
        gain = (1 / temperatures[i] - 1 / temperatures[i + 1]) * (energies[i] - energies[i + 1])
        if gain >= 0 or rng.random() < np.exp(gain):
            order[i], order[i + 1] = i + 1, i
    return order


@dataclass(eq=False)
class _Ladder:
    """The replicas of one chain, by temperature, and how they moved."""

    states: list[State]
    replica: list[int]  # number of the replica at each temperature
    seen_top: set[int]  # replicas that came from the lowest temperature to the highest
    made: NDArray[np.int64]
    offered: NDArray[np.int64]
    round_trips: int = 0

    @classmethod
    def of(cls, states: list[State]) -> "_Ladder":
        n = len(states)
        return cls(states, list(range(n)), set(), np.zeros(n - 1, int), np.zeros(n - 1, int))

    def step(
        self, streams: list[np.random.Generator], exchanges: np.random.Generator, number: int
    ) -> list[NDArray[Any]]:
        """Update all replicas, exchange some; the configurations by temperature."""
        configurations: list[NDArray[Any]] = []
        for i, rng in enumerate(streams):
            self.states[i], info = step(self.states[i], rng)
            configurations.append(info.configuration)
        energies = [
            float(s.model.energy(x)) for s, x in zip(self.states, configurations, strict=True)
        ]
        order = exchange(energies, [s.temperature for s in self.states], number % 2, exchanges)
        for i in range(number % 2, len(order) - 1, 2):
            self.offered[i] += 1
            self.made[i] += order[i] != i
        spins = [self.states[i].spins for i in order]
        self.states = [replace(s, spins=x) for s, x in zip(self.states, spins, strict=True)]
        self.replica = [self.replica[i] for i in order]
        self.seen_top.add(self.replica[-1])
        if self.replica[0] in self.seen_top:
            self.round_trips += 1
            self.seen_top.discard(self.replica[0])
        return [configurations[i] for i in order]


def _warm(
    model: Model, shape: tuple[int, ...], temperature: float, update: str, random: bool,
    rng: np.random.Generator,
) -> State:  # fmt: skip
    state = begin(model, shape, temperature, update=update, rng=rng if random else None)
    for warmer in thermalisation(state, rng, 0):
        state = warmer
    return state
