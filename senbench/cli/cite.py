"""`senbench cite`: writes text for a paper on some runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from senbench.runtime.lookup import unknown
from senbench.runtime.printing import say


def cite(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Run ids or their beginnings, names of models, or result folders."),
    ],
    part: Annotated[
        str | None, typer.Option("--part", metavar="PART", help="methods, table, bibtex or checklist; default: all.")
    ] = None,
    results: Annotated[str, typer.Option(help="Folder with result folders, for run ids.")] = "results",
    out: Annotated[str | None, typer.Option(help="File to write; default: stdout.")] = None,
    figures: Annotated[
        str | None, typer.Option("--figures", metavar="DIR", help="Write all figures of the runs there as PDF, too.")
    ] = None,
) -> None:
    """Write a methods paragraph, a LaTeX table, BibTeX of everything used, and a reporting checklist."""
    from senbench.cli.export import write
    from senbench.report.citation.citation import PARTS
    from senbench.report.citation.citation import cite as text
    from senbench.results import store

    if part is not None and part not in PARTS:
        raise unknown("part", part, PARTS)
    folders = [store.locate(run, Path(results).expanduser()) for run in dict.fromkeys(runs)]
    by_id = {r.run_id: (r, folder) for folder in folders for r in [store.load(folder)]}
    cited = [r for r, _ in by_id.values()]
    write(text(cited, {r.run_id: folder for r, folder in by_id.values()}, (part,) if part else PARTS), out)
    if figures is not None:
        from senbench.report.figures.figure_files import every

        drawn = every(cited, [folder for _, folder in by_id.values()], Path(figures).expanduser())
        say(f"wrote {len(drawn)} figures with captions to {figures}", err=True)
