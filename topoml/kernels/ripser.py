"""The Ripser in gudhi on matrices of ranks; for large ones in a process whose memory is bounded.

``python -m topoml.kernels.ripser FOLDER TOP BYTES`` is that process: it reads FOLDER/ranks.npz and
writes FOLDER/diagrams.npz, and ends with code 3 where BYTES beyond what it starts with do not
suffice. It loads numpy, scipy and gudhi alone.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.optional import require

__all__ = ["bounded_ripser", "ripser"]

Array = NDArray[Any]

_OUT_OF_MEMORY = 3


def ripser(filtrations: list[Any], top: int) -> list[list[Array]]:
    """Diagrams, H0 … H ``top``, of matrices of ranks, full or sparse (coo_matrix)."""
    persistence = require("gudhi.sklearn").RipsPersistence
    found: list[list[Array]] = [[]] * len(filtrations)
    for dense, kind in ((True, "full distance matrix"), (False, "distance coo_matrix")):
        numbers = [i for i, f in enumerate(filtrations) if isinstance(f, np.ndarray) == dense]
        if numbers:
            engine = persistence(
                homology_dimensions=list(range(top + 1)), input_type=kind, homology_coeff_field=2
            )
            diagrams = engine.fit_transform([filtrations[i] for i in numbers])
            for i, diagram in zip(numbers, diagrams, strict=True):
                found[i] = diagram
    return found


def bounded_ripser(filtration: Any, top: int, room: float, stop: Array) -> list[Array]:  # noqa: ANN401
    """``ripser`` of one matrix in a process of its own, within ``room`` bytes beyond what it starts
    with; killed once ``stop`` (1,) is 1.

    Raises:
        MemoryError: They do not suffice.
    """
    with tempfile.TemporaryDirectory(prefix="topoml-") as name:
        folder = Path(name)
        if isinstance(filtration, np.ndarray):
            np.savez(folder / "ranks.npz", full=filtration)
        else:
            rank, n = filtration.data, filtration.shape[0]
            np.savez(
                folder / "ranks.npz", rank=rank, row=filtration.row, column=filtration.col, n=n
            )
        paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, "-m", "topoml.kernels.ripser", name, str(top), str(int(room))],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for this process, which ends the other
        )
        try:
            while process.poll() is None:
                if stop[0]:
                    raise InterruptedError
                time.sleep(0.05)
        finally:
            process.kill()
            _, error = process.communicate()
        if process.returncode == _OUT_OF_MEMORY or process.returncode < 0:  # killed by the system
            raise MemoryError
        if process.returncode:
            raise RuntimeError(f"Ripser ended with code {process.returncode}: {error}")
        with np.load(folder / "diagrams.npz") as found:
            return [found[f"H{d}"] for d in range(top + 1)]


def _main(name: str, top: int, room: int) -> int:
    folder = Path(name)
    with np.load(folder / "ranks.npz") as given:
        if "full" in given:
            filtration = given["full"]
        else:
            n, ends = int(given["n"]), (given["row"], given["column"])
            filtration = require("scipy.sparse").coo_matrix((given["rank"], ends), shape=(n, n))
    require("gudhi.sklearn")
    _bound_memory(room)
    try:
        (found,) = ripser([filtration], top)
        np.savez(folder / "diagrams.npz", **{f"H{d}": rows for d, rows in enumerate(found)})
    except MemoryError:
        return _OUT_OF_MEMORY
    return 0


def _bound_memory(room: int) -> None:
    """Let this process have ``room`` bytes more, where the system can say so."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource = require("resource")
        limit = max(0, pages * resource.getpagesize() + room)
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    except OSError:  # no such file
        return


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
