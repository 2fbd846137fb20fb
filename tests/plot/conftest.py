"""No window, no figure left open, and none shown."""

import matplotlib as mpl
import pytest

mpl.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()  # whatever was put on it can be drawn
    plt.close(figure)


@pytest.fixture(autouse=True)
def open_figures(monkeypatch):
    """A function that counts those opened since the test began."""
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("show() was called"))
    before = set(plt.get_fignums())
    yield lambda: len(set(plt.get_fignums()) - before)
    left = set(plt.get_fignums()) - before
    for number in left:
        plt.close(number)
    assert not left
