"""Parallel transport by walking along links one by one, with plain matrix products."""

import math

import numpy as np


def matrices(links):
    """Angles and signs as matrices 1 x 1."""
    if np.iscomplexobj(links):
        return links
    return (np.exp(1j * links) if links.dtype.kind == "f" else links + 0j)[..., None, None]


def walk(u, start, steps):
    """Product along steps (axis, +1 or -1) of links u (dim, *L, N, N), and where it ends."""
    at, product = list(start), np.eye(u.shape[-1])
    for axis, way in steps:
        side = u.shape[1 + axis]
        if way > 0:
            product = product @ u[(axis, *at)]
            at[axis] = (at[axis] + 1) % side
        else:
            at[axis] = (at[axis] - 1) % side
            product = product @ u[(axis, *at)].conj().T
    return product, tuple(at)


def rectangle(m, n, r, t):
    """Steps along m, along n, back along m, back along n."""
    return [(m, 1)] * r + [(n, 1)] * t + [(m, -1)] * r + [(n, -1)] * t


def haar(rng, n, *shape):
    """SU(n): QR of a complex Gaussian, phases fixed, determinant divided out."""
    g = rng.normal(size=(*shape, n, n)) + 1j * rng.normal(size=(*shape, n, n))
    q, r = np.linalg.qr(g)
    phase = np.einsum("...ii->...i", r)
    q = q * (phase / np.abs(phase))[..., None, :]
    return q / np.linalg.det(q)[..., None, None] ** (1 / n)


def gauge_matrices(u, g):
    """U_m(x) -> g(x) U_m(x) g(x + m)† of links (dim, *L, N, N), by einsum and roll."""
    moved = [np.roll(g, -1, axis) for axis in range(len(u))]
    return np.stack([g @ u[m] @ moved[m].conj().swapaxes(-1, -2) for m in range(len(u))])


def gauge_angles(theta, alpha):
    """The same of angles (dim, *L)."""
    moved = [np.roll(alpha, -1, axis) for axis in range(len(theta))]
    return np.stack([alpha + theta[m] - moved[m] for m in range(len(theta))])


def wrap(angle):
    """To (-pi, pi], through a complex number."""
    return math.atan2(math.sin(angle), math.cos(angle))
