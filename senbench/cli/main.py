"""The application: all command groups, and the one place that turns failures into exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

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

app = typer.Typer(
    name="senbench",
    help="Which vision-language model, with which prompts, maps land use from Sentinel-2 tiles best, zero-shot?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("run")(run_command.run)
app.command("score")(score.score)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("reproduce")(reproduce.reproduce)
app.command("explain")(explain.explain)
app.command("check")(check.check)
app.add_typer(check.app, name="baseline")
app.command("export")(export.export)
app.command("cite")(cite.cite)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.add_typer(results.app, name="results")
app.add_typer(models.app, name="models")
app.add_typer(prompts.app, name="prompts")
app.add_typer(datasets.app, name="datasets")
app.add_typer(sweep.app, name="sweep")
app.add_typer(cache.app, name="cache")


def _version(value: bool) -> None:
    if value:
        import senbench

        typer.echo(f"senbench {senbench.__version__}")
        raise typer.Exit


@app.callback()
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


def main() -> None:
    """Entry point: expected failures are one line on stderr and an exit code, never a traceback."""
    try:
        app()
    except SenbenchError as error:
        line = " ".join(str(error).split())
        distributed.tell(f"senbench: {line}")
        sys.exit(error.exit_code)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":
            raise
        distributed.tell("senbench: the device's memory is too small; use --device cpu or --dtype bf16")
        sys.exit(3)
