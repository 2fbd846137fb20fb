"""PersLay: learnable transformations and weights of classes, pooled over each diagram."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Real
from typing import cast

import torch
from torch import Tensor, nn

from .._core.checks import check_count
from .._core.errors import InputError
from ..features._checks import check_diagrams, image_grids
from ..features._classes import (
    Classes,
    classes_of,
    draw,
    same_dimensions,
    segment_mean,
    segment_sum,
    segment_top,
    spread,
)
from ..features._elements import exponential_elements, rational_hat_elements
from ..homology import Diagrams
from ..homology._checks import check_dimensions

__all__ = [
    "GaussianMixtureWeight",
    "GaussianPhi",
    "GridWeight",
    "LinePhi",
    "PersLay",
    "PowerWeight",
    "RationalHatPhi",
    "TentPhi",
]

MOST = 7  # homology dimension


class PersLay(nn.Module):
    r"""Diagrams -> (*batch, n * q): transformed classes, weighted, pooled over each diagram.

    .. math:: \mathrm{op}\{w(p)\, \phi(p) : p \in D\}

    one block for each of the n homology dimensions, with parameters of its own; what follows
    (:math:`\rho` in the paper) is any module behind this one. Finite classes only: give the
    essential ones a death with ``Diagrams.capped``.

    Differentiable in births, deaths and parameters; of equal largest values the gradient goes to
    one. Invariant to the order of the classes up to rounding. Computed in the dtype of the points
    (float32 for half precision), in which the parameters are read, and on their device. Sample i
    depends on sample i alone, bit for bit. Memory O(P q).

    Args:
        homology_dimensions: Those of the diagrams, in their order.
        phi: A module (birth, death) -> (n, q), tensors (n,), that treats each class by itself:
            `TentPhi`, `GaussianPhi`, `LinePhi`, `RationalHatPhi` or one of yours. Every dimension
            gets a copy; a sequence gives each its own.
        weight: A module (birth, lifetime) -> (n,): `PowerWeight`, `GridWeight`,
            `GaussianMixtureWeight` or one of yours, likewise; None is 1.
        perm_op: "sum", "mean", "max", or "top" and a number k as in "top5": of each entry of phi
            the k largest values, descending. Where there are fewer classes, zeros.

    Raises:
        InputError: An argument out of these ranges, at once; an input that is no Diagrams or has
            other homology dimensions; a result of ``phi`` or ``weight`` of another shape.

    Source: Carrière et al., AISTATS 2020, arXiv:1904.09378; argument names of
        ``gudhi.tensorflow.perslay``.

    Example:
        >>> import torch
        >>> from topoml.homology import cubical_persistence
        >>> phi = TentPhi(3)
        >>> phi.samples.data = torch.tensor([1.0, 2.0, 3.0])
        >>> layer = PersLay(homology_dimensions=(0,), phi=phi, weight=PowerWeight())
        >>> layer(cubical_persistence(torch.tensor([[0.0, 3.0, 1.0]]), homology_dimensions=(0,)))
        tensor([0., 2., 0.], grad_fn=<ViewBackward0>)
    """

    def __init__(
        self,
        *,
        homology_dimensions: Sequence[int],
        phi: nn.Module | Sequence[nn.Module],
        weight: nn.Module | Sequence[nn.Module] | None = None,
        perm_op: str = "sum",
    ) -> None:
        super().__init__()
        self.homology_dimensions = check_dimensions(homology_dimensions, MOST)
        n = len(self.homology_dimensions)
        self.phi = _one_each("phi", phi, n)
        self.weight = None if weight is None else _one_each("weight", weight, n)
        self.perm_op = perm_op
        self._pool = _pooling(perm_op)

    def fit(self, diagrams: Diagrams, *, generator: torch.Generator) -> "PersLay":
        """Place the transformations and weights where the classes are, in place.

        Calls ``fit(classes, generator)`` of each phi and weight that has it, dimension by
        dimension. Essential classes are left out, as in the layer.
        """
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        for i, dimension in enumerate(self.homology_dimensions):
            classes = classes_of(diagrams.detach(), dimension)
            for modules in (self.phi, self.weight or ()):
                fit = getattr(modules[i], "fit", None) if modules else None
                if fit is not None:
                    fit(classes, generator)
        return self

    def extra_repr(self) -> str:
        return f"homology_dimensions={self.homology_dimensions}, perm_op={self.perm_op!r}"

    def forward(self, diagrams: Diagrams) -> Tensor:
        same_dimensions(check_diagrams(diagrams), self.homology_dimensions)
        blocks = []
        for i, dimension in enumerate(self.homology_dimensions):
            birth, death, lifetime, counts = classes_of(diagrams, dimension)
            values = _checked("phi", self.phi[i](birth, death), len(birth), 2)
            if self.weight is not None:
                weight = _checked("weight", self.weight[i](birth, lifetime), len(birth), 1)
                values = values * weight[:, None]
            blocks.append(self._pool(values, counts))
        out = torch.cat(blocks, 1).to(diagrams.points.dtype)
        return out.reshape(*diagrams.batch_shape, out.shape[1])


class TentPhi(nn.Module):
    r"""Triangle functions of a class, (birth, death) -> (n, q), at q learnable samples.

    .. math:: \phi_k(b, d) = \max\left(0, \frac{|d - b|}{2}
              - \left|t_k - \frac{b + d}{2}\right|\right)

    The gradient at its kinks is 0. The samples :math:`t` (q,), in the filtration's unit, start
    uniform in [0, 1] (torch's generator); ``fit`` spreads them evenly over births and deaths.

    Args:
        n_samples: q, at least 1.

    Raises:
        InputError: ``n_samples`` out of its range.

    Source: the triangle point transformation of Carrière et al., arXiv:1904.09378; values as
        ``gudhi.tensorflow.perslay.TentPerslayPhi``.

    Example:
        >>> import torch
        >>> phi = TentPhi(2)
        >>> phi.samples.data = torch.tensor([1.0, 3.0])
        >>> phi(torch.tensor([0.0]), torch.tensor([4.0])).detach()
        tensor([[1., 1.]])
    """

    def __init__(self, n_samples: int) -> None:
        super().__init__()
        self.samples = nn.Parameter(torch.rand(check_count("n_samples", n_samples)))

    def fit(self, classes: Classes, generator: torch.Generator) -> None:
        """Evenly over the range of births and deaths, both ends left out."""
        draw(classes, 1, generator)  # that there is one
        ends = torch.cat([classes.birth, classes.death]).aminmax()
        steps = torch.linspace(0, 1, len(self.samples) + 2, dtype=classes.birth.dtype)[1:-1]
        self.samples.data.copy_(torch.lerp(*ends, steps.to(ends.min)))

    def forward(self, birth: Tensor, death: Tensor) -> Tensor:
        middle, half = (birth + death) / 2, (death - birth).abs() / 2
        return torch.relu(half[:, None] - (self.samples.to(birth.dtype) - middle[:, None]).abs())


class GaussianPhi(nn.Module):
    r"""Gaussian functions of a class, (birth, death) -> (n, q), around q learnable centers.

    .. math:: \phi_k(b, d) = \exp\left(-\frac{(b - x_k)^2}{2 \sigma_{k1}^2}
              - \frac{(|d - b| - y_k)^2}{2 \sigma_{k2}^2}\right)

    in the (birth, lifetime) plane. The centers (q, 2) start uniform in the unit square (torch's
    generator) with :math:`\sigma = 0.3`, which is learnt as ``log_bandwidth`` (q, 2); ``fit`` puts
    the centers at classes drawn at random and takes the spread of the classes.

    Args:
        n_centers: q, at least 1.

    Raises:
        InputError: ``n_centers`` out of its range.

    Source: the Gaussian point transformation of Carrière et al., arXiv:1904.09378, with a width an
        axis; without the factor :math:`1 / 2 \pi \sigma^2` of
        ``gudhi.tensorflow.perslay.GaussianPerslayPhi``.

    Example:
        >>> import torch
        >>> phi = GaussianPhi(1)
        >>> phi.centers.data = torch.tensor([[0.0, 4.0]])
        >>> phi(torch.tensor([0.0]), torch.tensor([4.0])).detach()
        tensor([[1.]])
    """

    def __init__(self, n_centers: int) -> None:
        super().__init__()
        q = check_count("n_centers", n_centers)
        self.centers = nn.Parameter(torch.rand(q, 2))
        self.log_bandwidth = nn.Parameter(torch.full((q, 2), 0.3).log())

    def fit(self, classes: Classes, generator: torch.Generator) -> None:
        """Centers at classes drawn at random, widths their standard deviations."""
        _fit_gaussians(self.centers, self.log_bandwidth, classes, generator)

    def forward(self, birth: Tensor, death: Tensor) -> Tensor:
        sharpness = torch.exp(-self.log_bandwidth) * 0.5**0.5
        return exponential_elements(birth, (death - birth).abs(), self.centers, sharpness)


class LinePhi(nn.Module):
    r"""Affine functions of a class, (birth, death) -> (n, q), along q learnable lines.

    .. math:: \phi_k(b, d) = e_{k1} b + e_{k2} d + c_k

    with ``weight`` e (q, 2) and ``bias`` c (q,), which start as those of ``torch.nn.Linear(2, q)``.

    Args:
        n_lines: q, at least 1.

    Raises:
        InputError: ``n_lines`` out of its range.

    Source: the line point transformation of Carrière et al., arXiv:1904.09378.

    Example:
        >>> import torch
        >>> phi = LinePhi(1)
        >>> phi.weight.data, phi.bias.data = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])
        >>> phi(torch.tensor([0.0]), torch.tensor([4.0])).detach()
        tensor([[11.]])
    """

    def __init__(self, n_lines: int) -> None:
        super().__init__()
        linear = nn.Linear(2, check_count("n_lines", n_lines))
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, birth: Tensor, death: Tensor) -> Tensor:
        # not a product of matrices, whose bits depend on the number of rows
        weight, bias = self.weight.to(birth.dtype), self.bias.to(birth.dtype)
        return birth[:, None] * weight[:, 0] + death[:, None] * weight[:, 1] + bias


class RationalHatPhi(nn.Module):
    r"""Rational hats of a class, (birth, death) -> (n, q), around q learnable centers.

    .. math:: \phi_k(p) = \frac{1}{1 + \|p - c_k\|_1}
              - \frac{1}{1 + \bigl| |r_k| - \|p - c_k\|_1 \bigr|}

    with p = (birth, lifetime). The gradient at its kinks is 0. The centers (q, 2) start uniform in
    the unit square (torch's generator), the radii (q,) at 1; ``fit`` puts the centers at classes
    drawn at random, and the radii at the spread of the classes.

    Args:
        n_centers: q, at least 1.

    Raises:
        InputError: ``n_centers`` out of its range.

    Source: Hofer, Kwitt, Niethammer, JMLR 20(126), 2019, with the norm of its code; used by
        Carrière et al., arXiv:1904.09378.

    Example:
        >>> import torch
        >>> phi = RationalHatPhi(1)
        >>> phi.centers.data = torch.tensor([[0.0, 4.0]])
        >>> phi(torch.tensor([0.0]), torch.tensor([4.0])).detach()
        tensor([[0.5000]])
    """

    def __init__(self, n_centers: int) -> None:
        super().__init__()
        q = check_count("n_centers", n_centers)
        self.centers = nn.Parameter(torch.rand(q, 2))
        self.radius = nn.Parameter(torch.ones(q))

    def fit(self, classes: Classes, generator: torch.Generator) -> None:
        """Centers at classes drawn at random, radii the sum of the standard deviations."""
        self.centers.data.copy_(draw(classes, len(self.centers), generator))
        self.radius.data.copy_(spread(torch.stack([classes.birth, classes.lifetime], 1)).sum())

    def forward(self, birth: Tensor, death: Tensor) -> Tensor:
        lifetime = (death - birth).abs()
        return rational_hat_elements(birth, lifetime, self.centers, self.radius)


class PowerWeight(nn.Module):
    r"""A power of the lifetime, (birth, lifetime) -> (n,).

    .. math:: w = c\, \ell^p

    with ``constant`` c and ``power`` p, both learnt. 0 with gradient 0 at lifetime 0. Also a
    ``weight`` of `PersistenceImage`.

    Args:
        power: Start of p.
        constant: Start of c.

    Raises:
        InputError: An argument that is no number.

    Source: the power weight of Carrière et al., arXiv:1904.09378, and of
        ``gudhi.tensorflow.perslay.PowerPerslayWeight``, in which p is fixed.

    Example:
        >>> import torch
        >>> PowerWeight(power=2.0, constant=0.5)(torch.zeros(2), torch.tensor([0.0, 4.0])).detach()
        tensor([0., 8.])
    """

    def __init__(self, power: float = 1.0, constant: float = 1.0) -> None:
        super().__init__()
        for name, value in (("power", power), ("constant", constant)):
            if not isinstance(value, Real) or isinstance(value, bool):
                raise InputError(f"`{name}` is {value!r}; expected a number.")
        self.power = nn.Parameter(torch.tensor(float(power)))
        self.constant = nn.Parameter(torch.tensor(float(constant)))

    def forward(self, birth: Tensor, lifetime: Tensor) -> Tensor:
        some = lifetime > torch.finfo(lifetime.dtype).tiny
        # not `pow`, whose bits depend on where in a tensor an entry stands
        power = torch.exp(self.power.to(lifetime.dtype) * torch.log(lifetime.where(some, 1.0)))
        return (self.constant.to(lifetime.dtype) * power).where(some, 0.0)


class GridWeight(nn.Module):
    r"""A learnable value for each cell of a grid, (birth, lifetime) -> (n,).

    ``values`` (n_life, n_birth), which start at 1, are the weights in the cells of equal size of
    the rectangle; those at its border reach to infinity. A cell holds its lower bounds. No gradient
    in births and lifetimes, as it is zero almost everywhere. Also a ``weight`` of
    `PersistenceImage`.

    Args:
        resolution: (n_birth, n_life), numbers of cells.
        im_range: (birth_min, birth_max, life_min, life_max), in the filtration's unit; ``fit``
            takes that of the classes.

    Raises:
        InputError: An argument out of these ranges.

    Source: the grid weight of Carrière et al., arXiv:1904.09378, here in (birth, lifetime).

    Example:
        >>> import torch
        >>> weight = GridWeight(resolution=(2, 1), im_range=(0, 2, 0, 1))
        >>> weight.values.data = torch.tensor([[3.0, 5.0]])
        >>> weight(torch.tensor([0.5, 1.0, 9.0]), torch.ones(3)).detach()
        tensor([3., 5., 5.])
    """

    im_range: Tensor

    def __init__(
        self,
        *,
        resolution: tuple[int, int],
        im_range: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 1.0),
    ) -> None:
        super().__init__()
        birth, life = (len(grid) for grid in image_grids(resolution, im_range))
        image_grids((2, 2), im_range)  # a cell has a size
        self.register_buffer("im_range", torch.tensor([*map(float, im_range)], dtype=torch.float64))
        self.values = nn.Parameter(torch.ones(life, birth))

    def extra_repr(self) -> str:
        ends = tuple(self.im_range.tolist())
        return f"resolution={tuple(self.values.shape[::-1])}, im_range={ends}"

    def fit(self, classes: Classes, generator: torch.Generator) -> None:
        """The range of the classes."""
        draw(classes, 1, generator)  # that there is one
        for i, x in enumerate((classes.birth, classes.lifetime)):
            low, high = x.aminmax()
            ends = torch.stack([low, torch.where(high > low, high, low + 1)])
            self.im_range[2 * i : 2 * i + 2].copy_(ends)

    def forward(self, birth: Tensor, lifetime: Tensor) -> Tensor:
        ends = self.im_range.to(birth.dtype)
        cell = []
        for i, x in enumerate((birth, lifetime)):
            n = self.values.shape[1 - i]
            at = n * (x.detach() - ends[2 * i]) / (ends[2 * i + 1] - ends[2 * i])
            cell.append(at.floor().clamp(0, n - 1).long())
        index = cell[1] * self.values.shape[1] + cell[0]
        return self.values.to(birth.dtype).flatten().index_select(0, index)


class GaussianMixtureWeight(nn.Module):
    r"""A sum of learnable Gaussians, (birth, lifetime) -> (n,).

    .. math:: w(b, \ell) = \sum_k \exp\left(-\frac{(b - x_k)^2}{\sigma_{k1}^2}
              - \frac{(\ell - y_k)^2}{\sigma_{k2}^2}\right)

    Centers (k, 2) and ``log_bandwidth`` (k, 2) start and are fitted as those of `GaussianPhi`. Also
    a ``weight`` of `PersistenceImage`.

    Args:
        n_gaussians: k, at least 1.

    Raises:
        InputError: ``n_gaussians`` out of its range.

    Source: the Gaussian mixture of Carrière et al., arXiv:1904.09378, here in (birth, lifetime);
        normalised as ``gudhi.tensorflow.perslay.GaussianMixturePerslayWeight``.

    Example:
        >>> import torch
        >>> weight = GaussianMixtureWeight(1)
        >>> weight.centers.data = torch.tensor([[0.0, 4.0]])
        >>> weight(torch.tensor([0.0]), torch.tensor([4.0])).detach()
        tensor([1.])
    """

    def __init__(self, n_gaussians: int) -> None:
        super().__init__()
        k = check_count("n_gaussians", n_gaussians)
        self.centers = nn.Parameter(torch.rand(k, 2))
        self.log_bandwidth = nn.Parameter(torch.full((k, 2), 0.3).log())

    def fit(self, classes: Classes, generator: torch.Generator) -> None:
        """Centers at classes drawn at random, widths their standard deviations."""
        _fit_gaussians(self.centers, self.log_bandwidth, classes, generator)

    def forward(self, birth: Tensor, lifetime: Tensor) -> Tensor:
        sharpness = torch.exp(-self.log_bandwidth)
        return exponential_elements(birth, lifetime, self.centers, sharpness).sum(1)


def _fit_gaussians(
    centers: Tensor, log_bandwidth: Tensor, classes: Classes, generator: torch.Generator
) -> None:
    centers.data.copy_(draw(classes, len(centers), generator))
    points = torch.stack([classes.birth, classes.lifetime], 1)
    log_bandwidth.data.copy_(spread(points).log().expand_as(log_bandwidth))


def _one_each(name: str, modules: object, n: int) -> nn.ModuleList:
    """A copy for each of n dimensions, or the n modules of a sequence."""
    if isinstance(modules, nn.Module) and not isinstance(modules, nn.ModuleList):
        modules = [modules, *(copy.deepcopy(modules) for _ in range(n - 1))]
    items = list(modules) if isinstance(modules, Sequence | nn.ModuleList) else []
    if len(items) != n or not all(isinstance(item, nn.Module) for item in items):
        raise InputError(
            f"`{name}` is {modules!r}; expected a torch module, or {n} of them, one for each"
            " homology dimension."
        )
    return nn.ModuleList(items)


def _pooling(perm_op: object) -> Callable[[Tensor, Tensor], Tensor]:
    known: dict[str, Callable[[Tensor, Tensor], Tensor]]
    known = {"sum": segment_sum, "mean": segment_mean, "max": partial(segment_top, k=1)}
    name = perm_op if isinstance(perm_op, str) else ""
    if name in known:
        return known[name]
    k = name.removeprefix("top")
    if name == f"top{k}" and k.isdecimal() and int(k) > 0:
        return partial(segment_top, k=int(k))
    raise InputError(
        f'`perm_op` is {perm_op!r}; expected "sum", "mean", "max", or "top" and a number as in'
        ' "top5".'
    )


def _checked(name: str, values: object, n: int, n_axes: int) -> Tensor:
    """What phi or weight returned: floats with a row a class."""
    shape = tuple(values.shape) if isinstance(values, Tensor) else ()
    if len(shape) != n_axes or shape[0] != n or not cast(Tensor, values).is_floating_point():
        got = type(values).__name__
        if isinstance(values, Tensor):
            got = f"{values.dtype} of shape {shape}"
        expected = f"({n}, q)" if n_axes == 2 else f"({n},)"
        raise InputError(f"`{name}` returned {got}; expected floats of shape {expected}.")
    return cast(Tensor, values)
