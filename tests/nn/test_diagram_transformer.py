"""DiagramTransformer: sets in, whatever their order and their company; what it can learn."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.features.made import made, random_samples
from topoml._core.errors import InputError
from topoml.nn import DiagramTransformer

from . import learnable

SMALL = {"homology_dimensions": (0, 1), "embed_dim": 8, "num_heads": 2}
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}  # some hundred roundings


def layer(seed=0, **change):
    torch.manual_seed(seed)
    return DiagramTransformer(**(SMALL | change))


def same(a, b):
    assert a.dtype == b.dtype
    assert (a - b).abs().max() <= TOLERANCE[a.dtype] * (1 + b.abs().max())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_sample_does_not_depend_on_its_batch(dtype, training):
    """Up to rounding: padding does not leak, whatever its length."""
    ours = layer().to(dtype).train(training)
    rng = np.random.default_rng(1)
    samples = [*random_samples(rng, 6, 20), [], *random_samples(rng, 1, 300)]
    d = made(samples, dtype=dtype)
    d.points.requires_grad_()
    out = ours(d)
    (gradient,) = torch.autograd.grad(out.sin().sum(), d.points)
    for i in range(len(samples)):
        alone = made([samples[i]], dtype=dtype)
        alone.points.requires_grad_()
        single = ours(alone)
        same(single[0], out[i])
        (part,) = torch.autograd.grad(single.sin().sum(), alone.points)
        if len(part):
            same(part, gradient[d.sample == i])
    with torch.no_grad():
        same(ours(d), out)


def test_order_does_not_count():
    ours = layer().double()
    rng = np.random.default_rng(2)
    sample = random_samples(rng, 1, 60, essential=False)[0]
    expected = ours(made([sample]))
    for _ in range(5):
        same(ours(made([[sample[i] for i in rng.permutation(len(sample))]])), expected)


def test_the_test_sees_a_layer_that_knows_the_order():
    class Ordered(DiagramTransformer):
        def _padded(self, diagrams):
            tokens, padding = super()._padded(diagrams)
            place = 1e-6 * torch.arange(tokens.shape[1])
            return tokens + place[:, None] * torch.linspace(0, 1, 8), padding

    ours = Ordered(**SMALL).double()
    sample = random_samples(np.random.default_rng(2), 1, 60, essential=False)[0]
    with pytest.raises(AssertionError):
        same(ours(made([sample])), ours(made([sample[::-1]])))


def test_every_part_of_a_token_counts():
    ours = layer().double()
    base = ours(made([[(0, 0.0, 1.0), (0, 0.5, 2.0)]]))
    for other in ([(0, 0.0, 1.0), (1, 0.5, 2.0)], [(0, 0.1, 1.1), (0, 0.5, 2.0)],
                  [(0, 0.0, 1.1), (0, 0.5, 2.0)], [(0, 0.0, 1.0)], []):  # fmt: skip
        assert (ours(made([other])) - base).abs().max() > 1e-4


def test_contract():
    ours = layer()
    learnable.check_order(ours, 1e-5)
    learnable.check_finite_gradients(ours, 1e30, 1e30)  # parameters are float32
    learnable.check_copies(ours, layer(1))
    for shape in [(), (6,), (2, 3), (1, 2, 1)]:
        samples = random_samples(np.random.default_rng(4), math.prod(shape))
        assert ours(made(samples, batch_shape=shape)).shape == (*shape, 8)
    d = made([[(0, 0.0, math.inf)], [], [(0, -math.inf, 0.0)]])
    out = ours(d)
    assert out.isfinite().all()
    same(out, out[[1, 1, 1]])
    assert ours(d[:0]).shape == (0, 8)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        assert ours(made([[(0, 0.0, 1.0)]], dtype=dtype)).dtype == dtype


def test_gradcheck():
    learnable.check_gradcheck(layer(num_layers=1, embed_dim=4), fast_mode=True)


def test_fit():
    d = made(random_samples(np.random.default_rng(5), 9))
    ours = layer()
    before = ours(d)
    ours.fit(d)
    plane = torch.stack([d.points[:, 0], d.lifetime], 1)
    torch.testing.assert_close(ours.center.double(), plane.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.scale.double(), plane.std(0, correction=0), rtol=1e-6, atol=0)
    assert not torch.equal(ours(d), before)
    with pytest.raises(InputError, match=r"^`diagrams` has no finite class"):
        ours.fit(made([[]]))


def test_training():
    """Whether two classes are born near each other: no sum over single classes knows."""
    rng = np.random.default_rng(6)
    samples, labels = [], []
    for i in range(500):
        x, y = rng.uniform(0, 1, 2)
        samples.append([(0, x, x + 0.3), (1, x if i % 2 else y, 2.0)])
        labels.append(i % 2)
    d, y = made(samples, dtype=torch.float32), torch.tensor(labels)
    torch.manual_seed(1)
    body = DiagramTransformer(**(SMALL | {"embed_dim": 32})).fit(d)
    model = nn.Sequential(body, nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(150):
        chosen = torch.arange(80 * (step % 5), 80 * (step % 5) + 80)
        loss = nn.functional.cross_entropy(model(d[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (model(d[400:]).argmax(1) == y[400:]).float().mean() > 0.8
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"homology_dimensions": ()}, r"`homology_dimensions` is \(\); expected"),
        ({"embed_dim": 9}, "`embed_dim` is 9; expected a multiple of num_heads = 2"),
        ({"embed_dim": 0}, "`embed_dim` is 0; expected an integer"),
        ({"num_heads": 1.5}, "`num_heads` is 1.5;"),
        ({"num_layers": 0}, "`num_layers` is 0;"),
        ({"dim_feedforward": 0}, "`dim_feedforward` is 0;"),
        ({"dropout": 1}, r"`dropout` is 1; expected a number in \[0, 1\)"),
    ],
)
def test_mistakes_are_found_at_construction(change, message):
    with pytest.raises(InputError, match="^" + message):
        DiagramTransformer(**(SMALL | change))


def test_input_is_checked():
    for call in (layer(), layer().fit):
        with pytest.raises(InputError, match=r"^`diagrams` is Tensor; expected"):
            call(torch.zeros(2, 3))
        with pytest.raises(InputError, match=r"^`diagrams` has homology_dimensions \(1, 0\)"):
            call(made([[]], homology_dimensions=(1, 0)))
