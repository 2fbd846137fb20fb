"""Persistence images."""

from matplotlib.axes import Axes

from ..features import persistence_image
from ..features._checks import Weight, image_grids
from ..features._ranges import image_range
from ..homology import Diagrams
from ._style import new_axes
from .diagram import values_of

__all__ = ["image"]


def image(
    diagrams: Diagrams,
    *,
    homology_dimension: int,
    bandwidth: float,
    resolution: tuple[int, int] = (50, 50),
    im_range: tuple[float, float, float, float] | None = None,
    weight: Weight | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the persistence image of one homology dimension over (birth, lifetime).

    Args:
        diagrams: Of a single sample, ``batch_shape`` ().
        homology_dimension: One of the dimensions of the diagrams.
        bandwidth: Standard deviation of the Gaussians, in the filtration's unit, > 0.
        resolution: (n_birth, n_life), numbers of pixels, whose centers are the grid.
        im_range: (birth_min, birth_max, life_min, life_max); None for the births of the finite
            classes, and lifetimes from 0 to the longest, and 2 bandwidths around.
        weight: A callable (birth, lifetime) -> weights; None is the lifetime.
        ax: Where to draw; a new figure if None.

    Raises:
        InputError: Diagrams of a batch, without this dimension, or without a class to take the
            range from; an argument that ``topoml.features.persistence_image`` refuses.
    """
    values_of(diagrams)  # of a single sample
    chosen = diagrams.select(homology_dimension)
    ends = im_range
    if ends is None:
        first, last, _, longest = image_range(chosen)
        ends = (first - 2 * bandwidth, last + 2 * bandwidth, 0.0, longest + 2 * bandwidth)
    x, y = (grid.numpy() for grid in image_grids(resolution, ends))
    values = persistence_image(
        chosen, bandwidth=bandwidth, resolution=resolution, im_range=ends, weight=weight
    )
    ax = new_axes(ax, figsize=(3.8, 3.8))
    half = [(grid[-1] - grid[0]) / (2 * max(len(grid) - 1, 1)) or 0.5 for grid in (x, y)]
    ax.imshow(
        values.detach().cpu().double().numpy().reshape(len(y), len(x)),
        extent=(x[0] - half[0], x[-1] + half[0], y[0] - half[1], y[-1] + half[1]),
        origin="lower",
        aspect="auto",
        cmap="viridis",
    )
    ax.set(xlabel="birth", ylabel="lifetime", title=f"$H_{homology_dimension}$")
    return ax
