"""`senbench plot`: figures of results for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from senbench.cli.options import ResultFolders  # noqa: TC001 - typer reads the annotations
from senbench.runtime.printing import say


def plot(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Run ids or their beginnings, names of models, or result folders."),
    ],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="confusion, classes, intervals, differences, reliability, sensitivity or tiles.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="File to write: .pdf, .svg or .png.")],
    columns: Annotated[int, typer.Option(min=1, max=2, help="Columns of text that the figure spans.")] = 1,
    counts: Annotated[bool, typer.Option("--counts", help="Confusion in images instead of percent.")] = False,
    results: ResultFolders = "results",
) -> None:
    """Draw a figure of some runs for a paper, with a caption that keeps what qualifies them."""
    from senbench.audit import admission
    from senbench.report.figures.figure_files import figure, write
    from senbench.results.store import load, locate

    folders = [locate(run, Path(results).expanduser()) for run in dict.fromkeys(runs)]
    for folder in folders:
        admission.refuse(folder)
    found = [load(folder) for folder in folders]
    drawn = figure(kind, found, folders, columns=columns, counts=counts)
    for path in write(drawn, kind, found, Path(out).expanduser()):
        say(f"wrote {path}", err=True)
