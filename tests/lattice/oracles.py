"""Exact answers for small lattices, by enumeration over an explicit list of bonds."""

import itertools

import numpy as np

# Per site on L x L tori, from the character expansion (integer flows on the bonds), computed apart
# from this library: (L, T) to energy, specific heat and helicity modulus. The last row is
# truncated at |n| = 3, good to 3e-5 in the energy.
XY_TORI = {
    (2, 0.5): (-1.80156075, 0.42526, 0.90078038),
    (2, 0.8929): (-1.61708913, 0.52535, 0.80854456),
    (3, 0.5): (-1.7621592, 0.51662, 0.8772628),
    (3, 0.8929): (-1.53231105, 0.68350, 0.74692983),
    (4, 0.8929): (-1.49876, 0.7616, 0.71680),
}
T_ISING = 2.269185314213022
# L to energy per site, specific heat per site, <|m|>, U4 at T_ISING
ISING_TORI = {
    2: (-1.6970562748, 0.4039460879, 0.8992640687, 0.6269039582),
    3: (-1.6112463815, 0.6287361056, 0.8710719355, 0.6201465606),
}


def bonds(shape):
    """Pairs of sites in C order, one from each site along each axis: doubled at a side of 2."""
    n0, n1 = shape
    return [
        (i * n1 + j, neighbour)
        for i in range(n0)
        for j in range(n1)
        for neighbour in (i * n1 + (j + 1) % n1, (i + 1) % n0 * n1 + j)
    ]


AXES = {  # of the cells as rows, so that nearest neighbours are at distance 1
    "triangular": np.array([[1.0, 0.0], [-0.5, np.sqrt(3) / 2]]),
    "honeycomb": np.sqrt(3) * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]]),
}


def positions(name, shape):
    """Of all sites of a lattice, in C order, (sites, d), and its periods (d, d)."""
    if name not in AXES:
        cells = np.array(list(itertools.product(*map(range, shape))), float)
        return cells, np.diag(np.array(shape, float))
    cells = np.array(list(itertools.product(*map(range, shape[:2]))), float) @ AXES[name]
    periods = np.array(shape[:2])[:, None] * AXES[name]
    if name == "triangular":
        return cells, periods
    second = AXES[name].sum(0) / 3  # of the cell's two sites, at the centre of a triangle
    return np.stack([cells, cells + second], 1).reshape(-1, 2), periods


def adjacency(name, shape):
    """Number of bonds between each two sites: images at distance 1, (sites, sites).

    A bond of a site to itself counts twice, once for either direction.
    """
    x, periods = positions(name, shape)
    count = np.zeros((len(x), len(x)), int)
    for image in itertools.product((-2, -1, 0, 1, 2), repeat=len(periods)):
        away = x[:, None] - x[None] + np.array(image) @ periods
        count += np.abs(np.linalg.norm(away, axis=-1) - 1.0) < 1e-9
    return count


def enumerated(name, shape, values, of_bond, of_site, temperature):
    """All states (q^N, N) of spins with ``values``, their energies and Boltzmann weights."""
    count = adjacency(name, shape)
    states = np.array(list(itertools.product(values, repeat=len(count))))
    energy = of_site(states).sum(1).astype(float)
    for a, b in itertools.product(range(len(count)), repeat=2):
        if count[a, b]:
            energy += count[a, b] * of_bond(states[:, a], states[:, b]) / 2
    weight = np.exp(-(energy - energy.min()) / temperature)
    return states, energy, weight / weight.sum()


def worst_z(labels, classes, probability):
    """The largest deviation of the frequency of a class, in standard errors over chains.

    ``labels`` (chain, sample) are numbers of classes whose exact probabilities are given; those
    that are expected less than 400 times in all are taken together.
    """
    n_chains, n_samples = labels.shape
    assert labels.min() >= 0
    frequency = np.stack([np.bincount(chain, minlength=classes) for chain in labels]) / n_samples
    rare = probability * labels.size < 400
    frequency = np.concatenate([frequency[:, ~rare], frequency[:, rare].sum(1, keepdims=True)], 1)
    exact = np.append(probability[~rare], probability[rare].sum())
    error = frequency.std(0, ddof=1) / np.sqrt(n_chains)
    off = np.abs(frequency.mean(0) - exact)
    tested = (exact * labels.size >= 400) & (off > 1e-12)  # one class of all is exact
    with np.errstate(divide="ignore"):
        return np.max(off[tested] / error[tested], initial=0.0)


def ising(shape, temperature):
    """All states (2^N, N), their energies (2^N,) and Boltzmann weights, summing to 1."""
    n_sites = shape[0] * shape[1]
    states = np.array(list(itertools.product((-1, 1), repeat=n_sites)))
    energy = -sum(states[:, a] * states[:, b] for a, b in bonds(shape))
    weight = np.exp(-(energy - energy.min()) / temperature)
    return states, energy, weight / weight.sum()


def xy(shape, temperature, n_angles=24):
    """Mean energy and its variance of XY, by the trapezoidal rule over all angles but one.

    Exact up to exp(-n_angles) or so: the integrand is analytic and periodic.
    """
    n_sites = shape[0] * shape[1]
    angles = 2 * np.pi * np.arange(n_angles) / n_angles
    axes = np.meshgrid(*[angles] * (n_sites - 1), indexing="ij", sparse=True)
    theta = [np.zeros([1] * (n_sites - 1)), *axes]
    energy = -sum(np.cos(theta[a] - theta[b]) for a, b in bonds(shape))
    energy = np.broadcast_to(energy, [n_angles] * (n_sites - 1))
    weight = np.exp(-(energy - energy.min()) / temperature)
    mean = (weight * energy).sum() / weight.sum()
    return mean, (weight * (energy - mean) ** 2).sum() / weight.sum()


def z_score(per_chain, exact):
    """Deviation from ``exact`` of the mean over independent chains, in its standard errors."""
    per_chain = np.asarray(per_chain, float)
    error = per_chain.std(ddof=1) / np.sqrt(len(per_chain))
    return (per_chain.mean() - exact) / error
