"""Entry point: the verbs, exit codes and the one-line form of errors."""

import os
import sys
from collections.abc import Sequence

import typer

from .. import __version__
from .._core.errors import TopomlError
from .detect import detect
from .models import models

__all__ = ["main"]

app = typer.Typer(
    name="topoml",
    help="Topology and geometry for machine learning in physics.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(detect)
app.command()(models)


def _version(value: bool) -> None:
    if value:
        print(f"topoml {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True,
                                 help="Print the version and exit."),
) -> None:  # fmt: skip
    pass


_LISTS = ("--sizes", "--temperatures")


def _is_number(text: str) -> bool:
    return bool(text) and not text.strip("0123456789.,e-")


def _join_lists(arguments: Sequence[str]) -> list[str]:
    """Let ``--sizes 32 64`` stand for ``--sizes 32,64``."""
    joined: list[str] = []
    values: list[str] | None = None  # of the list option that is being read
    for argument in arguments:
        if values is not None and (not values or _is_number(argument)):
            if values:
                joined.pop()
            values.append(argument)
            joined.append(",".join(values))
            continue
        values = [] if argument in _LISTS else None
        joined.append(argument)
    return joined


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 0, 2 for bad input (one line on stderr), 130 for Ctrl-C."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = typer.main.get_command(app).main(
            args=_join_lists(given or ["--help"]), prog_name="topoml", standalone_mode=False
        )
        if code == 130:  # what newer versions of typer make of Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()
        return int(code or 0)
    except TopomlError as error:
        return _fail(str(error))
    except MemoryError as error:
        return _fail(f"out of memory ({error}). Cure: smaller or fewer sizes, fewer samples.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        print("topoml: interrupted", file=sys.stderr, flush=True)
        if arguments is not None:
            return 130
        sys.stdout.flush()
        os._exit(130)  # threads in a kernel are not waited for; nothing is left half-written
    except Exception as error:
        # typer's usage errors; their class is click's or, from typer 0.20 on, typer's own
        if not hasattr(error, "format_message"):
            raise
        parameter = getattr(getattr(error, "param", None), "opts", [""])[-1]
        about = f"`{parameter}`: " if parameter else ""
        return _fail(f"{about}{error.format_message()} See topoml --help.")


def _fail(message: str) -> int:
    print("topoml: error: " + " ".join(message.split()), file=sys.stderr)
    return 2
