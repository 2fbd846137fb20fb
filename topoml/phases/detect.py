"""Detection: from an ensemble to a transition temperature with its yardstick and controls."""

from dataclasses import replace

import numpy as np

from .._core.errors import InputError
from ..lattice import XY, Ensemble
from ..lattice.ensemble import MANIFOLDS
from .controls import all_controls
from .methods import (
    BlockCrossing,
    FeatureFunction,
    Method,
    TopologicalStiffness,
    blocked,
    crossing_transition,
    flow_transition,
)
from .observables import (
    Binder,
    CorrelationLength,
    Helicity,
    Observable,
    OrderParameter,
    columns_of,
    curves_of,
)
from .transition import Curve, Transition

__all__ = ["detect", "yardstick"]


def detect(
    ensemble: Ensemble,
    *,
    features: FeatureFunction | None = None,
    method: Method | None = None,
    seed: int = 0,
) -> Transition:
    """Find the transition temperature of an ensemble from its topology.

    No labels, no training windows, no Hamiltonian. Angles: the flow of the topological stiffness
    (BKT, `TopologicalStiffness`); scalars, labels and vectors: crossings of the essential H1 birth
    of blocked fields (second order, `BlockCrossing`). The classical answer on the same data and
    the controls come with it and have no part in it.

    Args:
        ensemble: From `simulate`, `from_arrays` or `load_npz`; two sizes or more, at least 4
            temperatures on either side of the transition together.
        features: A callable (n, *L) -> (n, k) of dimensionless columns, whose crossings are taken;
            the first leads.
        method: In place of the one that the manifold suggests.
        seed: Of the bootstrap and of the Gaussian reference fields; same seed, same digits.

    Returns:
        Transition; estimate and error are None, with a reason, where none is found.

    Raises:
        InputError: Sizes without a common coarse grid, chains too short for an error bar,
            ``features`` together with ``method``, features of a wrong shape, or fields that are not
            one spin a site of a planar lattice of one site a cell.
    """
    _check_planar(ensemble)
    if method is None:
        if features is not None or ensemble.manifold != "circle":
            method = BlockCrossing(features=features, seed=seed)
        else:
            method = TopologicalStiffness(seed=seed)
    elif features is not None:
        raise InputError(
            "`features` is given together with `method`; expected one of them. Cure:"
            " BlockCrossing(features=...) as method."
        )
    columns = method.measure(ensemble)
    transition = method.locate({size: blocked(c) for size, c in columns.items()})
    return replace(
        transition,
        yardstick=yardstick(ensemble, seed=seed),
        controls=all_controls(method, ensemble, columns, seed),
    )


def yardstick(ensemble: Ensemble, *, n_replicates: int = 200, seed: int = 0) -> Transition:
    r"""The classical answer on the same data.

    Scalars, labels, vectors: crossings of Binder's cumulant. Angles of a known XY coupling: the
    helicity modulus with the fit of the flow; other angles: :math:`\xi_2 / L` with its own,
    :math:`.750691 + .21243 / (\ln L + C)`, which needs no Hamiltonian; both axes are taken for
    orthogonal, as these constants are of the square torus.
    """
    _check_planar(ensemble)
    order = OrderParameter.of(ensemble)
    rng = np.random.default_rng(seed)

    def curve(observable: Observable, size: int) -> Curve:
        blocks = blocked(columns_of(ensemble, observable, size))
        return curves_of(observable, size, blocks, n_replicates=n_replicates, rng=rng)[0]

    if ensemble.manifold != "circle":
        binder = Binder(order)
        curves = {size: curve(binder, size) for size in ensemble.sizes}
        method = "crossing of Binder's cumulant, extrapolated over pairs"
        found = crossing_transition([curves], binder.names, method=method)
        return replace(found, curves={binder.names[0]: tuple(curves.values())})
    if isinstance(ensemble.model, XY) and ensemble.model.lattice == "square":
        helicity = Helicity(ensemble.model)
        curves = {size: curve(helicity, size) for size in ensemble.sizes}
        found = flow_transition(
            [curves], helicity.names, method="{} over T, Kosterlitz flow over sizes"
        )
        return replace(found, curves={"helicity modulus / T": tuple(curves.values())})
    curves = {size: curve(CorrelationLength(order, size), size) for size in ensemble.sizes}
    found = flow_transition(
        [curves],
        ("correlation length",),
        jump=0.750691,
        slope=0.21243,
        method="{} over L, Kosterlitz flow over sizes",
    )
    return replace(found, curves={"correlation length / L": tuple(curves.values())})


def _check_planar(ensemble: Ensemble) -> None:
    """One spin a site of L x L sites: what blocks of spins are made of."""
    components = 1 if ensemble.manifold == "sphere" else 0
    for size, of_size in ensemble.data.items():
        for x in of_size.values():
            lattice = tuple(x.shape[2 : len(x.shape) - components])
            if lattice != (size, size) or ensemble.manifold not in MANIFOLDS:
                raise InputError(
                    f"`ensemble` has fields of shape {lattice} on {ensemble.manifold!r} at size"
                    f" {size}; expected one spin a site of L x L sites, of {', '.join(MANIFOLDS)}."
                    " Cure: measure observables of your own; see topoml.phases.crossing."
                )
