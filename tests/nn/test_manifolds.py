"""Manifold layers against round trips, geomstats, mpmath and finite differences."""

import mpmath
import pytest
import torch
from torch import nn

from topoml._core.errors import InputError
from topoml.lie import SO, SPD, SU, Hyperbolic, Lorentz, Sphere, Torus
from topoml.nn.equivariance import Action, assert_equivariant
from topoml.nn.manifolds import BiMap, FrechetMeanPool, LieExp, LieLog, LogEig, ReEig

from .equivariant import Battery, generator, randn


def positive(*batch, n=4, dtype=torch.float64, seed=0):
    x = randn(*batch, n, n, seed=seed)
    return (x @ x.mT / n + 0.1 * torch.eye(n)).to(dtype)


def orthogonal(n=4):
    """Conjugation by one orthogonal matrix, which spectral functions commute with."""

    def draw(x, g):
        return SO(n).random_haar(generator=g, dtype=x.dtype)

    def act(g, x):
        return g @ x @ g.mT

    return Action(draw, act, act)


@pytest.mark.parametrize("group", [SO(3), SO(4), SU(2), SU(3)])
def test_exp_and_log_are_inverse(group):
    v = (0.3 * randn(5, group.dim)).requires_grad_()
    again = LieLog(group)(LieExp(group)(v))
    torch.testing.assert_close(again, v, rtol=0, atol=1e-13)
    weight = randn(5, group.dim, seed=1)
    (grad,) = torch.autograd.grad((again * weight).sum(), v)
    torch.testing.assert_close(grad, weight, rtol=0, atol=1e-12)
    at_zero = torch.zeros(2, group.dim, dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(
        (LieLog(group)(LieExp(group)(at_zero)) * weight[:2]).sum(), at_zero
    )
    torch.testing.assert_close(grad, weight[:2], rtol=0, atol=1e-13)


def near(group, n=4, batch=2, dtype=torch.float64):
    """Elements in a ball, around a random one."""
    real = 0.2 * randn(batch, n, group.dim, dtype=torch.float64)
    wide = torch.complex128 if group.is_complex else torch.float64
    center = group.random_haar(batch, 1, generator=generator(3), dtype=wide)
    return (center @ LieExp(group)(real)).to(dtype.to_complex() if group.is_complex else dtype)


def translated(group, side):
    """From the left or the right by one Haar element."""

    def draw(x, g):
        return group.random_haar(generator=g, dtype=x.dtype)

    def act(g, x):
        return g @ x if side == "left" else x @ g

    return Action(draw, act, act)


class TestMean(Battery):
    group = SO(3)

    def layer(self):
        return FrechetMeanPool(self.group)

    def input(self, dtype):
        return near(self.group, dtype=dtype)

    def symmetries(self):
        return {side: translated(self.group, side) for side in ("left", "right")}

    def broken(self):
        class Average(nn.Module):
            def forward(self, g):
                return g.mean(-3) + 1e-6

        return Average()

    test_finite_at_zero = None  # 0 is no rotation
    test_every_parameter_counts = None  # there are none
    test_compiled_without_a_break = None  # below, with fewer iterations

    def test_wrong_input(self):
        with pytest.raises(InputError, match=r"^`x` has shape \(3, 3\); expected \(\*batch, n, 3"):
            self.layer()(torch.eye(3))
        with pytest.raises(InputError, match=r"^`weight` is torch.float32 of shape \(2,\); expec"):
            self.layer()(torch.eye(3).expand(2, 5, 3, 3), torch.ones(2))


class TestMeanSU3(TestMean):
    group = SU(3)
    test_wrong_input = None


def cloud(space, n=4, batch=2, scale=0.3):
    """Points around a base point of each batch."""
    base = space.random(batch, 1, scale=1.0, generator=generator(3), dtype=torch.float64)
    shape = (batch, n, *space.point_shape)
    v = space.to_tangent(scale * randn(*shape, seed=4), base)
    return space.exp(v, base.expand(shape))


class TestMeanSphere(TestMean):
    """Under rotations and reflections."""

    space = Sphere(2)

    def layer(self):
        return FrechetMeanPool(self.space)

    def input(self, dtype):
        base = torch.nn.functional.normalize(randn(2, 1, 3, seed=3), dim=-1)
        v = self.space.to_tangent(0.4 * randn(2, 4, 3, seed=4), base)
        return self.space.exp(v, base).to(dtype)

    def symmetries(self):
        def draw(x, g):
            return SO(3).random_haar(generator=g, dtype=x.dtype) * (-1) ** int(g.initial_seed())

        def act(g, x):
            return x @ g.mT

        return {"orthogonal": Action(draw, act, act)}

    def broken(self):
        class Average(nn.Module):
            def forward(self, x):
                return torch.nn.functional.normalize(x.mean(-2) + 0.1, dim=-1)

        return Average()

    test_wrong_input = None


class TestMeanSPD(TestMeanSphere):
    """Under P -> A P A^T."""

    space = SPD(3)

    def input(self, dtype):
        return cloud(self.space).to(dtype)

    def symmetries(self):
        def draw(x, g):
            return torch.eye(3, dtype=x.dtype) + 0.2 * torch.randn(3, 3, generator=g, dtype=x.dtype)

        def act(g, x):
            return g @ x @ g.mT

        return {"congruence": Action(draw, act, act)}

    def broken(self):
        class LogEuclidean(nn.Module):
            """A mean, which not every congruence commutes with."""

            def forward(self, x):
                return torch.matrix_exp(LogEig()(x).mean(-3))

        return LogEuclidean()


class TestMeanHyperbolic(TestMeanSphere):
    """Under boosts and rotations."""

    space = Hyperbolic(3)

    def input(self, dtype):
        return cloud(self.space).to(dtype)

    def symmetries(self):
        def draw(x, g):
            return Lorentz().random(scale=0.5, generator=g, dtype=x.dtype)

        def act(g, x):
            return x @ g.mT

        return {"Lorentz": Action(draw, act, act)}

    def broken(self):
        class Average(nn.Module):
            def forward(self, x):
                return Hyperbolic(3).project(x.mean(-2))

        return Average()


@pytest.mark.parametrize("space", [SPD(3), Hyperbolic(2), Sphere(3), Torus(2)], ids=str)
def test_mean_is_the_least_sum_of_squares(space):
    """No point nearby has a smaller one; of two, it is on the geodesic between them."""
    if hasattr(space, "random"):
        x = cloud(space)
    else:
        base = space.random_haar(2, 1, generator=generator(3), dtype=torch.float64)
        x = space.exp(space.to_tangent(0.3 * randn(2, 4, *space.point_shape, seed=4), base), base)
    weight = randn(2, 4, seed=5).abs() + 0.1
    mean = FrechetMeanPool(space, 60)(x, weight)

    def spread(y):
        return (weight * space.distance(x, y[:, None]) ** 2).sum(1)

    least = spread(mean)
    for seed in range(20):
        v = space.to_tangent(1e-3 * randn(2, *space.point_shape, seed=seed), mean)
        assert (spread(space.exp(v, mean)) > least).all()
    share = weight[:, 1] / weight[:, :2].sum(1)
    two = FrechetMeanPool(space, 60)(x[:, :2], weight[:, :2])
    torch.testing.assert_close(two, space.geodesic(x[:, 0], x[:, 1], share), rtol=0, atol=1e-9)


@pytest.mark.parametrize("space", [SPD(2), Hyperbolic(2)], ids=str)
def test_mean_converges_from_far(space):
    """Where steps of length 1 run off."""
    x = cloud(space, n=3, scale=6.0)
    mean = FrechetMeanPool(space, 400)(x)
    again = FrechetMeanPool(space, 401)(x)
    assert (space.distance(mean, again) < 1e-6).all()


@pytest.mark.parametrize("group", [SO(3), SU(2)])
def test_mean_is_stationary(group):
    """The weighted logarithms around it cancel; of two, it is on the geodesic between them."""
    g = near(group)
    weight = randn(2, 4, seed=5).abs() + 0.1
    mean = FrechetMeanPool(group)(g, weight)
    logs = LieLog(group)(mean.mH[:, None] @ g)
    # roundings, of 4 logarithms
    assert (weight[..., None] * logs).sum(1).abs().max() < 1e-14 * 4 * 10
    order = torch.tensor([2, 0, 3, 1])
    again = FrechetMeanPool(group)(g[:, order], weight[:, order])
    torch.testing.assert_close(again, mean, rtol=0, atol=1e-14 * 10)
    share = (weight[:, 1] / weight[:, :2].sum(1))[:, None]
    between = LieExp(group)(share * LieLog(group)(g[:, 0].mH @ g[:, 1]))
    two = FrechetMeanPool(group)(g[:, :2], weight[:, :2])
    torch.testing.assert_close(two, g[:, 0] @ between, rtol=0, atol=1e-13)


def test_mean_of_equal_elements():
    g = near(SO(3), n=1).expand(2, 3, 3, 3).clone().requires_grad_()
    mean = FrechetMeanPool(SO(3))(g)
    torch.testing.assert_close(mean, g[:, 0])
    mean.sum().backward()
    assert g.grad.isfinite().all()


def by_mpmath(x, function):
    with mpmath.workdps(40):
        values, vectors = mpmath.eigsy(mpmath.matrix(x.tolist()))
        middle = mpmath.diag([function(v) for v in values])
        out = vectors * middle * vectors.T
        rows = [[float(out[i, j]) for j in range(len(x))] for i in range(len(x))]
        return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("layer", "function"),
    [(LogEig(), mpmath.log), (ReEig(0.3), lambda v: max(v, mpmath.mpf(0.3)))],
)
def test_spectral_functions_in_high_precision(layer, function):
    for x in positive(4, n=3):
        expected = by_mpmath(x, function)
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("gap", [0.0, 1e-13, 1e-7, 1e-4, 1e-2, 1.0])
def test_log_gradient_at_close_eigenvalues(gap):
    """d log X [E] in the eigenbasis: the divided differences, in 50 digits."""
    values = torch.tensor([0.5, 0.5 + gap, 2.0], dtype=torch.float64)
    q = SO(3).random_haar(generator=generator(), dtype=torch.float64)
    x = (q * values) @ q.mT
    x = x.requires_grad_()
    weight = randn(3, 3)
    weight = weight + weight.mT
    (grad,) = torch.autograd.grad((LogEig()(x) * weight).sum(), x)
    found = q.mT @ grad @ q
    inner = q.mT @ weight @ q
    with mpmath.workdps(50):
        v = [mpmath.mpf(float(a)) for a in values]
        ratio = [
            [1 / a if a == b else (mpmath.log(a) - mpmath.log(b)) / (a - b) for b in v] for a in v
        ]
    expected = inner * torch.tensor([[float(a) for a in row] for row in ratio], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-13)


