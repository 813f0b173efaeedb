"""`senbench check` and `senbench baseline bless`: the gate of continuous integration."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from senbench.cli.options import ResultFolders  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import print_json
from senbench.runtime.printing import say

app = typer.Typer(no_args_is_help=True, help="The baseline that `check` holds results against.")


def check(
    baseline: Annotated[str, typer.Option(help="Baseline written by `senbench baseline bless`.")],
    results: ResultFolders = "results",
    margin: Annotated[float, typer.Option(help="Accepted drop in points: the paired interval must exclude it.")] = 1.0,
    tolerance: Annotated[
        float | None,
        typer.Option(help="Largest change of any figure (0..1) that is accepted; default: the baseline's noise."),
    ] = None,
    form: Annotated[Literal["text", "json", "github"], typer.Option("--format", help="Form of the output.")] = "text",
) -> None:
    """Fail (exit 1) unless every guarded run exists, is unchanged up to numeric noise, and is not worse."""
    from senbench.gate import verdict
    from senbench.gate.comparison import check

    found = check(Path(baseline).expanduser(), Path(results).expanduser(), margin=margin / 100, tolerance=tolerance)
    if form == "json":
        print_json(verdict.as_json(found), indent=1, allow_nan=False)
    else:
        say(verdict.text(found) if form == "text" else verdict.github(found))
    if form == "github" and (target := os.environ.get("GITHUB_STEP_SUMMARY")):
        try:
            with Path(target).open("a", encoding="utf-8") as file:
                file.write(verdict.summary(found))
        except OSError as error:
            say(f"senbench: step summary {target} cannot be written: {error.strerror}", err=True)
            raise typer.Exit(1) from error
    if not found.passed:
        raise typer.Exit(1)


@app.command("bless")
def bless(
    why: Annotated[str, typer.Option(help="Why these results are right; kept in the baseline.")],
    out: Annotated[str, typer.Option(help="Baseline to write; the history of an older one is kept.")],
    results: Annotated[
        str, typer.Option(help="Folder with result folders; all but trial runs are blessed.")
    ] = "results",
    repeat: Annotated[
        str | None,
        typer.Option(help="Results of the same runs with another batch size or device: measures the numeric noise."),
    ] = None,
    who: Annotated[
        str | None, typer.Option(help="Your name, to be stored in the baseline; anyone with the file can read it.")
    ] = None,
) -> None:
    """Accept results as the baseline; records when, why, and with --who also who."""
    from senbench.gate.bless import bless

    again = None if repeat is None else Path(repeat).expanduser()
    note = partial(say, err=True)
    new = bless(Path(results).expanduser(), Path(out).expanduser(), why, again, who=who, say=note)
    last = new.history[-1]
    for name, fate in last.runs.items():
        say(f"{fate}: {name}", err=True)
    by = f" by {last.who}" if last.who else ""
    say(f"wrote {out}, blessed{by}: {last.why}", err=True)
