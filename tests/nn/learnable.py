"""What every learnable vectorisation has to satisfy, for one layer and one list of samples."""

import copy
import io
import pickle
from dataclasses import replace

import numpy as np
import torch

from tests.features.made import made, random_samples

EPS = torch.finfo(torch.float64).eps


def scrambled(layer, seed=0):
    """Parameters of any sign and no symmetry, so that no two of them can be exchanged unseen."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        parameter.data += 0.3 * torch.rand(parameter.shape, generator=generator).to(parameter)
    return layer


def check_samples_are_alone(layer, width, dtype):
    """Bit for bit, values and gradients: alone, among others, and in another order."""
    rng = np.random.default_rng(1)
    samples = [*random_samples(rng, 9, 70), [], random_samples(rng, 1, 700)[0]]
    grad = torch.from_numpy(rng.normal(size=(len(samples), width))).to(dtype)

    def run(chosen):
        d = made([samples[i] for i in chosen], dtype=dtype)
        d.points.requires_grad_()
        out = layer(d)
        assert out.dtype == dtype
        assert out.shape == (len(chosen), width)
        out.backward(grad[chosen])
        return out.detach(), [d.points.grad[d.sample == i] for i in range(len(chosen))]

    together, gradients = run(list(range(len(samples))))
    for chosen in ([3, 1, 10, 3, 7], *([i] for i in range(len(samples)))):
        out, parts = run(chosen)
        assert torch.equal(out, together[chosen])
        for part, i in zip(parts, chosen, strict=True):
            assert torch.equal(part, gradients[i])


def check_threads(layer):
    samples = [[(1, *row) for row in np.cumsum(np.random.default_rng(2).random((5000, 2)), 1)]]
    d = made(samples * 3)
    before = torch.get_num_threads()
    results = []
    for n in (1, 2):
        torch.set_num_threads(n)
        results.append(layer(d).detach())
    torch.set_num_threads(before)
    assert torch.equal(*results)


def check_order(layer, tolerance=1e-12):
    """Reversed rows give the same up to rounding."""
    sample = random_samples(np.random.default_rng(3), 1, 60, essential=False)[0]
    first, second = layer(made([sample])), layer(made([sample[::-1]]))
    assert not torch.equal(made([sample]).points, made([sample[::-1]]).points)
    assert (first - second).abs().max() <= tolerance * (1 + first.abs().max())


def check_shapes_and_empties(layer, width):
    for shape in [(), (6,), (2, 3), (1, 2, 3, 1)]:
        n = int(np.prod(shape))
        samples = random_samples(np.random.default_rng(4), n)
        assert layer(made(samples, batch_shape=shape)).shape == (*shape, width)
    d = made([[], []])
    d.points.requires_grad_()
    out = layer(d)
    assert out.shape == (2, width)
    assert out.isfinite().all()
    out.sum().backward()
    assert d.points.grad.shape == (0, 2)
    assert layer(d[:0]).shape == (0, width)
    essential = made([[(0, 0.0, np.inf)], []])
    assert torch.equal(layer(essential), layer(d).detach())
    infinite = made([[(0, -np.inf, 0.0)], []])
    assert torch.equal(layer(infinite), layer(d).detach())


def check_gradcheck(layer, *, fast_mode=False):
    layer = scrambled(copy.deepcopy(layer).double())
    samples = random_samples(np.random.default_rng(5), 3, 9, essential=False)
    for superlevel in (False, True):
        d = made(samples, superlevel=False)
        if superlevel:
            d = replace(d, points=-d.points, superlevel=True)
        names = [name for name, _ in layer.named_parameters()]
        parameters = [x.detach().clone().requires_grad_() for x in layer.parameters()]

        def run(points, *parameters, d=d, names=names):
            named = dict(zip(names, parameters, strict=True))
            return torch.func.functional_call(layer, named, replace(d, points=points))

        inputs = (d.points.clone().requires_grad_(), *parameters)
        assert torch.autograd.gradcheck(run, inputs, fast_mode=fast_mode)


def check_finite_gradients(layer, *far):
    """On the diagonal, twice the same, on a center, far away: no NaN and no infinity."""
    for dtype, away in zip((torch.float32, torch.float64), far, strict=True):
        for classes in (
            [(0, 0.25, 0.25), (1, 0.0, 0.0)],
            [(0, 0.0, 0.5), (0, 0.0, 0.5)],
            [(0, 0.0, away), (1, -away, away)],
            [(0, 0.0, 1e-40), (1, 0.0, 1e-310)],
            [(0, 0.5, 1.0), (1, 0.5, 1.0)],
        ):
            d = made([classes], dtype=dtype)
            d.points.requires_grad_()
            layer.zero_grad()
            out = layer(d)
            out.sum().backward()
            assert out.isfinite().all()
            assert d.points.grad.isfinite().all()
            for parameter in layer.parameters():
                assert parameter.grad is None or parameter.grad.isfinite().all()


def check_copies(layer, fresh):
    """The state_dict carries everything; deepcopy and pickle too."""
    d = made(random_samples(np.random.default_rng(6), 4))
    expected = layer(d)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    assert not torch.equal(fresh(d), expected)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), fresh):
        assert torch.equal(twin(d), expected)
    assert all(x.is_meta for x in copy.deepcopy(layer).to("meta").state_dict().values())
