"""Thermodynamic averages of an ensemble with their errors, k_B = 1.

Every function takes an ensemble, one of its sizes and one of its temperatures, and the errors from
``errors``: `gamma`, or `jackknife` over blocks of whole chains, which also takes the bias of a
curved function off its value. All of them refuse chains shorter than 50 autocorrelation times
(`ShortChainError`) unless ``check`` is False. Plain numbers, without gradients.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..lattice import XY, ConstrainedXY, Ensemble
from ..lattice.angle_model import AngleModel
from ..lattice.geometry import LATTICES, check_lattice
from ..lattice.model import EffectiveModel
from ..lattice.observables import wave_number
from .autocorrelation import Estimate, gamma
from .observables import Binder, CorrelationLength, Helicity, OrderParameter, columns_at

__all__ = [
    "Errors",
    "binder_cumulant",
    "correlation_length",
    "energy",
    "helicity_modulus",
    "magnetisation",
    "specific_heat",
    "susceptibility",
]

Floats = NDArray[np.float64]


class Errors(Protocol):
    """`gamma` or `jackknife`: a function of means and its series to an estimate."""

    def __call__(self, f: Callable[..., float], *series: Any, check: bool = True) -> Estimate: ...  # noqa: ANN401


def energy(
    ensemble: Ensemble, *, size: int, temperature: float, errors: Errors = gamma, check: bool = True
) -> Estimate:
    r"""Energy per site, :math:`\langle E \rangle / N`, in the unit of the model's J."""
    e = ensemble.energy(size=size, temperature=temperature)
    return errors(lambda mean: mean, e, check=check)


def specific_heat(
    ensemble: Ensemble, *, size: int, temperature: float, errors: Errors = gamma, check: bool = True
) -> Estimate:
    r"""Specific heat per site, :math:`(\langle E^2 \rangle - \langle E \rangle^2) / (N T^2)`.

    Dimensionless; needs the model of the ensemble.

    Raises:
        InputError: A model whose energy depends on the temperature (`Villain`), as the variance is
            not all of its specific heat.
    """
    if isinstance(ensemble.model, EffectiveModel):
        raise InputError(
            f"`ensemble` is of {ensemble.model!r}, whose energy depends on the temperature; "
            "expected a model whose specific heat is a variance. Take the slope of energy(...)."
        )
    e = ensemble.energy(size=size, temperature=temperature)
    e = e - e.mean()
    factor = _n_sites(ensemble, size, temperature) / temperature**2
    return errors(lambda m1, m2: factor * (m2 - m1**2), e, e**2, check=check)


def magnetisation(
    ensemble: Ensemble,
    *,
    size: int,
    temperature: float,
    harmonic: int = 1,
    errors: Errors = gamma,
    check: bool = True,
) -> Estimate:
    r"""Mean length of the order parameter, :math:`\langle |m| \rangle`.

    m is the mean spin; of angles and vectors the length of their mean vector; of q labels the
    length of the mean of unit vectors to the corners of a simplex,
    :math:`|m|^2 = \frac{q}{q - 1} \sum_k (n_k - 1/q)^2` with the shares n_k of the states; of axes
    :math:`\frac{3}{2} \mathrm{tr}\, Q^2` with the mean Q of :math:`s s^T - 1/3`. So it is 1 in an
    ordered state of unit spins, and that of q = 2 is Ising's.

    Args:
        ensemble, size, temperature, errors, check: As everywhere.
        harmonic: Of angles: the spin is the direction of ``harmonic`` times the angle; 2 for the
            order of nematics, which theta and theta + pi share.

    Raises:
        InputError: Links, whose mean is no order parameter; a harmonic of other spins than angles.
    """
    square, _ = _moments(ensemble, size, temperature, harmonic)
    return errors(lambda mean: mean, np.sqrt(square), check=check)


def susceptibility(
    ensemble: Ensemble,
    *,
    size: int,
    temperature: float,
    connected: bool = True,
    harmonic: int = 1,
    errors: Errors = gamma,
    check: bool = True,
) -> Estimate:
    r"""Susceptibility, :math:`N (\langle m^2 \rangle - \langle |m| \rangle^2) / T`.

    Args:
        ensemble, size, temperature, errors, check: As everywhere.
        connected: False leaves :math:`\langle |m| \rangle^2` out, as in the disordered phase, where
            it vanishes with N. m as in `magnetisation`, all its components together.
        harmonic: As in `magnetisation`.
    """
    square, _ = _moments(ensemble, size, temperature, harmonic)
    factor = _n_sites(ensemble, size, temperature) / temperature
    if not connected:
        return errors(lambda m2: factor * m2, square, check=check)
    return errors(lambda m1, m2: factor * (m2 - m1**2), np.sqrt(square), square, check=check)


def binder_cumulant(
    ensemble: Ensemble,
    *,
    size: int,
    temperature: float,
    harmonic: int = 1,
    errors: Errors = gamma,
    check: bool = True,
) -> Estimate:
    r"""Binder's cumulant, :math:`1 - \langle m^4 \rangle / 3 \langle m^2 \rangle^2`.

    m as in `magnetisation`. 2/3 in the ordered phase; in the disordered one, where m is Gaussian
    with n components, :math:`1 - (n + 2) / 3 n`, which is 0 for n = 1.

    Args:
        ensemble, size, temperature, errors, check: As everywhere.
        harmonic: As in `magnetisation`.

    Source: Binder, Z. Phys. B 43, 119 (1981).
    """
    square, fourth = _moments(ensemble, size, temperature, harmonic)
    return errors(lambda m2, m4: 1 - m4 / (3 * m2**2), square, fourth, check=check)


