"""The application: all command groups, and the one place that turns failures into exit codes."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from typing import Annotated, Any

import typer

from senbench import distributed
from senbench.cli import (
    bench,
    cache,
    check,
    cite,
    compare,
    datasets,
    demo,
    doctor,
    explain,
    export,
    models,
    prompts,
    report,
    reproduce,
    results,
    score,
    sweep,
)
from senbench.cli import run as run_command
from senbench.errors import SenbenchError, UsageError

COMMANDS: dict[str, Any] = {
    "demo": demo.demo,
    "run": run_command.run,
    "score": score.score,
    "report": report.report,
    "compare": compare.compare,
    "reproduce": reproduce.reproduce,
    "explain": explain.explain,
    "check": check.check,
    "export": export.export,
    "cite": cite.cite,
    "bench": bench.bench,
    "doctor": doctor.doctor,
}
GROUPS = {
    "baseline": check.app,
    "results": results.app,
    "models": models.app,
    "prompts": prompts.app,
    "datasets": datasets.app,
    "sweep": sweep.app,
    "cache": cache.app,
}


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
    if context.invoked_subcommand != "run" and distributed.team().size > 1:
        raise UsageError(
            f"torchrun serves `senbench run` only: start `senbench {context.invoked_subcommand}` without it"
        )


def application(first: str | None = None) -> typer.Typer:
    """The application with all its commands, or with the only one that is asked for.

    Args:
        first: First word of the command line. Where it names a command or a group, the others are left out: typer
            looks at every parameter of every command, a tenth of a second.
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
    for name, command in COMMANDS.items():
        if every or name == first:
            made.command(name)(command)
    for name, group in GROUPS.items():
        if every or name == first:
            made.add_typer(group, name=name)
    return made


app = application()


def main() -> None:
    """Entry point: expected failures are one line on stderr and an exit code, never a traceback."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for them opens every installed package
    gc.set_threshold(1_000_000, 50, 50)  # tens of thousands of tiles are no garbage: looking took a tenth of a run
    atexit.register(_leave)
    try:
        application(*sys.argv[1:2])()
    except SenbenchError as error:
        line = " ".join(str(error).split())
        distributed.tell(f"senbench: {line}")
        sys.exit(error.exit_code)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        distributed.tell("senbench: the device's memory is too small; use --device cpu or --dtype bf16")
        sys.exit(3)


def _leave() -> None:
    """Spare a process that ends a last search for garbage; but torch's extensions complain of what it leaves."""
    if "torch" not in sys.modules:
        gc.freeze()
