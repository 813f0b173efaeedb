"""`senbench report`: a static page from result files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    results: Annotated[str, typer.Option(help="Folder with result folders.")] = "results",
    out: Annotated[str, typer.Option(help="HTML file to write.")] = "leaderboard/index.html",
) -> None:
    """Build a static page from result files: one file, no server, no external request."""
    from senbench.report.page import write

    path = write(Path(results).expanduser(), Path(out).expanduser())
    typer.echo(f"wrote {path}", err=True)