def correlation_length(
    ensemble: Ensemble,
    *,
    size: int,
    temperature: float,
    harmonic: int = 1,
    lattice: str | None = None,
    errors: Errors = gamma,
    check: bool = True,
) -> Estimate:
    r"""Second-moment correlation length over size, :math:`\xi_2 / L`.

    As `lattice.second_moment_correlation_length`, of the order parameter of `magnetisation` with
    all its components.

    Args:
        ensemble, size, temperature, errors, check: As everywhere.
        harmonic: As in `magnetisation`.
        lattice: Left out, that of the ensemble's model, or without one that of the number of axes:
            the chain, the square, the cubic lattice.

    Raises:
        InputError: S(0) is not larger than S(2 pi / L) by more than its error, as far above T_c;
            links; a model without a lattice of spins (`SquareIce`).
    """
    order = OrderParameter.of(ensemble, harmonic)
    lattice = _lattice(ensemble, size, temperature, lattice)
    observable = CorrelationLength(order, size, lattice)
    columns = columns_at(ensemble, observable, size, temperature)
    factor = 1 / (size * wave_number(size, lattice))

    def ratio(s0: float, s1: float) -> float:
        return factor * math.sqrt(s0 / s1 - 1) if s0 > s1 > 0 else math.nan

    return errors(ratio, columns[..., 0], columns[..., 1], check=check)


def helicity_modulus(
    ensemble: Ensemble,
    *,
    size: int,
    temperature: float,
    J: float | None = None,
    lattice: str | None = None,
    errors: Errors = gamma,
    check: bool = True,
) -> Estimate:
    r"""Helicity modulus :math:`\Upsilon` of a model of angles, in the unit of J.

    Mean over the axes, by the model's ``helicity_terms``: `XY`, `Villain`, `GeneralizedXY` and
    `FullyFrustratedXY`, on all of their lattices.

    Args:
        ensemble, size, temperature, errors, check: As everywhere.
        J: Coupling of the law of `XY`, for angles without a model; left out, the ensemble's model.
        lattice: Of the angles beside J; left out, as in `correlation_length`.

    Raises:
        InputError: Another model or none, without J; spins that are not angles; J beside a model of
            angles with another law; a lattice without J.
    """
    model = ensemble.model
    if isinstance(model, AngleModel) and not isinstance(model, XY) and J is not None:
        raise InputError(
            f"`J` is {J!r} for an ensemble of {model!r}, which has a law of its own; expected None."
            " Leave it out."
        )
    if J is None and lattice is not None:
        raise InputError(
            f"`lattice` is {lattice!r} without J; expected both, as that of a model is known. Leave"
            " it out, or give J=..."
        )
    if J is not None and ensemble.manifold == "circle":
        model = XY(J, _lattice(ensemble, size, temperature, lattice))
    if not isinstance(model, AngleModel) or isinstance(model, ConstrainedXY):
        raise InputError(
            f"`ensemble` has model {ensemble.model} on {ensemble.manifold!r}; expected angles of an"
            " XY model, of Villain, GeneralizedXY or FullyFrustratedXY, whose bond energies have"
            " derivatives. Cure: J=... for angles whose coupling you know."
        )
    needed = temperature if isinstance(model, EffectiveModel) else None
    columns = columns_at(ensemble, Helicity(model, needed), size, temperature)
    cosine, sine = columns[..., 0], columns[..., 1]
    return errors(lambda c, s: c - s / temperature, cosine, sine, check=check)


def _moments(
    ensemble: Ensemble, size: int, temperature: float, harmonic: int
) -> tuple[Floats, Floats]:
    """m^2 and m^4 of each configuration, (chain, sample)."""
    order = OrderParameter.of(ensemble, harmonic)
    columns = columns_at(ensemble, Binder(order), size, temperature)
    unit = order.largest**2
    return columns[..., 0] / unit, columns[..., 1] / unit**2


def _lattice(ensemble: Ensemble, size: int, temperature: float, lattice: str | None) -> str:
    """The given one, or the model's, or without a model that of the number of axes."""
    if lattice is not None:
        check_lattice(lattice)
        return lattice
    if ensemble.model is not None:
        known = getattr(ensemble.model, "lattice", None)
        if known is None:
            raise InputError(
                f"`ensemble` is of {ensemble.model!r}, whose spins are not at the sites of a"
                " lattice; expected one whose are."
            )
        return str(known)
    n = len(_site_axes(ensemble, size, temperature))
    if n > 4:
        raise InputError(
            f"`ensemble` has fields of {n} axes and no model; expected 1 to 4. Cure: lattice=..."
        )
    return LATTICES[n - 1]


def _site_axes(ensemble: Ensemble, size: int, temperature: float) -> tuple[int, ...]:
    """The shape of a configuration without a model, less the components of its spins."""
    shape = ensemble.data[size][temperature].shape[2:]  # without reading a store
    return tuple(shape[:-1] if ensemble.manifold in ("sphere", "projective") else shape)


def _n_sites(ensemble: Ensemble, size: int, temperature: float) -> int:
    if ensemble.model is None:
        return math.prod(_site_axes(ensemble, size, temperature))
    shape = ensemble.data[size][temperature].shape[2:]
    return int(ensemble.model.n_sites(shape[: len(shape) - len(ensemble.model.components)]))
