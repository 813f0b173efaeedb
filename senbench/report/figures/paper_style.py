"""How figures for papers look: widths of columns, sizes of type, colours that colour-blind readers can tell apart."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.runtime.printing import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

WIDTHS = {1: 3.35, 2: 6.9}
"""Columns that a figure spans -> its width in inches, as in the two-column layout of most proceedings."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette ("Color universal design", 2008), the darker ones first."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#767676"
LONGEST = 34
"""Characters of a label before it is cut."""
SETTINGS: dict[str, Any] = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.0,
    "lines.markersize": 3,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # type that publishers accept, not outlines
    "svg.hashsalt": "senbench",  # the same results give the same bytes
    "text.parse_math": False,  # a dollar sign in a class name is a dollar sign
}


@contextmanager
def paper() -> Iterator[None]:
    """Within it matplotlib draws as for a paper, whatever the user's own settings are."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)  # type: ignore[arg-type]
        yield


def blank(columns: int, height: float) -> Figure:
    """An empty figure, outside of pyplot's list of open figures.

    Args:
        columns: 1 or 2, the columns of text that it spans.
        height: Height in inches.

    Raises:
        UsageError: Another number of columns.
    """
    from matplotlib.figure import Figure

    if columns not in WIDTHS:
        raise UsageError(f"a figure of {columns} columns: give 1 or 2")
    return Figure(figsize=(WIDTHS[columns], height), layout="constrained")


def label(text: str) -> str:
    """A name as a label: one line, without control characters, cut where it is long."""
    text = " ".join(printable(text).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def rows(axes: Any, names: list[str]) -> None:
    """Name the rows of an axes from the top down."""
    axes.set_yticks(range(len(names)), [label(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.set_axisbelow(True)
