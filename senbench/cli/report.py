"""`senbench report`: builds the leaderboard from result files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from senbench.cli.options import ResultFolders  # noqa: TC001 - typer reads the annotations
from senbench.runtime.printing import say


def report(
    results: ResultFolders = "results",
    out: Annotated[str, typer.Option(help="HTML file to write.")] = "leaderboard/index.html",
    publish: Annotated[
        str | None, typer.Option(help="Folder: write a static site (board, run pages, JSON, thumbnails) there instead.")
    ] = None,
) -> None:
    """Build the leaderboard from result files: one file, without server or external requests."""
    from senbench.audit.admission import each
    from senbench.audit.validate import private
    from senbench.cli.progress_bar import Bars
    from senbench.report.leaderboard.page import write
    from senbench.report.leaderboard.site import publish as publish_site
    from senbench.results import store

    def note(line: str) -> None:
        say(f"note: {line}", err=True)

    folder, sound = Path(results).expanduser(), partial(each, say=partial(say, err=True), progress=Bars())
    if publish is not None:
        count = publish_site(folder, Path(publish).expanduser(), note, sound)
        say(f"wrote {count} files to {publish}; start at {Path(publish) / 'index.html'}", err=True)
        if n := sum(any(private(result)) for result in store.load_all(folder)):
            say(
                f"note: the JSON of {n} run{'s' * (n > 1)} holds paths of this machine or addresses of people; "
                "`senbench results validate` names them",
                err=True,
            )
        return
    path = write(folder, Path(out).expanduser(), note, sound)
    say(f"wrote {path}", err=True)
