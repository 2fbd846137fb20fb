"""Break a kernel on purpose, many times, and count how often a test notices.

python tests/mutate.py topoml/kernels/cubical2d.py tests/homology/test_cubical.py -n 60 --seed 0

Each mutant is one change of the source: a comparison with or without equality or turned around, +
for -, `and` for `or`, a condition negated, a number one higher, a statement left out, `break` for
`continue`. It is made in a copy of the project, where the tests run until the first one fails, for
at most five times as long as they take without a change. Mutants that nothing notices are printed:
they are equivalent, or a test is missing.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt,),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt,),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}


def changes(tree):
    """(line, what, function that makes the change in the tree) for every possible mutant."""
    found = []

    def change(node, what, field, value, line=None):
        found.append((line or node.lineno, what, lambda: setattr(node, field, value)))

    annotations = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for root in [node.args, *node.decorator_list, *([node.returns] if node.returns else [])]
        for part in ast.walk(root)
    }
    for node in ast.walk(tree):
        if id(node) in annotations:
            continue
        if isinstance(node, ast.Compare):
            for other in COMPARISONS.get(type(node.ops[0]), ()):
                change(node, f"{ast.unparse(node)} by {other.__name__}", "ops", [other()])
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
            other = OPERATORS[type(node.op)]
            change(node, f"{ast.unparse(node)} by {other.__name__}", "op", other())
        elif isinstance(node, ast.BoolOp):
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            change(node, f"{ast.unparse(node)} by the other", "op", other)
        elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
            test = ast.UnaryOp(ast.Not(), node.test)
            change(node, f"not {ast.unparse(node.test)}", "test", test)
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            change(node, f"{node.value} + 1", "value", node.value + 1)
        for field in ("body", "orelse"):
            block = getattr(node, field, None)
            if not isinstance(block, list) or isinstance(node, (ast.Module, ast.ClassDef)):
                continue
            for i, statement in enumerate(block):
                if isinstance(statement, (ast.AugAssign, ast.Continue, ast.Break)) or (
                    isinstance(statement, ast.Assign)
                    and isinstance(statement.targets[0], (ast.Subscript, ast.Tuple))
                ):
                    other = ast.Break() if isinstance(statement, ast.Continue) else ast.Pass()
                    new = [*block[:i], ast.copy_location(other, statement), *block[i + 1 :]]
                    what = f"without {ast.unparse(statement)}"
                    change(node, what, field, new, statement.lineno)
    return sorted(found, key=lambda one: one[:2])


def run(folder, tests, limit):
    """Whether the tests pass, and the seconds they take; None beyond the limit."""
    flags = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *flags, *tests]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
    }
    start = time.perf_counter()
    options = {"cwd": folder, "env": environment, "capture_output": True, "timeout": limit}
    try:
        passed = subprocess.run(command, **options).returncode == 0
    except subprocess.TimeoutExpired:
        passed = False
    return passed, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="the file to break")
    parser.add_argument("tests", nargs="+", help="what should notice")
    parser.add_argument("-n", type=int, default=60, help="mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="append each mutant to this file of JSON lines")
    arguments = parser.parse_args()
    text = (ROOT / arguments.source).read_text()
    every = range(len(changes(ast.parse(text))))
    chosen = random.Random(arguments.seed).sample(every, min(arguments.n, len(every)))
    survivors = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("topoml", "tests"):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, folder / part, ignore=ignore)
        shutil.copy(ROOT / "pyproject.toml", folder)
        run(folder, arguments.tests, None)
        passed, seconds = run(folder, arguments.tests, None)
        assert passed, "the tests fail without a change"
        limit = 60 + 5 * seconds
        for k, number in enumerate(sorted(chosen)):
            tree = ast.parse(text)
            line, what, make = changes(tree)[number]
            make()
            (folder / arguments.source).write_text(ast.unparse(ast.fix_missing_locations(tree)))
            passed, seconds = run(folder, arguments.tests, limit)
            if passed:
                survivors.append((line, what))
            row = {
                "file": str(arguments.source),
                "line": line,
                "change": what,
                "killed": not passed,
            }
            print(f"{k + 1}/{len(chosen)} {row} {seconds:.0f} s", flush=True)
            if arguments.out:
                with arguments.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants killed; these were not:")
    for line, what in survivors:
        print(f"  {arguments.source}:{line}: {what}")


if __name__ == "__main__":
    main()
