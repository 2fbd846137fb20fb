"""Diagrams made by hand or at random, without a filtration behind them."""

import math

import numpy as np
import torch
from hypothesis import strategies as st

from topoml.homology import Diagrams


def made(samples, *, batch_shape=None, homology_dimensions=(0, 1), superlevel=False, dtype=None):
    """Diagrams of a list over samples of lists of (dimension, birth, death), essential: inf."""
    rows = [(i, *c) for i, sample in enumerate(samples) for c in sorted(sample, key=lambda c: c[0])]
    finite = [row for row in rows if abs(row[3]) != math.inf]
    essential = [row for row in rows if abs(row[3]) == math.inf]

    def column(of, i):
        return torch.tensor([row[i] for row in of], dtype=torch.int64)

    dtype = dtype or torch.float64
    return Diagrams(
        points=torch.tensor([row[2:] for row in finite], dtype=dtype).reshape(-1, 2),
        dimension=column(finite, 1),
        sample=column(finite, 0),
        birth_index=-torch.ones(len(finite), dtype=torch.int64),
        death_index=-torch.ones(len(finite), dtype=torch.int64),
        essential=torch.tensor([row[2] for row in essential], dtype=dtype),
        essential_dimension=column(essential, 1),
        essential_sample=column(essential, 0),
        essential_index=-torch.ones(len(essential), dtype=torch.int64),
        batch_shape=torch.Size((len(samples),) if batch_shape is None else batch_shape),
        homology_dimensions=homology_dimensions,
        superlevel=superlevel,
    )


def random_samples(rng, n_samples, most=40, *, superlevel=False, ties=False, essential=True):
    """Lists for ``made`` with 0 to ``most`` classes; births in [-1, 1], lifetimes in [0, 1.5]."""
    samples = []
    for _ in range(n_samples):
        sample = []
        for _ in range(rng.integers(most + 1)):
            birth, life = rng.uniform(-1, 1), rng.uniform()
            if ties:
                birth, life = rng.integers(-2, 3) / 2, rng.integers(0, 4) / 2
            if essential and rng.random() < 0.2:
                life = math.inf
            sample.append(
                (int(rng.integers(2)), birth, birth - life if superlevel else birth + life)
            )
        samples.append(sample)
    return samples


@st.composite
def diagrams(draw, **options):
    """A batch (n,) with points anywhere or on a grid of halves (ties), in either direction."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    superlevel, ties = draw(st.booleans()), draw(st.booleans())
    n, most = draw(st.integers(1, 5)), draw(st.sampled_from([0, 1, 3, 30]))
    samples = random_samples(rng, n, most, superlevel=superlevel, ties=ties)
    dimensions = draw(st.sampled_from([(0, 1), (1, 0), (2, 0, 1)]))
    return made(samples, homology_dimensions=dimensions, superlevel=superlevel, **options)


def of_sample(d, i, dimension):
    """Numpy (finite (n, 2), essential births) of one sample and dimension, read off the columns."""
    here = (d.sample == i) & (d.dimension == dimension)
    there = (d.essential_sample == i) & (d.essential_dimension == dimension)
    return d.points[here].detach().double().numpy(), d.essential[there].detach().double().numpy()
