"""The application: all command groups, and the conversion of errors to exit codes."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import re
import sys
import threading
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from senbench.errors import SenbenchError, UsageError, brief
from senbench.runtime import distributed, signals
from senbench.runtime.paths import home
from senbench.runtime.printing import printable, say

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Error numbers of a full disk or an exhausted quota."""
WrongUsage: Any = typer.BadParameter.__mro__[1]
"""Exceptions of typer for wrong command lines, of which it exports only one."""
_NO_MEMORY = re.compile(
    "cannot allocate|can't allocate|unable to alloc|bad_alloc|out of memory|failed to map segment|start new thread",
    re.IGNORECASE,
)
"""Matches libraries' messages about missing memory, which come with various exceptions."""
COMMANDS = (
    "demo",
    "run",
    "score",
    "predict",
    "map",
    "report",
    "compare",
    "reproduce",
    "explain",
    "check",
    "export",
    "plot",
    "cite",
    "bench",
    "doctor",
)
"""Commands in the order of the help; each is the function of its name in the module of its name."""
TOGETHER = ("run", "predict", "map", "align")
"""Commands that several processes of torchrun do together; of `align` only `train`, as that says itself."""
GROUPS = ("baseline", "results", "models", "prompts", "datasets", "sweep", "align", "cache")
"""Command groups in the order of the help; each is the `app` of the module of its name."""
HOMES = {"baseline": "check"}
"""Group -> its module, if that has another name."""


def _version(value: bool) -> None:
    if value:
        import senbench

        typer.echo(f"senbench {senbench.__version__}")
        raise typer.Exit


def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Zero-shot benchmark of vision-language models on Sentinel-2 land use."""
    if context.invoked_subcommand not in TOGETHER and distributed.team().size > 1:
        *first, last = (f"`senbench {name}`" for name in TOGETHER)
        serves = f"{', '.join(first)} and {last}"
        raise UsageError(f"torchrun serves {serves} only: start `senbench {context.invoked_subcommand}` without it")


def application(first: str | None = None) -> typer.Typer:
    """Return the application with all its commands, or only with the requested one.

    Args:
        first: First word of the command line. If it names a command or a group, the others are not imported, because
            typer inspects every parameter of every command, which takes 0.1 s.
    """
    made = typer.Typer(
        name="senbench",
        help="Which vision-language model, with which prompts, maps land use from Sentinel-2 tiles best, zero-shot?",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(options)
    every = first not in COMMANDS and first not in GROUPS
    for name in COMMANDS:
        if every or name == first:
            made.command(name)(getattr(import_module(f"senbench.cli.{name}"), name))
    for name in GROUPS:
        if every or name == first:
            made.add_typer(import_module(f"senbench.cli.{HOMES.get(name, name)}").app, name=name)
    return made


def main() -> None:
    """Run the command: expected errors give one line on stderr and an exit code, never a traceback."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # searching for them opens every installed package
    gc.set_threshold(1_000_000, 50, 50)  # garbage collection over tens of thousands of tiles took 10 % of a run
    try:
        for word in sys.argv[1:]:
            _check_argument(word)
        with signals.watched():
            code = application(*sys.argv[1:2])(standalone_mode=False)
        if isinstance(code, int):  # of `typer.Exit`
            sys.exit(code)
    except (KeyboardInterrupt, SystemExit):  # typer turns an interrupt into a silent exit
        if (number := signals.taken()) is None:
            raise
        distributed.tell("senbench: interrupted; nothing is half-written, and the same command can be given again")
        sys.exit(128 + number)
    except WrongUsage as error:
        sys.exit(_wrong_usage(error))
    except SenbenchError as error:
        line = " ".join(str(error).split())
        distributed.tell(f"senbench: {line}")
        sys.exit(error.exit_code)
    except PermissionError as error:
        if error.filename is None:
            raise
        do = f"make it accessible to this user, or use another; SENBENCH_HOME is {home()}"
        distributed.tell(f"senbench: {error.filename}: permission denied; {do}")
        sys.exit(3)
    except (MemoryError, ImportError, OSError, RuntimeError) as error:
        if (message := _refusal(error)) is None:
            raise
        distributed.tell(f"senbench: {message}")
        sys.exit(3)


def _wrong_usage(error: Any) -> int:
    """Print on one line what is wrong with a command line; return the exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
        say(error.format_message(), err=True)
        return int(error.exit_code)
    message = " ".join(error.format_message().split()).rstrip(".")
    where = "" if error.ctx is None else f"; see `{error.ctx.command_path} --help`"
    distributed.tell(f"senbench: {message[:1].lower()}{message[1:]}{where}")
    return int(error.exit_code)


def _check_argument(word: str) -> None:
    """Raise an error for control characters, which typer would repeat on the terminal; files may have such names.

    Raises:
        UsageError: The word contains a control character, and is not a file.
    """
    names = (word, word.partition(":")[2], word.partition("=")[2])
    if printable(word) != word and not any(name and os.path.lexists(name) for name in names):
        raise UsageError(f"argument {word!r} holds characters that act on a terminal; write it without them")


def _refusal(error: Exception) -> str | None:
    """Return the message for missing memory, a full disk, or a failed import; None for other errors."""
    if type(error).__name__ == "OutOfMemoryError":
        return "the device's memory is too small; use --device cpu or --dtype bf16"
    if isinstance(error, OSError) and error.errno in FULL:
        return f"no space left on the device{f' for {error.filename}' if error.filename else ''}"
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM or _NO_MEMORY.search(str(error)):
        return (
            f"the memory of this process is too small{_limited()}; raise the limit or close other programs, or use "
            "--batch-size 8 or a smaller model"
        )
    if isinstance(error, RecursionError):
        return "an input is nested too deeply to be read; flatten it"
    if isinstance(error, ImportError):
        return f"a library cannot be imported ({brief(error)}); install senbench anew, or look with `senbench doctor`"
    return None


def _limited() -> str:
    """Describe the limit on the process's memory, if there is one."""
    with suppress(ImportError):  # not on Windows
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            return f" (`ulimit -v` allows it {limit / 1e9:.1f} GB)"
    return ""


def program() -> NoReturn:
    """Run the command `senbench`: `main`, then wait for threads, run exit functions, and end the process.

    Objects in memory are not destroyed, which would take a second with torch.
    """
    code: Any = None
    try:
        main()
    except SystemExit as end:
        code = end.code
    if not isinstance(code, int | None):
        sys.exit(code)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # stdout is closed, as with `>&-`
                stream.flush()
        except OSError as error:
            code = code or (_full(error) if error.errno in FULL else 1)
    os._exit(code or 0)


def _full(error: OSError) -> int:
    """Print that a disk is full; return the exit code."""
    distributed.tell(f"senbench: {_refusal(error)}")
    return 3
