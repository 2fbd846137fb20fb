"""Entry point: the verbs, exit codes and the one-line form of errors."""

import os
import shlex
import signal
import sys
from collections.abc import Sequence

import typer

from .. import __version__
from .._core.errors import InputError, TopomlError
from .detect import detect
from .ensemble import ensemble
from .models import models
from .output import discard_partial
from .simulate import simulate

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
app.command()(simulate)
app.add_typer(ensemble, name="ensemble")


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
    for option in _LISTS:
        if sum(argument.split("=")[0] == option for argument in arguments) > 1:
            raise InputError(f"`{option}` is given twice; expected once, such as {option} 4,8.")
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
    """Run the command line and return its exit code.

    0; 2 for bad input, with one line on stderr; 130 for Ctrl-C and 143 for SIGTERM, with the
    command that goes on where a store was left.
    """
    if arguments is None:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _end)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, _end)
    given = sys.argv[1:] if arguments is None else arguments
    code, message = _run(given)
    if message:
        print(message + (_to_resume(given) if code == 130 else ""), file=sys.stderr)
    return code


def _end(number: int, _: object) -> None:
    """End the process on Ctrl-C or SIGTERM, with nothing left half-written.

    Not by a KeyboardInterrupt: one that is raised while a module loads is lost, or comes back as an
    ImportError, and after it the process would wait for its threads. Workers see that the process
    is gone and end, too.
    """
    discard_partial()
    from_bar = "\n" if os.isatty(2) else ""
    message = f"{from_bar}{_INTERRUPTED}{_to_resume(sys.argv[1:])}\n"
    os.write(2, message.encode())  # print() may be what is interrupted
    os._exit(128 + number)


def _to_resume(arguments: Sequence[str]) -> str:
    """A line with the command that goes on, where there is one."""
    if not arguments or arguments[0] != "simulate":
        return ""
    flag = [] if "--resume" in arguments else ["--resume"]
    return "\ngo on with: " + shlex.join(["topoml", *arguments, *flag])


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
