"""Exact answers for lattice gauge fields: loops over plaquettes, enumeration, characters."""

import itertools

import numpy as np
from scipy.special import ive


def plaquettes(sides):
    """Of each plaquette the four links ((mu, *x), sign), in order around it."""
    dim, out = len(sides), []

    def ahead(x, mu):
        return tuple((c + (axis == mu)) % sides[axis] for axis, c in enumerate(x))

    for x in itertools.product(*map(range, sides)):
        for mu, nu in itertools.combinations(range(dim), 2):
            out.append([
                ((mu, *x), 1),
                ((nu, *ahead(x, mu)), 1),
                ((mu, *ahead(x, nu)), -1),
                ((nu, *x), -1),
            ])  # fmt: skip
    return out


def phases(angles):
    """Angles (D, *L) as matrices (D, *L, 1, 1)."""
    return np.exp(1j * np.asarray(angles, float))[..., None, None]


def energy(links):
    """-sum of Re tr / N over the plaquettes of matrices (D, *L, N, N), by a loop."""
    total = 0.0
    for around in plaquettes(links.shape[1:-2]):
        product = np.eye(links.shape[-1])
        for link, sign in around:
            product = product @ (links[link] if sign > 0 else links[link].conj().T)
        total -= np.trace(product).real / links.shape[-1]
    return total


def z2_states(sides):
    """All links (2^n, n) in C order, and their energies (2^n,)."""
    n = len(sides) * int(np.prod(sides))
    states = 1 - 2 * (np.arange(2**n)[:, None] >> np.arange(n)[::-1] & 1)
    number = np.arange(n).reshape(len(sides), *sides)
    total = np.zeros(len(states), int)
    for around in plaquettes(sides):
        total -= states[:, [number[link] for link, _ in around]].prod(1)
    return states, total


def z2_energies(sides):
    """Energies of all gauge-inequivalent states, each with the same number of copies, (2^m,).

    Links of a spanning tree are +1.
    """
    dim = len(sides)
    number = np.arange(dim * int(np.prod(sides))).reshape(dim, *sides)
    fixed, seen, todo = set(), {(0,) * dim}, [(0,) * dim]
    while todo:
        x = todo.pop()
        for mu in range(dim):
            y = tuple((c + (axis == mu)) % sides[axis] for axis, c in enumerate(x))
            if y not in seen:
                seen.add(y)
                todo.append(y)
                fixed.add(number[(mu, *x)])
    free = [i for i in range(number.size) if i not in fixed]
    row = {link: i for i, link in enumerate(free)}
    code = np.arange(2 ** len(free))
    total = np.zeros(len(code), np.int64)
    for around in plaquettes(sides):
        parity = np.zeros_like(code)
        for link, _ in around:
            if number[link] in row:
                parity ^= code >> row[number[link]] & 1
        total -= 1 - 2 * parity
    return total


def canonical(energies, temperature):
    """Mean and variance of the energy over equally likely states of given energies."""
    weight = np.exp(-(energies - energies.min()) / temperature)
    weight /= weight.sum()
    mean = (weight * energies).sum()
    return mean, (weight * (energies - mean) ** 2).sum()


def torus(a, da, n_plaquettes):
    """Mean plaquette of a 2D torus of coefficients a_r and da_r / d beta, by characters.

    The partition function is the sum over representations r of a_r^V, where a_r is the integral of
    the weight of one plaquette with chi_r / dim r (Migdal, Sov. Phys. JETP 42, 413 (1975)).
    """
    ratio = a / a.max()
    return (ratio ** (n_plaquettes - 1) * da / a.max()).sum() / (ratio**n_plaquettes).sum()


def u1_plaquette(beta, n_plaquettes):
    """<cos theta_p> of 2D U(1): sum I_n^(V-1) I_n' / sum I_n^V."""
    n = np.arange(-60, 61)
    return torus(ive(n, beta), (ive(n - 1, beta) + ive(n + 1, beta)) / 2, n_plaquettes)


def su2_plaquette(beta, n_plaquettes):
    """<tr U_p / 2> of 2D SU(2): a_n = 2 I_n / beta for dimensions n = 1, 2, ..."""
    n = np.arange(1, 61)
    a = ive(n, beta) / beta
    da = (ive(n - 1, beta) + ive(n + 1, beta)) / 2 / beta - a / beta
    return torus(a, da, n_plaquettes)


def su3_plaquette(beta, n_plaquettes, highest=8, n_angles=96):
    """<Re tr U_p / 3> of 2D SU(3): the coefficients by Weyl's integration formula.

    The integrand is analytic and periodic: the trapezoidal rule is exact to rounding.
    """
    t = 2 * np.pi * np.arange(n_angles) / n_angles
    s, t = np.meshgrid(t, t, indexing="ij")
    z = np.exp(1j * np.stack([s, t, -s - t]))  # eigenvalues
    trace = z.sum(0).real / 3
    vandermonde = (z[0] - z[1]) * (z[0] - z[2]) * (z[1] - z[2])
    weight = np.exp(beta * (trace - 1)) * np.abs(vandermonde) ** 2
    a, da = [], []
    for p, q in itertools.product(range(highest + 1), repeat=2):
        powers = (p + q + 2, q + 1, 0)
        numerator = sum(
            np.linalg.det(np.eye(3)[list(order)])
            * z[order[0]] ** powers[0] * z[order[1]] ** powers[1] * z[order[2]] ** powers[2]
            for order in itertools.permutations(range(3))
        )  # fmt: skip
        size = (p + 1) * (q + 1) * (p + q + 2) / 2
        # chi |V|^2 = numerator V^*: no division by zero at equal eigenvalues
        mode = (numerator * vandermonde.conj()).real / size * np.exp(beta * (trace - 1))
        a.append(mode.mean() / 6)
        da.append((mode * trace).mean() / 6)
    assert abs(weight.mean() / 6 - a[0]) < 1e-12
    return torus(np.array(a), np.array(da), n_plaquettes)


def u1_charge_squared(beta, n_plaquettes):
    """<Q^2> of 2D U(1), Q = sum of the plaquette angles in (-pi, pi) / 2 pi.

    Z(theta) is the sum over n of f(n + theta / 2 pi)^V, where f(s) is the mean over P of
    e^(beta cos P + i s P), and <Q^2> = -Z''(0) / Z(0).
    """
    nodes, weights = np.polynomial.legendre.leggauss(400)
    P, weights = np.pi * nodes, weights / 2
    weights = weights * np.exp(beta * (np.cos(P) - 1))
    n = np.arange(-40, 41)[:, None]
    f = (weights * np.cos(n * P)).sum(1)
    df = -(weights * np.sin(n * P) * P).sum(1)
    d2f = -(weights * np.cos(n * P) * P**2).sum(1)
    V, scale = n_plaquettes, f.max()
    f, df, d2f = f / scale, df / scale, d2f / scale
    second = V * (V - 1) * f ** (V - 2) * df**2 + V * f ** (V - 1) * d2f
    return -second.sum() / (f**V).sum() / (2 * np.pi) ** 2


def strong_coupling(u, du, weight, dim=4):
    """Mean plaquette to the order of one cube, whose surface adds weight u^6 to ln Z.

    u is the mean of one plaquette alone; the weight, the sum of dim^2 over the representations on
    the surface, is 1 for Z2, 2 for U(1), 4 for SU(2), 18 for SU(3). There are (D - 2) / 3 cubes a
    plaquette.
    """
    return u + (dim - 2) / 3 * weight * 6 * u**5 * du
