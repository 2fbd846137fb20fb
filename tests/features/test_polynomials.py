"""complex_polynomial against gudhi and numpy's polynomials."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gudhi.representations import ComplexPolynomial
from hypothesis import given
from hypothesis import strategies as st

from topoml._core.errors import InputError
from topoml.features import complex_polynomial

from .made import diagrams, made, of_sample, random_samples


def as_complex(values, k):
    parts = values.reshape(*values.shape[:-1], -1, 2, k).numpy()
    return parts[..., 0, :] + 1j * parts[..., 1, :]


@given(diagrams(), st.sampled_from("RST"), st.sampled_from([1, 3, 40]))
def test_equals_gudhi(d, kind, k):
    found = as_complex(complex_polynomial(d, threshold=k, polynomial_type=kind), k)
    for i in range(len(d)):
        for j, dimension in enumerate(d.homology_dimensions):
            rows = np.sort(of_sample(d, i, dimension)[0], 1)
            peer = ComplexPolynomial(polynomial_type=kind, threshold=k)
            expected = peer.transform([rows])[0]
            scale = np.abs(expected).max(initial=1.0)
            np.testing.assert_allclose(found[i, j], expected, rtol=1e-9, atol=1e-9 * scale)


def test_is_the_polynomial_of_its_roots():
    rows = np.random.default_rng(0).random((6, 2)).cumsum(1)
    d = made([[(0, *row) for row in rows]], homology_dimensions=(0,))
    found = as_complex(complex_polynomial(d, threshold=8), 8)[0, 0]
    np.testing.assert_allclose(found[:6], np.poly(rows @ [1, 1j])[1:], rtol=1e-12)
    assert not found[6:].any()


@pytest.mark.parametrize("kind", "ST")
def test_the_diagonal_changes_nothing(kind):
    rows = [(0, 0.0, 1.0), (0, 0.5, 2.0)]
    with_it = made([[*rows, (0, 0.75, 0.75), (0, 0.0, 0.0)]])
    options = {"threshold": 3, "polynomial_type": kind}
    found, expected = (complex_polynomial(d, **options) for d in (with_it, made([rows])))
    assert torch.equal(found, expected)
    other = {"threshold": 3, "polynomial_type": "R"}  # the control
    assert not torch.equal(*(complex_polynomial(d, **other) for d in (with_it, made([rows]))))


@pytest.mark.parametrize("kind", "RST")
def test_gradient(kind):
    d = made(random_samples(np.random.default_rng(3), 4, 9, essential=False))
    points = d.points.clone().requires_grad_()
    for k in (1, 2, 12):
        assert torch.autograd.gradcheck(
            lambda p, k=k: complex_polynomial(
                replace(d, points=p), threshold=k, polynomial_type=kind
            ),
            points,
        )


def test_overflow_is_infinite_and_has_no_gradient():
    d = made([[(0, 1e200, 2e200), (0, 1e200, 3e200)], [(0, 0.0, 1.0)]], homology_dimensions=(0,))
    d.points.requires_grad_()
    y = complex_polynomial(d, threshold=2)
    assert y[0, 1].isinf()
    assert not y.isnan().any()
    y[:, 1].sum().backward()
    assert d.points.grad.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "`threshold` is 0; expected an integer of at least 1"),
        ({"threshold": 3, "polynomial_type": "Q"}, "`polynomial_type` is 'Q'; expected 'R', 'S'"),
        ({"threshold": 3, "polynomial_type": 1}, "`polynomial_type` is 1; expected 'R', 'S'"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError, match="^" + message):
        complex_polynomial(made([[(0, 0.0, 1.0)]]), **options)
