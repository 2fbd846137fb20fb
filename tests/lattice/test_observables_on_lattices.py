"""Observables on every lattice, against sums over sites in space: positions, distances, twists."""

import itertools
import math

import numpy as np
import pytest
import torch

from topoml._core.errors import InputError
from topoml.lattice import (
    XY,
    ConstrainedXY,
    FullyFrustratedXY,
    GeneralizedXY,
    Villain,
    half_vortices,
    helicity_modulus,
    helicity_terms,
    magnetisation,
    second_moment_correlation_length,
    simulate,
    structure_factors,
    vortex_density,
    vortices,
)
from topoml.phases import estimates

ROOT = math.sqrt(3)
SHAPES = {
    "chain": (6,),
    "square": (4, 4),
    "cubic": (4, 4, 4),
    "hypercubic": (3, 3, 3, 3),
    "triangular": (4, 4),
    "honeycomb": (4, 4, 2),
}


class Space:
    """Sites of a lattice in space, bonds of length 1; the periods are those of its sides."""

    def __init__(self, lattice, shape):
        if lattice == "honeycomb":
            cell, shape, basis = ROOT * np.array([[1, 0], [0.5, ROOT / 2]]), shape[:2], 2
        else:
            cell, basis = np.eye(len(shape)), 1
            if lattice == "triangular":
                cell = np.array([[1, 0], [-0.5, ROOT / 2]])
        origins = np.array(list(itertools.product(*map(range, shape)))) @ cell
        offsets = np.arange(basis)[:, None] * cell.sum(0) / 3
        self.cell = cell
        self.x = (origins[:, None] + offsets).reshape(-1, len(cell))
        self.periods = np.array(shape)[:, None] * cell
        self.volume = abs(np.linalg.det(self.periods))
        self.side = np.linalg.norm(cell[0])

    def bonds(self):
        """Both ends and the vector between, of all pairs at distance 1."""
        d = self.x[None] - self.x[:, None]
        found = []
        for n in itertools.product((-1, 0, 1), repeat=len(self.periods)):
            vector = d + np.array(n) @ self.periods
            near = np.isclose(np.linalg.norm(vector, axis=-1), 1)
            found += [(a, b, vector[a, b]) for a, b in np.argwhere(near) if a < b]
        a, b, vector = zip(*found, strict=True)
        return np.array(a), np.array(b), np.array(vector)

    def around(self, centre, radius):
        """The sites at a distance from a point, counter-clockwise."""
        found = []
        for n in itertools.product((-1, 0, 1), repeat=len(self.periods)):
            d = self.x + np.array(n) @ self.periods - centre
            near = np.isclose(np.linalg.norm(d, axis=1), radius)
            found += [(math.atan2(*d[k, ::-1]), k) for k in np.flatnonzero(near)]
        return [k for _, k in sorted(found)]

    def longest_waves(self):
        """The shortest wave vectors other than 0."""
        reciprocal = 2 * np.pi * np.linalg.inv(self.periods).T
        n = np.array(list(itertools.product((-2, -1, 0, 1, 2), repeat=len(reciprocal))))
        k = n @ reciprocal
        length = np.linalg.norm(k, axis=1)
        shortest = length[length > 1e-9].min()
        return k[np.isclose(length, shortest)]


def fields(lattice, n=3, seed=0):
    return np.random.default_rng(seed).normal(0, 1.5, (n, *SHAPES[lattice]))


@pytest.mark.parametrize("lattice", SHAPES)
def test_magnetisation(lattice):
    x = fields(lattice)
    np.testing.assert_allclose(
        magnetisation(x, lattice=lattice), x.reshape(3, -1).mean(1), rtol=1e-12
    )
    angles = magnetisation(x, manifold="circle", lattice=lattice)
    np.testing.assert_allclose(angles[:, 1], np.sin(x).reshape(3, -1).mean(1), rtol=1e-12)
    vectors = np.stack([x, -x, 2 * x], -1)
    found = magnetisation(torch.from_numpy(vectors), manifold="sphere", lattice=lattice)
    np.testing.assert_allclose(found[:, 2], 2 * x.reshape(3, -1).mean(1), rtol=1e-12)


