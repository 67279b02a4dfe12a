# SPDX-License-Identifier: MIT
"""The command line: a thin layer over the stages. Exit codes: 0 done, 1 a check failed, 2 bad input or usage."""

from __future__ import annotations

import io
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.text import Text

from qnn.cli import (
    calibrate,
    data,
    demo,
    doctor,
    emulate,
    export,
    firmware,
    flash,
    import_model,
    inspect,
    monitor,
    ops,
    playground,
    report,
    run,
    serve,
    simulate,
    train,
    verify,
)
from qnn.cli import compile as compile_command
from qnn.errors import QnnError

app = typer.Typer(
    name="qnn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# What typer raises for words that it cannot parse; it has moved from one package to another, its name has not.
UsageError = cast(type[Exception], next(c for c in typer.BadParameter.__mro__ if c.__name__ == "UsageError"))
COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("train", train.command),
    ("import", import_model.command),
    ("ops", ops.command),
    ("demo", demo.command),
    ("calibrate", calibrate.command),
    ("compile", compile_command.command),
    ("simulate", simulate.command),
    ("run", run.command),
    ("verify", verify.command),
    ("report", report.command),
    ("inspect", inspect.command),
    ("firmware", firmware.command),
    ("flash", flash.command),
    ("monitor", monitor.command),
    ("emulate", emulate.command),
    ("playground", playground.command),
    ("serve", serve.command),
    ("export", export.command),
    ("doctor", doctor.command),
)
for _name, _command in COMMANDS:
    app.command(_name, context_settings=run.SETTINGS if _command is run.command else None)(_command)
app.add_typer(data.app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"qnn {version('qnn')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Train a small network, compile it to integer-only C, prove that the chip computes what the PC computes."""


def main() -> None:
    """Run the command line; turns every failure into one line on stderr and an exit code.

    QNN_DEBUG=1 in the environment shows where an unexpected failure came from.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names of classes and columns may be beyond the terminal's code page.
            stream.reconfigure(errors="backslashreplace")
    try:
        with _ended_by_signal():
            code = app(prog_name="qnn", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except UsageError as error:
        _fail(_usage(error), 2)
    except QnnError as error:
        _fail(str(error), 2)
    except MemoryError:
        _fail("memory: there is not enough of it; use fewer samples or a smaller network", 2)
    except KeyboardInterrupt:
        _fail("stopped", 130)
    except OSError as error:
        place = error.filename or f"files in {tempfile.gettempdir()}"
        problem = f"{error.strerror or error} ({type(error).__name__})"
        _fail(str(QnnError(place, problem, "check the free space and the permissions")), 2)
    except Exception as error:
        if os.environ.get("QNN_DEBUG") == "1":
            traceback.print_exc()
        remedy = "please report it, with what QNN_DEBUG=1 in the environment shows"
        _fail(str(QnnError("internal error", f"{type(error).__name__}: {error}", remedy)), 2)


def _usage(error: Exception) -> str:
    """One line for a UsageError: what is wrong, and where help is."""
    text = " ".join(str(error.format_message()).split()).rstrip(".")  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    place = context.command_path if context else "qnn"
    command = place.removeprefix("qnn").strip()
    return f"{f'{command}: ' if command else ''}{text[:1].lower()}{text[1:]}; see {place} --help"


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM unwinds the stack while this lasts, so that children end and temporary files go."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminated(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _fail(text: str, code: int) -> None:
    Console(stderr=True, highlight=False).print(Text(f"qnn: {text}"), soft_wrap=True)
    sys.exit(code)
