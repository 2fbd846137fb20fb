"""Every module says in a line what it is, and in a sorted ``__all__`` what it offers."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import topoml

MODULES = ["topoml", *(m.name for m in pkgutil.walk_packages(topoml.__path__, "topoml."))]
MODULES = [name for name in MODULES if not name.endswith("__main__")]
EMPTY = {"topoml._core", "topoml.kernels"}  # packages that are named in full
STUBBED = {"topoml.nn"}  # loads its files on first use, as its stub says; ruff sorts the stub


def isort_order(name):
    """CONSTANTS, then Classes, then functions; as ruff sorts them (RUF022)."""
    bare = name.lstrip("_")
    return (0 if bare.isupper() and len(bare) > 1 else 1 if bare[:1].isupper() else 2, name)


@pytest.mark.parametrize("name", MODULES)
def test_docstring(name):
    summary = (importlib.import_module(name).__doc__ or "").split("\n\n")[0].strip()
    assert summary
    assert "\n" not in summary
    assert len(summary) <= 100


@pytest.mark.parametrize("name", [name for name in MODULES if name not in EMPTY])
def test_all_is_sorted_and_resolves(name):
    module = importlib.import_module(name)
    offered = module.__all__
    assert len(set(offered)) == len(offered)
    assert list(offered) == sorted(offered, key=None if name in STUBBED else isort_order)
    for offer in offered:
        assert getattr(module, offer) is not None


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_packages_that_export_nothing(name):
    assert not getattr(importlib.import_module(name), "__all__", [])


def test_submodules_load_on_first_use():
    code = """
import sys, topoml
print("torch" in sys.modules, "numba" in sys.modules)
topoml.nn.PersistenceImage
print("torch" in sys.modules)
print(set(topoml.__all__) <= set(dir(topoml)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False", "True", "True"]


@pytest.mark.parametrize("name", sorted(STUBBED))
def test_stub_and_package_offer_the_same(name):
    package = importlib.import_module(name)
    stub = ast.parse(Path(package.__file__).with_suffix(".pyi").read_text())
    [names] = [node.value for node in stub.body if isinstance(node, ast.Assign)]
    assert sorted(ast.literal_eval(names)) == package.__all__


def test_files_of_layers_load_on_first_use():
    code = """
import sys, topoml.nn
print("topoml.nn.gauge" in sys.modules, "topoml.features" in sys.modules)
from topoml.nn import LConv
print("topoml.nn.gauge" in sys.modules, "topoml.features" in sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False", "True", "False"]


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'topoml' has no attribute 'betty'"):
        _ = topoml.betty
