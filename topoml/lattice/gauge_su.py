"""Lattice gauge fields of matrices of SU(2) and SU(3)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import gauge_su2, gauge_su3
from .gauge import GaugeField
from .model import Known, check_update

__all__ = ["SU2Gauge", "SU3Gauge"]

_KINDS = {
    "heat bath": np.array([gauge_su2.HEAT_BATH]),
    "over-relaxation": np.array([gauge_su2.HEAT_BATH] + 3 * [gauge_su2.REFLECTION]),
}


class _SpecialUnitary(GaugeField):
    """Matrices of SU(N) on links, sampled in a form of their own."""

    order: ClassVar[str] = "none"
    known_transition: ClassVar[Known | None] = None
    updates: ClassVar[tuple[str, ...]] = ("over-relaxation", "heat bath", "hmc")
    dtype: ClassVar[np.dtype[Any]] = np.dtype(np.complex64)
    _least_side: ClassVar[int] = 2
    _form: ClassVar[tuple[int, ...]]  # shape of one link while it is sampled
    _sweeps: ClassVar[Any]  # the kernel

    def sample(
        self,
        spins: NDArray[Any],
        temperature: float,
        rounds: int,
        samples: int,
        rng: np.random.Generator,
        update: str = "over-relaxation",
    ) -> tuple[NDArray[Any], int]:
        """Samples (n, D, *L, N, N) complex64 and the number of links visited.

        ``rounds`` rounds of the update before each: a sweep, or 4 for "over-relaxation", or a
        trajectory. ``spins``, as of `ordered`, is changed in place.
        """
        check_update(update, self.updates)
        if update == "hmc":
            return self._by_hmc(spins, temperature, rounds, samples, rng)
        shape = spins.shape[: -len(self._form)]
        lattice = self._lattice(shape)
        out = np.empty((samples, self.dim, lattice.n_sites, *self._form), spins.dtype)
        visited = self._sweeps(
            spins.reshape(out.shape[1:]),
            lattice.neighbours,
            self._beta(temperature),
            _KINDS[update],
            rounds,
            out,
            rng,
        )
        links = self._links(out).astype(np.complex64)
        return links.reshape(samples, *shape, *self.components), int(visited)


@dataclass(frozen=True)
class SU2Gauge(_SpecialUnitary):
    r"""Matrices of SU(2) on links, :math:`H = -\sum_p \frac12 \mathrm{Re\,tr}\, U_p`, periodic.

    Without a transition at zero temperature of the field theory, in 2D to 4D. Sides of at least 2.

    Updates: "over-relaxation", 3 sweeps of reflections after one of heat bath; "heat bath", of
    Kennedy and Pendleton, of Creutz where the staples are small; "hmc" (`hmc.sample_by_hmc`).

    Args:
        dim: 2, 3 or 4.

    Example:
        >>> import numpy as np
        >>> links = np.zeros((2, 3, 3, 2, 2), np.complex64) + np.eye(2, dtype=np.complex64)
        >>> float(SU2Gauge(dim=2).energy(links))
        -9.0
    """

    dim: int = 4

    name: ClassVar[str] = "su2-gauge"
    manifold: ClassVar[str] = "SU(2) links"
    symmetry: ClassVar[str] = "SU(2) gauge"
    components: ClassVar[tuple[int, ...]] = (2, 2)
    _form: ClassVar[tuple[int, ...]] = (4,)
    _sweeps: ClassVar[Any] = staticmethod(gauge_su2.sweeps)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The ground state: all links 1, unit quaternions, float64 (D, *L, 4)."""
        self._lattice(shape)
        return np.broadcast_to([1.0, 0.0, 0.0, 0.0], (*shape, 4)).copy()

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent links of the Haar measure, unit quaternions, float64 (D, *L, 4)."""
        self._lattice(shape)
        q = rng.normal(size=(*shape, 4))
        out: NDArray[Any] = q / np.linalg.norm(q, axis=-1, keepdims=True)
        return out

    def _trace(self, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: ANN401
        return _real_trace(a @ b, d @ c) / 2

    def _links(self, spins: NDArray[Any]) -> NDArray[Any]:
        return _matrices(spins)

    def _spins(self, links: NDArray[Any]) -> NDArray[Any]:
        a, b = links[..., 0, 0], links[..., 0, 1]
        return np.stack([a.real, b.imag, b.real, a.imag], -1)


@dataclass(frozen=True)
class SU3Gauge(_SpecialUnitary):
    r"""Matrices of SU(3) on links, :math:`H = -\sum_p \frac13 \mathrm{Re\,tr}\, U_p`, periodic.

    Without a transition at zero temperature of the field theory, in 2D to 4D. Sides of at least 2.

    Updates: "over-relaxation", 3 sweeps of reflections in three SU(2) subgroups after one of heat
    bath in them; "heat bath"; "hmc" (`hmc.sample_by_hmc`).

    Args:
        dim: 2, 3 or 4.

    Example:
        >>> import numpy as np
        >>> links = np.zeros((2, 3, 3, 3, 3), np.complex64) + np.eye(3, dtype=np.complex64)
        >>> float(SU3Gauge(dim=2).energy(links))
        -9.0
    """

    dim: int = 4

    name: ClassVar[str] = "su3-gauge"
    manifold: ClassVar[str] = "SU(3) links"
    symmetry: ClassVar[str] = "SU(3) gauge"
    components: ClassVar[tuple[int, ...]] = (3, 3)
    _form: ClassVar[tuple[int, ...]] = (3, 3)
    _sweeps: ClassVar[Any] = staticmethod(gauge_su3.sweeps)

    def ordered(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """The ground state: all links 1, complex128 (D, *L, 3, 3)."""
        self._lattice(shape)
        return np.broadcast_to(np.eye(3, dtype=np.complex128), (*shape, 3, 3)).copy()

    def random_state(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
        """Independent links of the Haar measure, complex128 (D, *L, 3, 3)."""
        self._lattice(shape)
        z = rng.normal(size=(*shape, 3, 3, 2)) @ [1.0, 1j]
        q, r = np.linalg.qr(z)
        diagonal = np.diagonal(r, axis1=-2, axis2=-1)
        q = q * (diagonal / np.abs(diagonal))[..., None, :]  # Haar on U(3)
        phase: NDArray[Any] = np.angle(np.linalg.det(q))
        out: NDArray[Any] = q * np.exp(-1j / 3.0 * phase)[..., None, None]
        return out

    def _trace(self, a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: ANN401
        return _real_trace(a @ b, d @ c) / 3

    def _links(self, spins: NDArray[Any]) -> NDArray[Any]:
        return spins.copy()

    def _spins(self, links: NDArray[Any]) -> NDArray[Any]:
        return links


def _matrices(q: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Unit quaternions (..., 4) as matrices a + i (b, c, d) . sigma, (..., 2, 2)."""
    out = np.empty((*q.shape[:-1], 2, 2), np.complex128)
    out[..., 0, 0] = q[..., 0] + 1j * q[..., 3]
    out[..., 0, 1] = q[..., 2] + 1j * q[..., 1]
    out[..., 1, 0] = -out[..., 0, 1].conj()
    out[..., 1, 1] = out[..., 0, 0].conj()
    return out


def _real_trace(p: Any, q: Any) -> Any:  # noqa: ANN401
    """Re tr(p q^+) of the last two axes."""
    return (p.real * q.real + p.imag * q.imag).sum((-2, -1))
