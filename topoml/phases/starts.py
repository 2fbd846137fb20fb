"""Chains from the ordered and from the random state, compared: the sign of a first-order change."""

import math
import os
from collections.abc import Iterable
from typing import NamedTuple

from ..lattice import simulate
from ..lattice._arguments import check_integer
from ..lattice.model import Model
from .autocorrelation import Estimate, gamma
from .estimates import Errors, energy

__all__ = ["Starts", "compare_starts"]


class Starts(NamedTuple):
    """Energies per site at one temperature, in the unit of the model's coupling, by their start.

    ``cold`` from the ordered state, ``hot`` from random ones.
    """

    temperature: float
    cold: Estimate
    hot: Estimate

    @property
    def gap(self) -> float:
        """Hot less cold: at a transition of first order an estimate of the latent heat."""
        return self.hot.value - self.cold.value

    @property
    def error(self) -> float:
        """Of the gap."""
        return math.hypot(self.hot.error, self.cold.error)

    @property
    def agree(self) -> bool:
        """Whether the gap is within 4 errors of 0."""
        return abs(self.gap) <= 4.0 * self.error


def compare_starts(
    model: Model,
    *,
    size: int,
    temperatures: Iterable[float],
    samples: int,
    seed: int,
    n_chains: int = 8,
    update: str | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
    store: str | os.PathLike[str] | None = None,
    errors: Errors = gamma,
    check: bool = True,
) -> list[Starts]:
    r"""Energies per site of chains from a cold and from a hot start, at each temperature.

    Chains forget their start where the transition is of second order, given time. At one of first
    order, in lattices of many correlation lengths, each start stays in its phase over a range of
    temperatures: within it the energies differ, and at T_c by the latent heat. Where they differ
    elsewhere the chains are too short. Every start has streams of random numbers of its own.

    Args:
        model, size, temperatures, samples, n_chains, update, n_jobs, progress: As in `simulate`,
            ``samples`` for each temperature and start.
        seed: Non-negative integer; the cold start runs on ``2 * seed``, the hot one on the next.
        store: A folder for the stores "cold" and "hot", which resume as those of `simulate` do.
        errors, check: As in `phases.energy`.

    Returns:
        One `Starts` a temperature, as the ensembles have them.

    Raises:
        InputError, TopomlError: As `simulate`.
        ShortChainError: As `phases.energy`.

    Example:
        >>> from topoml.lattice import Potts
        >>> model = Potts(20)
        >>> run = {"samples": 4000, "seed": 0, "update": "swendsen-wang", "check": False}
        >>> T = model.known_transition.value
        >>> found, = compare_starts(model, size=24, temperatures=[T], **run)
        >>> found.agree, abs(found.gap - model.latent_heat) < 4 * found.error
        (False, True)
    """
    ts = list(temperatures) if isinstance(temperatures, Iterable) else temperatures
    seed = check_integer("seed", seed, 0)
    found: list[dict[float, Estimate]] = []
    for k, start in enumerate(("ordered", "random")):
        ensemble = simulate(
            model, sizes=[size], temperatures=ts, samples=samples, seed=2 * seed + k,
            n_chains=n_chains, update=update, start=start, n_jobs=n_jobs, progress=progress,
            store=None if store is None else os.path.join(store, ("cold", "hot")[k]),
        )  # fmt: skip
        found.append({
            t: energy(ensemble, size=size, temperature=t, errors=errors, check=check)
            for t in ensemble.temperatures_of(size)
        })  # fmt: skip
    cold, hot = found
    return [Starts(t, cold[t], hot[t]) for t in cold]
