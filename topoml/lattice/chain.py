"""A Markov chain of configurations: its state, its step, its thermalisation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .catalogue import model_key
from .model import Model, check_update

__all__ = [
    "Info",
    "State",
    "blocks",
    "start",
    "step",
    "stream",
    "temperature_key",
    "thermalisation",
]

_WORK = 1_000_000  # spins visited in one call of a kernel: some 50 ms, then Ctrl-C is heard


@dataclass(frozen=True, eq=False)
class State:
    """All that is needed, besides the random generator, to go on with a chain.

    ``spins`` is the model's working array (Ising: int8 (L0, L1); XY: unit vectors (L0, L1, 2)),
    ``update`` one of ``model.updates`` and ``rounds`` the number of its rounds between two samples:
    clusters of Wolff's algorithm, sweeps of others. It is fixed beforehand: to end a sample after
    some number of flipped spins would bias it, since the stopping time knows the clusters.
    """

    model: Model
    temperature: float
    spins: NDArray[Any]
    n_spins: int
    update: str
    rounds: int = 1


class Info(NamedTuple):
    """What a step did: the configuration reached and the number of spins flipped or visited."""

    configuration: NDArray[Any]
    flipped: int


def stream(
    seed: int, model: Model, *, size: int, temperature: float, chain: int, unit: int
) -> np.random.Generator:
    """The generator of one unit of a chain, keyed by what it simulates and by no running number.

    So a chain has the same bits whichever other models, sizes and temperatures run beside it. The
    key takes the model by its name and parameters (`model_key`), and neither the update nor the
    start: to compare two of these, take two seeds. Unit 0 has the thermalisation, too.
    """
    key = (*model_key(model), size, *temperature_key(temperature), chain, unit)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def temperature_key(temperature: float) -> tuple[int, int]:
    """The 64 bits of a float as two words, the upper one first."""
    bits = int(np.float64(temperature).view(np.uint64))
    return bits >> 32, bits & 0xFFFFFFFF


def start(
    model: Model,
    shape: tuple[int, ...],
    temperature: float,
    *,
    update: str | None = None,
    rng: np.random.Generator | None = None,
) -> State:
    """The ordered state of ``model`` with one round a step; a random one if ``rng`` is given.

    Args:
        model: Any `Model`.
        shape: As ``model.shape`` has it, with any sides.
        temperature: In the unit of the couplings, k_B = 1.
        update: One of ``model.updates``; the first if left out.
        rng: Draws the random start.
    """
    update = model.updates[0] if update is None else update
    check_update(update, model.updates)
    spins = model.ordered(shape) if rng is None else model.random_state(shape, rng)
    return State(model, temperature, spins, math.prod(shape), update)


def _advance(
    state: State, samples: int, rng: np.random.Generator
) -> tuple[State, NDArray[Any], int]:
    spins = state.spins.copy()
    out, flipped = state.model.sample(
        spins, state.temperature, state.rounds, samples, rng, state.update
    )
    return replace(state, spins=spins), out, flipped


def step(state: State, rng: np.random.Generator) -> tuple[State, Info]:
    """From one sample to the next by a fixed amount of work; ``state`` itself is left as it was."""
    state, configurations, flipped = _advance(state, 1, rng)
    return state, Info(configurations[0], flipped)


def blocks(
    state: State, samples: int, rng: np.random.Generator
) -> Iterator[tuple[State, NDArray[Any]]]:
    """The same as ``samples`` steps, bit for bit, several steps to a call of the kernel.

    Yields (state, configurations (n, *shape)) after each block; a block is over in a fraction of
    a second while the lattice has fewer than some 10^6 spins.
    """
    n = 1
    while samples > 0:
        n = min(n, samples)
        state, configurations, flipped = _advance(state, n, rng)
        yield state, configurations
        samples -= n
        n = max(1, min(2 * n, _WORK * n // (flipped + n * state.n_spins)))


def thermalisation(state: State, rng: np.random.Generator, steps: int) -> Iterator[State]:
    """Choose the number of rounds a step and forget the start; the last state is ready to use.

    1. From one round a step, 2 log2(N) + 8 steps whose number of rounds follows N / (mean cluster
       size of the step before), at most doubling, so that no step runs away.
    2. 32 steps at the number reached: ``rounds`` becomes N / (mean cluster size over them),
       rounded up, so that a step flips about every spin once; at most N. Sweeps stay at one.
    3. ``steps`` steps with this number, which never changes again.
    """
    for _ in range(2 * state.n_spins.bit_length() + 8):
        state, info = step(state, rng)
        wanted = math.ceil(state.n_spins * state.rounds / info.flipped)
        state = replace(state, rounds=min(wanted, 2 * state.rounds))
        yield state
    flipped = 0
    for _ in range(32):
        state, info = step(state, rng)
        flipped += info.flipped
        yield state
    state = replace(state, rounds=math.ceil(state.n_spins * 32 * state.rounds / flipped))
    for _ in range(steps):
        state, _ = step(state, rng)
        yield state
