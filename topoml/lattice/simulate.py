"""Independent Markov chains of a model, over sizes and temperatures."""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .. import __version__
from .._core.checks import check_path
from .._core.errors import InputError
from ._arguments import (
    check_integer,
    check_jobs,
    check_samples,
    check_sizes,
    check_start,
    check_temperatures,
)
from .chain import blocks, stream, thermalisation
from .chain import start as begin
from .ensemble import Ensemble
from .fill import fill
from .model import Model, check_update
from .store import described, samples_per_unit

__all__ = ["check_simulation", "simulate"]

_THERMALISATION = 100  # steps, each flipping about every spin once


class _Chain(NamedTuple):
    size: int
    temperature: float
    chain: int


class _StoppedError(Exception):
    """Another chain failed, or the user pressed Ctrl-C."""


def simulate(
    model: Model,
    *,
    sizes: Iterable[int],
    temperatures: Iterable[float],
    samples: int,
    seed: int,
    n_chains: int = 8,
    update: str | None = None,
    start: str = "ordered",
    n_jobs: int | None = None,
    progress: bool = False,
    store: str | os.PathLike[str] | None = None,
    scheduler: str | None = None,
) -> Ensemble:
    """Sample ``model`` on lattices of sides L by one of its updates.

    Every chain starts from the ordered state, tunes its number of rounds a sample while it
    thermalises (`chain.thermalisation`, then 100 steps) and keeps it from there on. The result
    depends on the arguments alone: neither on ``n_jobs`` nor on which other sizes and
    temperatures are asked for in the same call. Random numbers come from streams with a key of
    their own for each (seed, model with its parameters, L, T, chain, unit of some 4 MB).

    Chains of one (L, T) are independent, so that the scatter of their means gives an error that
    needs no autocorrelation time. Ctrl-C stops within a fraction of a second up to L = 1000.

    With ``store`` the same bits go to a folder instead of memory, in units of some 4 MB. The same
    call again goes on where a run was stopped, also by kill -9, and does nothing to a finished
    one. The ensemble that comes back is read when asked for; see `Ensemble.open`, `open_units`
    and `verify`.

    Args:
        model: `Ising`, `XY`, ..., or anything with the methods of `Model`.
        sizes: Sides L, integers from 1 to 32767.
        temperatures: In units of J (k_B = 1), positive.
        samples: Configurations for each (L, T), over all chains; a multiple of ``n_chains``.
        seed: Non-negative integer.
        n_chains: Independent chains for each (L, T).
        update: One of ``model.updates``; the first, if left out.
        start: "ordered", or "random", which draws each chain's first state from its own stream.
            Where the two disagree the chains are too short, or the transition is of first order.
        n_jobs: Threads, or processes with a store; None is one a core. More of them change the
            time only.
        progress: A bar on stderr, with the time left, while stderr is a terminal.
        store: A folder that is new, empty, or a store begun with the same arguments.
        scheduler: Address of a Dask scheduler (``tcp://HOST:PORT``), whose workers fill the store
            instead of processes of this machine. They all see its folder by the same path.

    Raises:
        InputError: One line that names the argument, or says what is wrong with the store: begun
            with another argument, of another version, being filled by another run, not a store,
            read-only, disk full. Nothing is harmed: what is done stays.
        TopomlError: Workers died again and again; what they were at is named.

    Example:
        >>> from topoml.lattice import Ising
        >>> e = simulate(Ising(), sizes=[4], temperatures=[2.0], samples=8, seed=0)
        >>> e.configurations(size=4, temperature=2.0).shape
        (8, 1, 4, 4)
    """
    sides, ts, samples, seed, n_chains, update, start, n_jobs = check_simulation(
        model, sizes=sizes, temperatures=temperatures, samples=samples, seed=seed,
        n_chains=n_chains, update=update, start=start, n_jobs=n_jobs,
    )  # fmt: skip
    per_chain = samples // n_chains

    if store is not None:
        about = described(
            model, sizes=sides, temperatures=ts, samples=samples, seed=seed, n_chains=n_chains,
            update=update, start=start, thermalisation=_THERMALISATION,
        )  # fmt: skip
        path = check_path("store", store)
        fill(path, model, about, n_jobs=n_jobs, scheduler=scheduler, progress=progress)
        return Ensemble.open(store, model=model)
    if scheduler is not None:
        raise InputError(
            f"`scheduler` is {scheduler!r} without a store; expected both, as workers write to "
            "one. Give store=..."
        )
    data = {
        size: {
            t: np.empty((n_chains, per_chain, *model.shape(size), *model.components), model.dtype)
            for t in ts
        }
        for size in sides
    }
    stop = threading.Event()

    def work(chain: _Chain) -> int:
        out = data[chain.size][chain.temperature][chain.chain]
        return _fill(model, chain, seed, update, start == "random", out, stop)

    chains = [_Chain(size, t, i) for size in sides for t in ts for i in range(n_chains)]
    chains.sort(key=lambda chain: -chain.size)  # the long ones first, or one thread ends up alone
    rounds = _run(work, chains, n_jobs, stop, progress)
    thinning = {
        size: {t: tuple(rounds[_Chain(size, t, i)] for i in range(n_chains)) for t in ts}
        for size in sides
    }
    return Ensemble(
        data, model.manifold, model=model, seed=seed, thinning=thinning, version=__version__
    )


