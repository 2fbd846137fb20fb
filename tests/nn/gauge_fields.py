"""Small gauge fields, and the formulas written out with matrices, site by site."""

import itertools

import torch

from topoml.lie import SU, U1

from .equivariant import generator

CASES = {"u1": U1(), "su2": SU(2), "quaternions": SU(2), "su3": SU(3)}


def links(case, dtype=torch.float64, dim=2, size=3, batch=2):
    lattice = (size, size + 1, size, size)[:dim]
    if case == "quaternions":
        q = torch.randn(batch, dim, *lattice, 4, generator=generator(), dtype=torch.float64)
        return torch.nn.functional.normalize(q, dim=-1).to(dtype)
    u = CASES[case].random_haar(batch, dim, *lattice, generator=generator(), dtype=torch.complex128)
    return u.to(dtype.to_complex())


def loops(case, channels, dtype=torch.float64, dim=2, size=3, batch=2):
    lattice = (size, size + 1, size, size)[:dim]
    n = CASES[case].matrix_size
    tail = (4,) if case == "quaternions" else (n, n)
    wide = torch.float64 if case == "quaternions" else torch.complex128
    w = torch.randn(batch, channels, *lattice, *tail, generator=generator(5), dtype=wide)
    return w.to(dtype if case == "quaternions" else dtype.to_complex())


def matrices(x):
    """Quaternions as matrices, q0 + i q . sigma; others as they are."""
    if x.is_complex():
        return x
    sigma = [[[1, 0], [0, 1]], [[0, 1j], [1j, 0]], [[0, 1], [-1, 0]], [[1j, 0], [0, -1j]]]
    return torch.einsum(
        "...k,kij->...ij", x.to(x.dtype.to_complex()), torch.tensor(sigma).to(x.dtype.to_complex())
    )


def walk(u, path, x, periodic):
    """The product of links (dim, *L, N, N) along signed directions +-(m + 1) from x; 0 outside."""
    sizes, n = u.shape[1:-2], u.shape[-1]
    out, x = torch.eye(n, dtype=u.dtype), list(x)
    for step in path:
        m = abs(step) - 1
        here = tuple(x)
        x[m] += 1 if step > 0 else -1
        if not periodic[m] and not 0 <= x[m] < sizes[m]:
            return 0 * out, tuple(v % s for v, s in zip(x, sizes, strict=True))
        x[m] %= sizes[m]
        out = out @ (u[(m, *here)] if step > 0 else u[(m, *x)].mH)
    return out, tuple(x)


def at_all_sites(u, function):
    """function(links of a sample, x) at all sites: (B, *L, ...)."""
    sizes = u.shape[2:-2]
    samples = [
        torch.stack([function(one, x) for x in itertools.product(*map(range, sizes))]) for one in u
    ]
    out = torch.stack(samples)
    return out.reshape(len(u), *sizes, *out.shape[2:])


def hop_paths(dim, n):
    """Those of the layers, in their order."""
    paths = [()]
    for m in range(1, dim + 1):
        paths += [(m,) * k for k in range(1, n + 1)] + [(-m,) * k for k in range(1, n + 1)]
    return paths


def carried(u, w, n, periodic):
    """(B, hops, C, *L, N, N): all W seen from all sites."""
    found = []
    for path in hop_paths(u.shape[1], n):
        samples = []
        for one, field in zip(u, w, strict=True):
            sites = []
            for x in itertools.product(*map(range, u.shape[2:-2])):
                v, y = walk(one, path, x, periodic)
                sites.append(v @ field[(slice(None), *y)] @ v.mH)
            samples.append(torch.stack(sites, 1).reshape(field.shape))
        found.append(torch.stack(samples))
    return torch.stack(found, 1)
