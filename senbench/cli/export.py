"""`senbench export`: writes results in other formats."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from senbench.cli.options import ResultFolders  # noqa: TC001 - typer reads the annotations
from senbench.runtime.lookup import unknown
from senbench.runtime.printing import say


def export(
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv, md, latex, json or model-index.")],
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN...", help="Only these: run ids or their beginnings, names of models. Default: all."
        ),
    ] = None,
    results: ResultFolders = "results",
    out: Annotated[str | None, typer.Option(help="File to write; default: stdout.")] = None,
) -> None:
    """Write the results of a folder as CSV, Markdown, LaTeX (booktabs), JSON or a Hugging Face model-index."""
    from senbench.audit import admission
    from senbench.cli.progress_bar import Bars
    from senbench.report.export.formats import FORMATS
    from senbench.results.store import load, locate

    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    folder = Path(results).expanduser()
    chosen = dict.fromkeys(locate(run, folder) for run in runs or ())
    for path in chosen:
        admission.refuse(path)
    note = partial(say, err=True)
    selected = [(load(path), path) for path in chosen] if chosen else list(admission.each(folder, note, Bars()))
    write(FORMATS[form]([r for r, _ in selected], {r.run_id: folder for r, folder in selected}), out)


def write(text: str, out: str | None) -> None:
    """Write text to a file, or to stdout.

    Raises:
        UnavailableError: The file cannot be written.
    """
    from senbench.results.store import write_text

    if out is None:
        say(text, nl=False)
        return
    write_text(Path(out).expanduser(), text, "--out")
    say(f"wrote {out}", err=True)
