"""Pieces of work for processes of this machine, or for the workers of a Dask cluster."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, wait
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from .._core.errors import InputError, TopomlError
from .._core.optional import require

__all__ = ["Progress", "check_scheduler", "until_finished"]

Task = TypeVar("Task")

_ADDRESS = re.compile(r"((tcp|tls|ucx|ws|wss)://)?[^/\s]+:\d+/?|inproc://\S+")
_PATIENCE = "10s"  # with a scheduler that does not answer
_LOSSES = 3  # of workers in a row, with nothing done in between


class Progress(NamedTuple):
    """How far a task is after a call, and whether it needs no further one."""

    done: int
    is_finished: bool


def until_finished(
    work: Callable[[Task], Progress],
    tasks: Sequence[Task],
    *,
    n_jobs: int,
    scheduler: str | None,
    report: Callable[[Task, int], object],
    named: Callable[[Task], str],
) -> None:
    """Call ``work`` on every task, again and again, until each says that it is finished.

    ``work`` keeps what it does elsewhere, so that a lost worker costs its last call alone.

    Args:
        work: Can be pickled by cloudpickle.
        tasks: Can be pickled; the first are begun first.
        n_jobs: Processes; a single one is this one.
        scheduler: Address of a Dask scheduler, whose workers are then taken instead.
        report: Is told how far a task is, after each call.
        named: Says in an error which task it was.

    Raises:
        TopomlError: Workers died again and again; the tasks that they were at are named.
    """
    n_jobs = min(n_jobs, len(tasks))
    if n_jobs == 1 and scheduler is None:
        for task in tasks:
            progress = work(task)
            while not progress.is_finished:
                report(task, progress.done)
                progress = work(task)
            report(task, progress.done)
        return
    left = dict.fromkeys(tasks)
    losses = 0
    while left:
        try:
            with _pool(n_jobs, scheduler) as pool:
                futures = {pool.submit(work, task): task for task in left}
                while futures:
                    for future in wait(futures, return_when=FIRST_COMPLETED).done:
                        task = futures.pop(future)
                        progress = future.result()
                        losses = 0
                        del left[task]
                        if not progress.is_finished:
                            futures[pool.submit(work, task)] = task
                            left[task] = None  # behind those that wait
                        report(task, progress.done)
        except CancelledError as error:
            raise TopomlError(
                f"the scheduler {scheduler} was lost. What is done stays. Cure: start it again, "
                "then call again."
            ) from error
        except BrokenExecutor as error:
            losses += 1
            if losses == _LOSSES:
                lost = [*left][:n_jobs] if scheduler is None else [task]
                at_work = "; ".join(map(named, lost))
                raise TopomlError(
                    f"workers died {losses} times in a row, at one of: {at_work}. What is done "
                    "stays. Cure: more memory or fewer workers (n_jobs), then call again."
                ) from error


@contextmanager
def _pool(n_jobs: int, scheduler: str | None) -> Iterator[Executor]:
    """Workers, which end at once if the block does not come to its end."""
    if scheduler is not None:
        with _cluster(scheduler) as cluster:
            yield cluster
        return
    loky = require("joblib.externals.loky")
    with _environment("PYTHONWARNINGS", "ignore::UserWarning"):
        # of the process that cleans up after this one if it is ended, and would complain
        pool = loky.ProcessPoolExecutor(n_jobs, initializer=_follow, initargs=(os.getpid(),))
    whole = False
    try:
        yield pool
        whole = True
    finally:
        pool.shutdown(wait=True, kill_workers=not whole)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before


def _follow(parent: int) -> None:
    """End this worker soon after the process that it works for, however that one ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.1)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent decides
    threading.Thread(target=watch, daemon=True, name="topoml-watch").start()


def check_scheduler(scheduler: str) -> None:
    """Refuse an address where no scheduler answers."""
    with _cluster(scheduler):
        pass


@contextmanager
def _cluster(scheduler: str) -> Iterator[Executor]:
    distributed = require("distributed", extra="cluster")
    if not (isinstance(scheduler, str) and _ADDRESS.fullmatch(scheduler)):  # it would hang
        raise InputError(
            f"`scheduler` is {scheduler!r}; expected the address of a Dask scheduler, "
            "tcp://HOST:PORT. Start one, which tells its address: dask scheduler."
        )
    try:
        client = distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            f"`scheduler` is {scheduler!r}, which does not answer ({reason}); expected the address "
            "of a Dask scheduler, tcp://HOST:PORT. Start one: dask scheduler."
        ) from error
    try:
        yield client.get_executor(pure=False)
    except distributed.KilledWorker as error:
        raise BrokenExecutor(str(error)) from error
    finally:
        client.close()
