"""Timing of alternatives in one process, in turn, and the table they are kept in."""

import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def in_turn(functions: dict[str, Callable[[], object]], *, seconds: float, rounds: int):
    """Best time a call of each function, over rounds of at least ``seconds``, taken in turn."""
    calls = {}
    for name, function in functions.items():
        function()
        start = time.perf_counter()
        function()
        calls[name] = max(1, int(seconds / (time.perf_counter() - start)) + 1)
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            best[name] = min(best[name], (time.perf_counter() - start) / calls[name])
    return best


def machine(*packages: str) -> dict[str, str]:
    """Processor, Python, thread count and versions."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    return {
        "processor": f"{model}, {torch.get_num_threads()} threads at most",
        "python": platform.python_version(),
        **{name: version(name) for name in ("topoml", "torch", "numba", "numpy", *packages)},
    }


def keep(name: str, rows: list[dict[str, object]], about: dict[str, str]) -> None:
    """Print the rows as a table, and write it as Markdown and JSON to ``results``."""
    columns = list(rows[0])
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(str(row[c]) for c in columns) + " |" for row in rows),
        "",
        ", ".join(f"{key} {value}" for key, value in about.items()),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    (RESULTS / f"{name}.json").write_text(json.dumps({"rows": rows, **about}, indent=1) + "\n")
