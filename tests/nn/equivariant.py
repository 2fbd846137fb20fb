"""What every equivariant layer must pass: inherit `Battery` and say which layer, input, groups."""

import copy

import pytest
import torch

from topoml._core.errors import InputError
from topoml.nn.equivariance import TOLERANCES, assert_equivariant


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, dtype=torch.float64, seed=0):
    """Normal, rounded from float64, so that all dtypes see the same field."""
    wide = torch.complex128 if dtype.is_complex else torch.float64
    return torch.randn(*shape, generator=generator(seed), dtype=wide).to(dtype)


def tuple_of(x):
    return x if isinstance(x, tuple) else (x,)


class Battery:
    """Inherit, and give these three; ``broken`` is a twin that must fail one of the symmetries."""

    def layer(self):
        """A new layer or network; its parameters are drawn after a fixed seed, in float32."""
        raise NotImplementedError

    def input(self, dtype):
        """x, or the tuple of all arguments, of small lattices; ``dtype`` is a real one."""
        raise NotImplementedError

    def symmetries(self):
        """name -> a group of topoml.lie, an Action, or (group, options of assert_equivariant)."""
        raise NotImplementedError

    def broken(self):
        """A layer of the same shapes that lacks a symmetry."""
        raise NotImplementedError

    def built(self, dtype=torch.float64, make=None):
        """With parameters that are neither 0 nor 1, whatever they start with."""
        torch.manual_seed(0)
        layer = (make or self.layer)().to(dtype)
        g = generator(1)
        with torch.no_grad():
            for p in layer.parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=g, dtype=torch.float64).to(p.dtype))
        return layer

    def defects(self, layer, dtype):
        found = {}
        for name, group in self.symmetries().items():
            group, options = group if isinstance(group, tuple) else (group, {})
            found[name] = assert_equivariant(
                layer, group, self.input(dtype), generator(2), **options
            )
        return found

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    def test_equivariant(self, dtype):
        defects = self.defects(self.built(dtype), dtype)
        assert max(defects.values()) <= TOLERANCES[dtype]

    def test_broken_twin_fails(self):
        with pytest.raises(AssertionError, match="differ by"):
            self.defects(self.built(make=self.broken), torch.float64)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    def test_dtype(self, dtype):
        """In = out, and float32 is float64 up to rounding: a thousand of them for four layers."""
        x = tuple_of(self.input(dtype))
        found = tuple_of(self.built(dtype)(*x))
        expected = tuple_of(self.built()(*tuple_of(self.input(torch.float64))))
        for y, z in zip(found, expected, strict=True):
            assert (y.real if y.is_complex() else y).dtype == dtype
            assert (y - z).abs().max() <= 1000 * torch.finfo(dtype).eps * z.abs().max()

    def test_device(self):
        """No constant of another device inside."""
        layer = self.built().to("meta")
        for y in tuple_of(layer(*(x.to("meta") for x in tuple_of(self.input(torch.float64))))):
            assert y.device.type == "meta"

    def test_gradcheck(self):
        """In the input and in all parameters, along random directions."""
        layer = self.built()
        x = tuple(part[:1].clone().requires_grad_() for part in tuple_of(self.input(torch.float64)))
        names = [name for name, _ in layer.named_parameters()]

        def run(*values):
            parameters = dict(zip(names, values[len(x) :], strict=True))
            return torch.func.functional_call(layer, parameters, values[: len(x)])

        leaves = [p.detach().clone().requires_grad_() for p in layer.parameters()]
        assert torch.autograd.gradcheck(run, (*x, *leaves), fast_mode=True)

    def test_every_parameter_counts(self):
        layer = self.built()
        y = tuple_of(layer(*tuple_of(self.input(torch.float64))))
        sum((part - randn(*part.shape, seed=3)).abs().square().sum() for part in y).backward()
        for name, p in layer.named_parameters():
            assert p.grad is not None, name
            assert p.grad.abs().max() > 0, name

    def test_finite_at_zero(self):
        """Value and gradient at fields of zeros."""
        layer = self.built()
        x = tuple(torch.zeros_like(p, requires_grad=True) for p in tuple_of(self.zeros()))
        y = tuple_of(layer(*x))
        sum(torch.view_as_real(p).sum() if p.is_complex() else p.sum() for p in y).backward()
        for part in x:
            assert part.grad is None or part.grad.isfinite().all()
        assert all(p.isfinite().all() for p in y)
        assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())

    def zeros(self):
        return self.input(torch.float64)

    def test_state(self):
        """A copy with the state of another is the other; the state holds the parameters alone."""
        layer, x = self.built(), tuple_of(self.input(torch.float64))
        torch.manual_seed(1)
        twin = self.layer().double()
        twin.load_state_dict(copy.deepcopy(layer.state_dict()))
        for y, z in zip(tuple_of(twin(*x)), tuple_of(layer(*x)), strict=True):
            assert torch.equal(y, z)
        assert set(layer.state_dict()) == {name for name, _ in layer.named_parameters()}

    def test_samples_alone(self):
        """The first sample does not see its batch-mates."""
        layer, x = self.built(), tuple_of(self.input(torch.float64))
        both = tuple_of(layer(*x))
        alone = tuple_of(layer(*(part[:1] for part in x)))
        for y, z in zip(both, alone, strict=True):
            torch.testing.assert_close(y[:1], z)

    @pytest.mark.filterwarnings("ignore")  # of the compiler, about itself
    def test_compiled_without_a_break(self):
        layer, x = self.built(), tuple_of(self.input(torch.float64))
        torch._dynamo.reset()
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        found = []
        for run in (layer, compiled):
            leaves = [part.clone().requires_grad_() for part in x]
            y = tuple_of(run(*leaves))
            grad = torch.autograd.grad(sum(p.abs().square().sum() for p in y), leaves)
            found.append((*y, *grad))
        for y, z in zip(*found, strict=True):
            torch.testing.assert_close(y, z)

    def test_wrong_input(self):
        layer, x = self.built(), tuple_of(self.input(torch.float64))
        with pytest.raises(InputError, match=r"^`\w+` has shape .*; expected "):
            layer(*(part[0] for part in x))
