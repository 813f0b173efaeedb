"""Figures by kind, written as PDF, SVG or PNG with their captions."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from senbench.errors import UnavailableError, UsageError
from senbench.report.figures import one_result, several_results
from senbench.report.figures.captions import SHOWS, caption
from senbench.report.figures.paper_style import paper
from senbench.results.store import write_text
from senbench.runtime.lookup import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from senbench.schema.result import RunResult

FORMATS = ("pdf", "svg", "png")
DPI = 300
SINGLE = ("confusion", "tiles")
"""Kinds that show one result."""


def figure(
    kind: str, results: Sequence[RunResult], folders: Sequence[Path], *, columns: int = 1, counts: bool = False
) -> Figure:
    """The figure of a kind.

    Args:
        kind: `confusion`, `classes`, `intervals`, `differences`, `reliability`, `sensitivity` or `tiles`.
        results: The results, at least one.
        folders: Their folders, in the same order.
        columns: 1 or 2, the columns of text that the figure spans.
        counts: Of a confusion matrix: images instead of percent.

    Raises:
        UsageError: An unknown kind, or results that it cannot show.
    """
    if kind not in SHOWS:
        raise unknown("kind of figure", kind, SHOWS)
    if kind in SINGLE and len(results) > 1:
        raise UsageError(f"a figure of kind {kind} shows one run, {len(results)} were given")
    if kind == "confusion":
        return one_result.confusion(results[0], counts=counts, columns=columns)
    if kind == "tiles":
        return one_result.tiles(results[0], folders[0], columns=columns)
    if kind == "differences":
        return several_results.differences(results, folders, columns=columns)
    if kind == "sensitivity":
        return several_results.sensitivity(results, folders[0].parent, columns=columns)
    return getattr(several_results, kind)(results, columns=columns)  # type: ignore[no-any-return]


def write(drawn: Figure, kind: str, results: Sequence[RunResult], out: Path) -> tuple[Path, Path]:
    """Write a figure, and beside it its caption as `NAME.caption.txt`; each whole or not at all.

    Args:
        drawn: The figure.
        kind: Its kind.
        results: The results in it.
        out: File to write; its ending is the format.

    Returns:
        Figure and caption.

    Raises:
        UsageError: Another format.
        UnavailableError: The disk refuses.
    """
    form = out.suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise UsageError(f"--out {out.name}: a figure is written as .{', .'.join(FORMATS[:-1])} or .{FORMATS[-1]}")
    part = out.with_name(f".{out.stem}.{secrets.token_hex(4)}.{form}")
    nothing = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[
        form
    ]  # the same results, the same bytes
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with paper():
            drawn.savefig(part, format=form, dpi=DPI, metadata=nothing)
        part.replace(out)
    except OSError as error:
        raise UnavailableError(f"{out} cannot be written: {error.strerror or error}; give another --out") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return out, write_text(out.with_suffix(".caption.txt"), caption(kind, results), "--out")


def every(results: Sequence[RunResult], folders: Sequence[Path], out: Path) -> list[Path]:
    """Write all figures that some results allow as PDF: of each its own, and those of all together.

    Args:
        results: The results, at least one.
        folders: Their folders, in the same order.
        out: Folder to write into.

    Returns:
        Written figures, without their captions.

    Raises:
        UnavailableError: The disk refuses.
    """
    wanted: list[tuple[str, str, slice]] = [(kind, kind, slice(None)) for kind in SHOWS if kind not in SINGLE]
    for i, result in enumerate(results):
        wanted += [(f"{kind}-{result.run_id}", kind, slice(i, i + 1)) for kind in SINGLE]
    written = []
    for name, kind, chosen in wanted:
        try:
            drawn = figure(kind, results[chosen], folders[chosen])
        except UsageError:  # this kind does not go with these results
            continue
        written.append(write(drawn, kind, results[chosen], out / f"{name}.pdf")[0])
    return written