@pytest.mark.parametrize("lattice", SHAPES)
def test_structure_factors(lattice):
    """Of the sites in space, over all of the shortest wave vectors."""
    x, space = fields(lattice), Space(lattice, SHAPES[lattice])
    flat = x.reshape(3, -1)
    phase = np.exp(1j * space.longest_waves() @ space.x.T)
    expected = (
        flat.sum(1) ** 2 / flat.shape[1],
        (np.abs(flat @ phase.T) ** 2).mean(1) / flat.shape[1],
    )
    np.testing.assert_allclose(structure_factors(x, lattice=lattice), expected, rtol=1e-10)
    of_torch = structure_factors(torch.from_numpy(x), lattice=lattice)
    np.testing.assert_allclose(torch.stack(of_torch), expected, rtol=1e-10)
    two = structure_factors(np.stack([x, -2 * x], -1), manifold="sphere", lattice=lattice)
    np.testing.assert_allclose(two, 5 * np.array(expected), rtol=1e-10)


# the Laplacian of space is this times the differences across the bonds
WEIGHT = {"triangular": 2 / 3, "honeycomb": 4 / 3}


@pytest.mark.parametrize("lattice", SHAPES)
def test_correlation_length_of_a_gaussian_field(lattice):
    """A field of mass 1 / xi: its covariance, exactly, as that of a batch."""
    shape = {"honeycomb": (12, 12, 2), "cubic": (6, 6, 6)}.get(lattice, SHAPES[lattice])
    space, xi = Space(lattice, shape), 2.5
    a, b, _ = space.bonds()
    precision = np.eye(len(space.x)) / xi**2
    for i, j, sign in ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1)):
        np.add.at(precision, (i, j), sign * WEIGHT.get(lattice, 1.0))
    value, vector = np.linalg.eigh(precision)
    batch = (vector / np.sqrt(value)).T.reshape(-1, *shape)
    found = float(second_moment_correlation_length(batch, lattice=lattice))
    rel = 0.01 if lattice == "honeycomb" else 1e-9  # two sites a cell: to the order of 1 / L^2
    assert found == pytest.approx(xi / (shape[0] * space.side), rel=rel)


def cosine(d):
    return -d.cos()


def generalized(d):
    return -(0.3 * d.cos() + 0.7 * (3 * d).cos())


def villain(d):
    n = torch.arange(-9, 10, dtype=torch.float64)
    return -0.8 * torch.logsumexp(-1.2 / (2 * 0.8) * (d[..., None] - 2 * torch.pi * n) ** 2, -1)


CASES = [(XY(lattice=name), cosine) for name in SHAPES]
CASES += [(GeneralizedXY(0.3, 3, lattice), generalized) for lattice in ("square", "triangular")]
CASES += [(Villain(1.2, lattice), villain) for lattice in ("square", "cubic", "honeycomb")]


@pytest.mark.parametrize(("model", "law"), CASES, ids=[str(model) for model, _ in CASES])
def test_helicity_is_the_answer_to_a_twist(model, law):
    """First and second derivatives of the energy by a field along each axis of space."""
    shape = SHAPES[model.lattice]
    theta, space = fields(model.lattice), Space(model.lattice, shape)
    a, b, vector = space.bonds()
    needed = 0.8 if isinstance(model, Villain) else None
    c, s = model.helicity_terms(theta, temperature=needed)
    dim = len(space.periods)
    for k, x in enumerate(torch.from_numpy(theta.reshape(len(theta), -1))):

        def energy(A, x=x):
            return law(x[b] - x[a] + torch.from_numpy(vector) @ A).sum()

        at = torch.zeros(dim, dtype=torch.float64)
        first = torch.autograd.functional.jacobian(energy, at)
        second = torch.autograd.functional.hessian(energy, at)
        assert c[k] == pytest.approx(second.trace().item() / (dim * space.volume), rel=1e-9)
        assert s[k] == pytest.approx((first**2).sum().item() / (dim * space.volume), rel=1e-9)
    of_torch = model.helicity_terms(torch.from_numpy(theta), temperature=needed)
    np.testing.assert_allclose(torch.stack(of_torch), [c, s], rtol=1e-9)


