"""`senbench export`: results in other formats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from senbench.errors import UnavailableError
from senbench.registry import unknown


def export(
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="csv, md, latex, json or model-index.")],
    results: Annotated[str, typer.Option(help="Folder with result folders.")] = "results",
    out: Annotated[str | None, typer.Option(help="File to write; default: stdout.")] = None,
) -> None:
    """Write all results of a folder as CSV, Markdown, LaTeX (booktabs), JSON or a Hugging Face model-index."""
    from senbench.results.export import FORMATS
    from senbench.results.store import load_all

    if form not in FORMATS:
        raise unknown("format", form, FORMATS)
    folder = Path(results).expanduser()
    found = load_all(folder)
    text = FORMATS[form](found, {r.run_id: folder / r.run_id for r in found})
    write(text, out)


def write(text: str, out: str | None) -> None:
    """Text to a file, or to stdout.

    Raises:
        UnavailableError: The file cannot be written.
    """
    if out is None:
        sys.stdout.write(text)
        return
    try:
        Path(out).expanduser().write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnavailableError(f"{out} cannot be written: {error.strerror}; give another --out") from error
    typer.echo(f"wrote {out}", err=True)
