"""What the README shows is what happens."""

import contextlib
import io
import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_first_snippet_prints_its_output():
    code, output = re.search(r"```python\n(.*?)```\s+```\n(.*?)```", README, re.DOTALL).groups()
    assert len(code.strip().splitlines()) <= 12
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue() == output


def test_every_picture_and_file_exists():
    root = Path(__file__).parent.parent
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    named = re.findall(r"\]\(([^)#:]+)\)", prose) + re.findall(r"`(examples/[^`]+\.py)`", prose)
    assert named
    for name in named:
        assert (root / name).exists(), name