def test_helicity_of_the_fully_frustrated_model():
    """The same, the flux by numbers: in every second column the bonds down are turned by pi."""
    theta = fields("square")
    c, s = FullyFrustratedXY(1.5).helicity_terms(theta)
    turn = np.array([0, np.pi, 0, np.pi])
    down, right = np.roll(theta, -1, 1) - theta - turn, np.roll(theta, -1, 2) - theta
    cosines = sum(np.cos(d).sum((1, 2)) for d in (down, right))
    sines = sum(np.sin(d).sum((1, 2)) ** 2 for d in (down, right))
    np.testing.assert_allclose(c, 1.5 * cosines / 32, rtol=1e-12)
    np.testing.assert_allclose(s, 1.5**2 * sines / 32, rtol=1e-12)
    vectors = FullyFrustratedXY().ordered((4, 4))
    ground = np.arctan2(vectors[..., 1], vectors[..., 0])
    c, s = FullyFrustratedXY().helicity_terms(ground)
    assert c == pytest.approx(1 / math.sqrt(2))  # all bonds at pi / 4
    assert s == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize(
    "model", [XY(lattice="chain"), GeneralizedXY(0.3, lattice="chain"), Villain(lattice="chain")]
)
def test_helicity_of_rings(model):
    r"""T L <n^2> with the weights lambda_n^L of the Fourier coefficients of a bond's weight."""
    size, t = 4, 0.7
    d = 2 * np.pi * np.arange(256) / 256
    law = {
        "xy": np.cos(d) / t,
        "generalized-xy": (0.3 * np.cos(d) + 0.7 * np.cos(2 * d)) / t,
        "villain": np.log(
            sum(np.exp(-((d - 2 * np.pi * n) ** 2) / (2 * t)) for n in range(-9, 11))
        ),
    }[model.name]
    weight = np.fft.fft(np.exp(law)).real ** size
    n = np.fft.fftfreq(256, 1 / 256)
    exact = t * size * (n**2 * weight).sum() / weight.sum()
    e = simulate(model, sizes=[size], temperatures=[t], samples=40_000, seed=3, n_jobs=1)
    found = estimates.helicity_modulus(e, size=size, temperature=t)
    assert abs(found.value - exact) < 4 * found.error < 0.1 * exact
    wrong = XY(lattice="chain") if model.name != "xy" else GeneralizedXY(0.7, lattice="chain")
    c, s = wrong.helicity_terms(e.configurations(size=size, temperature=t))
    assert abs((c - s / t).mean() - exact) > 4 * found.error  # the control: another law


# centres of the plaquettes of a cell in its two sides, and their distance from the corners
PLAQUETTES = {
    "square": ([(1 / 2, 1 / 2)], math.sqrt(1 / 2), 4),
    "triangular": ([(2 / 3, 1 / 3), (1 / 3, 2 / 3)], 1 / ROOT, 3),
    "honeycomb": ([(2 / 3, -1 / 3)], 1.0, 6),
}


@pytest.mark.parametrize("lattice", PLAQUETTES)
def test_vortices(lattice):
    """Around the corners in space, by complex numbers; 0 in all, and turned by any angle."""
    shape = (5, 4, 2) if lattice == "honeycomb" else (5, 4)
    theta, space = np.random.default_rng(9).uniform(-9, 9, (6, *shape)), Space(lattice, shape)
    centres, radius, n_corners = PLAQUETTES[lattice]
    z = np.exp(1j * theta.reshape(6, -1))
    expected = np.zeros((6, 5, 4, len(centres)))
    for i, j, k in np.ndindex(5, 4, len(centres)):
        corners = space.around((np.array([i, j]) + centres[k]) @ space.cell, radius)
        assert len(corners) == n_corners
        turns = np.angle(np.roll(z[:, corners], -1, 1) / z[:, corners]).sum(1)
        expected[:, i, j, k] = np.rint(turns / (2 * np.pi))
    if lattice != "triangular":
        expected = expected[..., 0]
    found = vortices(theta, lattice=lattice)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, expected)
    assert not found.reshape(6, -1).sum(1).any()
    assert (np.abs(found).max() == 2) == (lattice == "honeycomb")
    of_torch = vortices(torch.from_numpy(theta), lattice=lattice)
    np.testing.assert_array_equal(of_torch, expected)
    doubled = half_vortices(theta / 2, lattice=lattice)
    np.testing.assert_array_equal(doubled, expected)
    density = vortex_density(theta, lattice=lattice)
    np.testing.assert_allclose(density, np.abs(expected).reshape(6, -1).mean(1))