class _Asked(NamedTuple):
    """Arguments of `simulate`, in order and with what was left out."""

    sizes: list[int]
    temperatures: list[float]
    samples: int
    seed: int
    n_chains: int
    update: str
    start: str
    n_jobs: int


def check_simulation(
    model: Model,
    *,
    sizes: Iterable[int],
    temperatures: Iterable[float],
    samples: int,
    seed: int,
    n_chains: int,
    update: str | None,
    start: str,
    n_jobs: int | None,
) -> _Asked:
    """Refuse what `simulate` could not do."""
    if isinstance(model, type) or not (hasattr(model, "sample") and hasattr(model, "updates")):
        raise InputError(
            f"`model` is {model!r}; expected a model of topoml.lattice, or an object with its "
            "methods. Make one: model=Ising()."
        )
    update = model.updates[0] if update is None else update
    check_update(update, model.updates)
    check_start(start)
    per_chain, n_chains = check_samples(samples, n_chains), check_integer("n_chains", n_chains, 1)
    return _Asked(
        check_sizes(sizes), check_temperatures(temperatures), per_chain * n_chains,
        check_integer("seed", seed, 0), n_chains, update, start, check_jobs(n_jobs),
    )  # fmt: skip


def _fill(
    model: Model,
    chain: _Chain,
    seed: int,
    update: str,
    random: bool,
    out: NDArray[Any],
    stop: threading.Event,
) -> int:
    """Run one chain into ``out`` (sample, ...) and return its rounds a sample."""
    rng = stream(seed, model, **chain._asdict(), unit=0)
    shape = model.shape(chain.size)
    state = begin(model, shape, chain.temperature, update=update, rng=rng if random else None)
    for warmer in thermalisation(state, rng, _THERMALISATION):
        state = warmer
        if stop.is_set():
            raise _StoppedError
    each = samples_per_unit(len(out), out.shape[1:], out.dtype)
    for unit, first in enumerate(range(0, len(out), each)):
        if unit > 0:
            rng = stream(seed, model, **chain._asdict(), unit=unit)
        part, done = out[first : first + each], 0
        for after, configurations in blocks(state, len(part), rng):
            if stop.is_set():
                raise _StoppedError
            state = after
            part[done : done + len(configurations)] = configurations
            done += len(configurations)
    return state.rounds


def _run(
    work: Callable[[_Chain], int],
    chains: list[_Chain],
    n_jobs: int,
    stop: threading.Event,
    progress: bool,
) -> dict[_Chain, int]:
    """All chains through a pool of threads; whatever goes wrong, the threads stop soon."""
    pool = ThreadPoolExecutor(n_jobs, thread_name_prefix="topoml-simulate")
    done = False
    try:
        futures = {pool.submit(work, chain): chain for chain in chains}
        bar = tqdm(as_completed(futures), total=len(chains), unit="chain", disable=_off(progress))
        results = {futures[future]: future.result() for future in bar}
        done = True
        return results
    finally:
        stop.set()
        # threads in a kernel are not waited for: Ctrl-C and errors come back at once
        pool.shutdown(wait=done, cancel_futures=True)


def _off(progress: bool) -> bool | None:
    """Tqdm's ``disable``: None leaves the bar out where stderr is not a terminal."""
    return None if progress else True
