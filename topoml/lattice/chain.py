"""A Markov chain of configurations: its state, its step, its thermalisation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .model import Model

__all__ = ["Info", "State", "blocks", "start", "step", "thermalisation"]

_WORK = 1_000_000  # spins visited in one call of a kernel: some 50 ms, then Ctrl-C is heard


@dataclass(frozen=True, eq=False)
class State:
    """All that is needed, besides the random generator, to go on with a chain.

    ``spins`` is the model's working array (Ising: int8 (L0, L1); XY: unit vectors (L0, L1, 2)) and
    ``clusters`` the number of Wolff clusters between two samples. It is fixed beforehand: to end
    a sample after some number of flipped spins would bias it, since the stopping time knows the
    clusters.
    """

    model: Model
    temperature: float
    spins: NDArray[Any]
    clusters: int = 1


class Info(NamedTuple):
    """What a step did: the configuration reached, (L0, L1), and the number of flipped spins."""

    configuration: NDArray[Any]
    flipped: int


def start(model: Model, shape: tuple[int, int], temperature: float) -> State:
    """The ordered state of ``model`` with one cluster a step."""
    return State(model, temperature, model.ordered(shape))


def _advance(
    state: State, samples: int, rng: np.random.Generator
) -> tuple[State, NDArray[Any], int]:
    spins = state.spins.copy()
    out, flipped = state.model.sample(spins, state.temperature, state.clusters, samples, rng)
    return replace(state, spins=spins), out, flipped


def step(state: State, rng: np.random.Generator) -> tuple[State, Info]:
    """From one sample to the next by a fixed amount of work; ``state`` itself is left as it was."""
    state, configurations, flipped = _advance(state, 1, rng)
    return state, Info(configurations[0], flipped)


def blocks(
    state: State, samples: int, rng: np.random.Generator
) -> Iterator[tuple[State, NDArray[Any]]]:
    """The same as ``samples`` steps, bit for bit, several steps to a call of the kernel.

    Yields (state, configurations (n, L0, L1)) after each block; a block is over in a fraction of
    a second while the lattice has fewer than some 10^6 sites.
    """
    n_sites = state.spins.shape[0] * state.spins.shape[1]
    n = 1
    while samples > 0:
        n = min(n, samples)
        state, configurations, flipped = _advance(state, n, rng)
        yield state, configurations
        samples -= n
        n = max(1, min(2 * n, _WORK * n // (flipped + n * n_sites)))


def thermalisation(state: State, rng: np.random.Generator, steps: int) -> Iterator[State]:
    """Choose the number of clusters a step and forget the start; the last state is ready to use.

    1. From one cluster a step, 2 log2(N) + 8 steps whose number of clusters follows N / (mean
       cluster size of the step before), at most doubling, so that no step runs away.
    2. 32 steps at the number reached: ``clusters`` becomes N / (mean cluster size over them),
       rounded up, so that a step flips about every spin once; at most N.
    3. ``steps`` steps with this number, which never changes again.
    """
    n_sites = state.spins.shape[0] * state.spins.shape[1]
    for _ in range(2 * n_sites.bit_length() + 8):
        state, info = step(state, rng)
        wanted = math.ceil(n_sites * state.clusters / info.flipped)
        state = replace(state, clusters=min(wanted, 2 * state.clusters))
        yield state
    flipped = 0
    for _ in range(32):
        state, info = step(state, rng)
        flipped += info.flipped
        yield state
    state = replace(state, clusters=math.ceil(n_sites * 32 * state.clusters / flipped))
    for _ in range(steps):
        state, _ = step(state, rng)
        yield state
