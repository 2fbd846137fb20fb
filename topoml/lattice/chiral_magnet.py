"""Chiral magnets: exchange, Dzyaloshinskii-Moriya interaction and a field."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.errors import InputError
from ..kernels import vectors as kernels
from .geometry import Hypercubic, Triangular, lattice_of
from .model import Array, cast_like, check_coupling, check_update, namespace, plain_numbers
from .unit_vectors import UnitVectors, bonds, cap, check_vectors

__all__ = ["ChiralMagnet"]

_MIXED = 4  # sweeps of over-relaxation for one of heat bath
_STEPS = {  # of the bonds that a site counts as its own, in space, in units of the bond
    "chain": ((1.0, 0.0, 0.0),),
    "square": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "triangular": (
        (1.0, 0.0, 0.0), (-0.5, math.sqrt(0.75), 0.0), (0.5, math.sqrt(0.75), 0.0),
    ),
    "cubic": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
}  # fmt: skip


@dataclass(frozen=True)
class ChiralMagnet(UnitVectors):
    r"""Heisenberg spins whose neighbours like to be turned against each other; periodic.

    .. math:: H = -J \sum_{\langle ij \rangle} s_i \cdot s_j
              - D \sum_{\langle ij \rangle} d_{ij} \cdot (s_i \times s_j) - B \sum_i s_i^z

    with the unit vector e_ij from i to j, and d_ij = e_ij ("bulk") or z x e_ij ("interfacial");
    swapping i and j changes nothing. The axes 0, 1, 2 of the lattice are x, y, z of the spins; on
    the triangular lattice axis 1 is at 120 degrees from x, so that (1, 1) is at 60. Hence, for D >
    0, along e a bulk spin turns about +e (right-handed helices and Bloch skyrmions) and an
    interfacial one about z x e, from z towards +e (cycloids and Neel skyrmions); along a bond by
    the angle atan(D / J), if nothing else asks for another. D < 0 is the mirror image.

    k_B = 1: J, D, B and T share one unit. A side of 2 has two bonds between the same spins, whose
    D cancel; a side of 1 has a bond from each spin to itself, of energy -J. There are skyrmions at
    low temperatures for B of about 0.2 to 0.8 D^2 / J; where the phases end is not known exactly.

    Updates are local: "heat bath" draws each spin from its exact law in its field, by inversion;
    "over-relaxation" is one sweep of heat bath, then 4 that reflect each spin at its field, which
    keeps the energy; "metropolis" proposes a vector uniform on a cap around the old one.

    Args:
        J: Exchange, positive.
        D: Strength of the Dzyaloshinskii-Moriya interaction, of either sign.
        B: Field along z, of either sign.
        lattice: "square", "triangular", "chain" or "cubic".
        kind: "bulk" or "interfacial".

    Example:
        A helix with the pitch of 8 sites, along y:

        >>> import numpy as np
        >>> angle = 2 * np.pi * np.arange(8) / 8 + np.zeros((8, 1))
        >>> x = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], -1)
        >>> helix = ChiralMagnet(D=float(np.tan(2 * np.pi / 8)))
        >>> [round(float(helix.energy(y)) / 64, 6) for y in (x, x[:, ::-1], x[..., [1, 2, 0]])]
        [-2.414214, -1.0, -1.707107]
    """

    J: float = 1.0
    D: float = 1.0
    B: float = 0.0
    lattice: str = "square"
    kind: str = "bulk"

    name: ClassVar[str] = "chiral-magnet"
    manifold: ClassVar[str] = "sphere"
    symmetry: ClassVar[str] = "spin-orbit C4"
    order: ClassVar[str] = "unknown"
    known_transition: ClassVar[None] = None
    updates: ClassVar[tuple[str, ...]] = ("heat bath", "over-relaxation", "metropolis")

    def __post_init__(self) -> None:
        plain_numbers(self)
        check_coupling(self.J)
        for name, value in (("D", self.D), ("B", self.B)):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value):
                raise InputError(f"`{name}` is {value!r}; expected a finite number. Try 0.5.")
        for name, word, known in (
            ("lattice", self.lattice, tuple(_STEPS)),
            ("kind", self.kind, ("bulk", "interfacial")),
        ):
            if word not in known:
                expected = ", ".join(map(repr, known))
                raise InputError(f"`{name}` is {word!r}; expected one of {expected}.")

    @property
    def axes(self) -> NDArray[np.float64]:
        """(kinds of bonds, 3): d_ij from a site across each bond that it counts as its own."""
        steps = np.array(_STEPS[self.lattice])
        return steps if self.kind == "bulk" else np.cross([0.0, 0.0, 1.0], steps)

    def energy(self, configurations: Array) -> Array:
        """Total energy in the unit of J, shape (*batch,), of vectors (*batch, *shape, 3).

        Numpy in, numpy out; a torch tensor stays on its device. The result has the dtype of the
        vectors; the sum runs in float64. Not checked: their length.
        """
        check_vectors(configurations, self.lattice)
        float64 = namespace(configurations).float64
        total: Any = 0.0
        for (a, b, sites), d in zip(bonds(configurations, self.lattice), self.axes, strict=True):
            total = total - self.J * (a * b).sum(sites, dtype=float64)
            for k, (i, j) in enumerate(((1, 2), (2, 0), (0, 1))):
                cross = a[..., i] * b[..., j] - a[..., j] * b[..., i]
                total = total - self.D * float(d[k]) * cross.sum(sites[:-1], dtype=float64)
            n_batch = sites[:-1]
        up: Any = configurations
        energy: Array = cast_like(
            total - self.B * up[..., 2].sum(n_batch, dtype=float64), configurations
        )
        return energy

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "heat bath",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, *shape, 3), float32, and the number of spins visited.

        ``spins`` is changed in place.
        """
        check_update(update, self.updates)
        lattice = lattice_of(self.lattice, spins.shape[:-1])
        assert isinstance(lattice, Hypercubic | Triangular)
        table, flat = lattice.neighbours, spins.reshape(-1, 3)
        there, beta = self.D * self.axes, 1.0 / temperature
        twist = np.stack([there, -there], 1).reshape(-1, 3)  # slots: across a bond, and back
        field = np.array([0.0, 0.0, self.B])
        out = np.empty((samples, *flat.shape), np.float32)
        stiffness = (table.shape[1] * math.hypot(self.J, self.D) + abs(self.B)) * beta
        height = cap(stiffness) if update == "metropolis" else 0.0
        mirrors = _MIXED if update == "over-relaxation" else 0
        n = kernels.sweeps(
            flat, table, beta, float(self.J), 0.0, twist, field, rounds, height, mirrors, out, rng
        )  # fmt: skip
        return out.reshape(samples, *spins.shape), int(n)