def test_chirality_of_the_triangular_antiferromagnet():
    """Three sublattices at 120 degrees: 1 and -1, also at low temperature; disordered above."""
    model = XY(-1.0, "triangular")
    order = []
    for t in (0.05, 2.0):
        e = simulate(model, sizes=[6], temperatures=[t], samples=64, seed=0, n_jobs=1)
        v = vortices(e.configurations(size=6, temperature=t), lattice="triangular").astype(float)
        order.append(np.abs((v[..., 0] - v[..., 1]).mean((2, 3)) / 2).mean())
    assert order[0] == 1.0
    assert order[1] < 0.4


def test_free_functions_have_a_lattice():
    theta = fields("honeycomb")
    c, s = helicity_terms(theta, 1.5, lattice="honeycomb")
    found = helicity_modulus(theta, 0.9, 1.5, lattice="honeycomb")
    assert float(found) == pytest.approx(c.mean() - s.mean() / 0.9, rel=1e-12)
    np.testing.assert_allclose(c, XY(1.5, "honeycomb").helicity_terms(theta)[0], rtol=1e-13)


def test_refusals():
    with pytest.raises(InputError, match="has shape \\(4, 4\\); expected \\(\\*batch, L0, L1, L2"):
        magnetisation(np.ones((4, 4)), lattice="cubic")
    with pytest.raises(InputError, match="`lattice` is 'kagome'; expected one of 'chain'"):
        magnetisation(np.ones((4, 4)), lattice="kagome")
    with pytest.raises(InputError, match="expected L x L x L with L of at least 2"):
        structure_factors(np.ones((2, 4, 4, 3)), lattice="cubic")
    with pytest.raises(InputError, match="expected L x L x 2 with L of at least 2"):
        structure_factors(np.ones((4, 5, 2)), lattice="honeycomb")
    with pytest.raises(InputError, match=r"^`model` is ConstrainedXY.*two derivatives"):
        ConstrainedXY(1.0).helicity_terms(np.zeros((3, 3)))
    with pytest.raises(InputError, match="`temperature` is None; expected a finite number"):
        Villain().helicity_terms(np.zeros((3, 3)))
    with pytest.raises(InputError, match="`lattice` is 'cubic'; expected 'square', 'triangular'"):
        vortices(np.zeros((3, 3, 3)), lattice="cubic")
    for shape in [(10, 6, 6), (4, 4, 3), (4, 4, 1)]:  # no honeycomb, whose cells have two sites
        for use in (
            XY(lattice="honeycomb").helicity_terms,
            lambda x: magnetisation(x, lattice="honeycomb"),
            lambda x: vortices(x, lattice="honeycomb"),
        ):
            with pytest.raises(InputError, match=r"expected \(L0, L1, 2\), two sites a cell"):
                use(np.zeros(shape))
    with pytest.raises(InputError, match=r"^`theta` is of type list"):
        helicity_terms([[0.0]])


def test_integers_are_angles_too():
    theta = np.random.default_rng(1).integers(0, 200, (3, 4, 4), np.uint8)
    for given in (theta, torch.from_numpy(theta)):
        found = helicity_terms(given, 0.5)
        expected = helicity_terms(theta.astype(float), 0.5)
        np.testing.assert_allclose(np.stack([np.asarray(x) for x in found]), expected, rtol=1e-12)
    assert not np.any(helicity_terms(theta, 0.0))
