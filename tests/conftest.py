"""Test settings: one thread a worker, hypothesis without deadlines (kernels compile)."""

import contextlib
import os
import signal

import hypothesis
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported: the workers share the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # of a job in the background, and inherited
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("default", deadline=None, max_examples=100)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=30)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default")
)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also what is marked long: four hours")


def pytest_collection_modifyitems(config, items):
    """Long tests run when they are asked for."""
    if not config.getoption("--long"):
        config.hook.pytest_deselected(items=[i for i in items if i.get_closest_marker("long")])
        items[:] = [i for i in items if not i.get_closest_marker("long")]


@pytest.fixture
def failing_disk():
    """A context where no file grows beyond 3000 bytes: a disk that fails, without privileges."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    @contextlib.contextmanager
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited


@pytest.fixture
def one_thread():
    """Threads of torch only wait for one another on fields this small."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