@pytest.mark.parametrize("layer", [LogEig(), ReEig(0.3)])
def test_gradcheck_of_symmetric_parts(layer):
    x = positive(2, n=3).requires_grad_()

    def run(x):
        return layer((x + x.mT) / 2)

    assert torch.autograd.gradcheck(run, (x,))
    twice = torch.eye(3, dtype=torch.float64)[None].clone().requires_grad_()
    if isinstance(layer, LogEig):
        assert torch.autograd.gradcheck(run, (twice,))


def test_rectified_gradient_at_equal_and_low_eigenvalues():
    """1 above the floor, 0 below, and in between the divided difference."""
    x = torch.diag(torch.tensor([2.0, 2.0, 0.1, 0.1], dtype=torch.float64)).requires_grad_()
    (grad,) = torch.autograd.grad(ReEig(0.5)(x).sum(), x)
    mixed = (2 - 0.5) / (2 - 0.1)
    expected = torch.ones(4, 4, dtype=torch.float64)
    expected[2:, 2:], expected[:2, 2:], expected[2:, :2] = 0, mixed, mixed
    torch.testing.assert_close(grad, expected, rtol=0, atol=1e-15)


class SPDNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.bimap, self.rectified, self.log = BiMap(4, 3), ReEig(0.2), LogEig()

    def forward(self, x):
        return self.log(self.rectified(self.bimap(x)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_spd_network(dtype):
    torch.manual_seed(0)
    net, x = SPDNet(), positive(5, dtype=dtype)
    weight = net.bimap.weight
    torch.testing.assert_close(weight @ weight.mT, torch.eye(3), rtol=0, atol=1e-5)
    y = net(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y, y.mT)
    (y - 1).square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().max() > 0 for p in net.parameters())
    twin = SPDNet()
    twin.load_state_dict(net.state_dict())
    assert torch.equal(twin(x), y)


def test_bimap_keeps_the_range_of_eigenvalues():
    torch.manual_seed(0)
    x = positive(20)
    low, high = torch.linalg.eigvalsh(x).aminmax(dim=-1)
    found = torch.linalg.eigvalsh(BiMap(4, 2).double()(x))
    assert (found > low[:, None] - 1e-12).all()
    assert (found < high[:, None] + 1e-12).all()


@pytest.mark.parametrize("layer", [ReEig(0.3), LogEig()])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_spectral_functions_commute_with_rotations(layer, dtype):
    assert_equivariant(layer, orthogonal(), positive(3, dtype=dtype), generator())
    with pytest.raises(AssertionError, match="differ by"):
        assert_equivariant(torch.exp, orthogonal(), positive(3, dtype=dtype), generator())


@pytest.mark.filterwarnings("ignore")
def test_compiled_without_a_break():
    torch.manual_seed(0)
    x = positive(2).requires_grad_()
    found = []
    net = nn.Sequential(ReEig(0.2), LogEig())
    for run in (net, torch.compile(net, fullgraph=True, backend="aot_eager")):
        y = run(x)
        found.append((y, torch.autograd.grad(y.square().sum(), x)[0]))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    mean, g = FrechetMeanPool(SO(3), 1), near(SO(3))
    compiled = torch.compile(mean, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(g), mean(g))


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (
            lambda: LogEig()(torch.diag(torch.tensor([1.0, -1.0]))),
            r"`x` has a matrix that is not p",
        ),
        (lambda: LogEig()(torch.zeros(2, 3)), r"`x` has shape \(2, 3\); expected"),
        (lambda: ReEig()(torch.zeros(2, 2, dtype=int)), r"`x` is torch.int64; expected"),
        (lambda: ReEig(0.0), r"`floor` is 0.0"),
        (lambda: BiMap(2, 3), r"`out_features` is 3; expected at most"),
        (lambda: BiMap(3, 2)(torch.eye(2)), r"`x` has shape \(2, 2\); expected \(\*batch, 3, 3\)"),
        (lambda: FrechetMeanPool(SO(3), 0), r"`n_iterations` is 0"),
    ],
)
def test_errors(run, message):
    with pytest.raises(InputError, match="^" + message):
        run()
