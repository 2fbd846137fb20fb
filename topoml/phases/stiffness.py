"""Topological stiffness: from the topology of block spins to K_eff(L, T), by Gaussian fields."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .observables import SpinBlocks, block_field
from .transition import Curve

__all__ = ["StiffnessTable", "gaussian_fields", "tabulate"]

Floats = NDArray[np.float64]


def gaussian_fields(size: int, n: int, rng: np.random.Generator) -> Floats:
    r"""Exact samples of the Gaussian spin-wave model at K = 1 on the torus, (n, L, L) radians.

    Weight :math:`\exp(-\frac{K}{2} \sum_{\langle ij \rangle} (\phi_i - \phi_j)^2)`, zero mode 0;
    at stiffness K divide by sqrt(K). White noise filtered by the lattice propagator.
    """
    k = 2 * np.pi * np.fft.fftfreq(size)
    laplacian = 4 - 2 * np.cos(k)[:, None] - 2 * np.cos(k)[None]
    laplacian[0, 0] = 1.0
    amplitude = laplacian**-0.5
    amplitude[0, 0] = 0.0
    pairs = -(-n // 2)
    noise = rng.standard_normal((pairs, size, size)) + 1j * rng.standard_normal((pairs, size, size))
    field = np.fft.ifft2(np.fft.fft2(noise) * amplitude)
    return np.concatenate([field.real, field.imag])[:n]


@dataclass(frozen=True, eq=False)
class StiffnessTable:
    """A topological quantity of Gaussian fields against their stiffness K.

    ``log_stiffness`` (n,) ascending; ``value`` (n,) and ``replicates`` (R, n) fall with it.
    """

    size: int
    log_stiffness: Floats
    value: Floats
    replicates: Floats

    def invert(self, curve: Curve) -> Curve:
        """K_eff of a curve of the quantity; beyond the table, the table's end."""
        stack = np.vstack([curve.value, curve.replicates])
        tables = np.vstack([self.value, self.replicates])
        out = np.empty_like(stack)
        for r in range(len(stack)):
            falling = np.minimum.accumulate(tables[r])
            out[r] = np.exp(np.interp(stack[r], falling[::-1], self.log_stiffness[::-1]))
        return Curve(curve.size, curve.temperature, out[0], out[1:])


def tabulate(
    observable: SpinBlocks,
    size: int,
    *,
    n_fields: int,
    n_replicates: int,
    rng: np.random.Generator,
) -> tuple[StiffnessTable, ...]:
    """Tabulate the topology of block spins on Gaussian fields of stiffness 0.1 to 3.

    The same fields serve every K, so that the tables are smooth in K; one for each of the
    observable's names.
    """
    log_k = np.linspace(math.log(0.1), math.log(3.0), 28)
    at_once = max(2, min(n_fields, 2**20 // size**2))
    parts = []
    for i in range(0, n_fields, at_once):
        phi = torch.from_numpy(gaussian_fields(size, min(at_once, n_fields - i), rng)).float()
        row = []
        for x in log_k:
            angle = phi * math.exp(-x / 2)
            blocks = [block_field(part, observable.grid) for part in (angle.cos(), angle.sin())]
            row.append(observable.of_blocks(torch.stack(blocks, 1)))
        parts.append(np.stack(row, 1))
    values = np.concatenate(parts)  # (field, K, name)
    drawn = rng.integers(0, n_fields, (n_replicates, n_fields))
    weight = np.stack([np.bincount(d, minlength=n_fields) for d in drawn]) / n_fields
    return tuple(
        StiffnessTable(size, log_k, values[..., m].mean(0), weight @ values[..., m])
        for m in range(len(observable.names))
    )
