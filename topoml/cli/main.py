"""Entry point: the verbs, exit codes and the one-line form of errors."""

import os
import signal
import sys
from collections.abc import Sequence

import typer

from .. import __version__
from .._core.errors import TopomlError
from .detect import detect
from .models import models
from .output import discard_partial

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


_INTERRUPTED = "topoml: interrupted"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 0, 2 for bad input (one line on stderr), 130 for Ctrl-C."""
    if arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    code, message = _run(sys.argv[1:] if arguments is None else arguments)
    if message:
        print(message, file=sys.stderr)
    return code


def _end(*_: object) -> None:
    """End the process on Ctrl-C, with nothing left half-written.

    Not by a KeyboardInterrupt: one that is raised while a module loads is lost, or comes back as an
    ImportError, and after it the process would wait for its threads.
    """
    discard_partial()
    os.write(2, (_INTERRUPTED + "\n").encode())  # print() may be what is interrupted
    os._exit(130)


def _run(given: Sequence[str]) -> tuple[int, str]:
    """Exit code, and what to say of it on stderr."""
    try:
        code = typer.main.get_command(app).main(
            args=_join_lists(given or ["--help"]), prog_name="topoml", standalone_mode=False
        )
        if code == 130:  # what newer versions of typer make of Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()
        return int(code or 0), ""
    except TopomlError as error:
        return 2, _line(str(error))
    except MemoryError as error:
        return 2, _line(f"out of memory ({error}). Cure: smaller or fewer sizes, fewer samples.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1, ""
    except (KeyboardInterrupt, typer.Abort):
        return 130, _INTERRUPTED
    except Exception as error:
        # typer's usage errors; their class is click's or, from typer 0.20 on, typer's own
        if not hasattr(error, "format_message"):
            raise
        parameter = getattr(getattr(error, "param", None), "opts", [""])[-1]
        about = f"`{parameter}`: " if parameter else ""
        return 2, _line(f"{about}{error.format_message()} See topoml --help.")


def _line(message: str) -> str:
    return "topoml: error: " + " ".join(message.split())
