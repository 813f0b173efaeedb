"""Output of commands: consoles and tables, JSON for programs, and the message of an interruption."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from senbench.runtime import distributed, signals
from senbench.runtime.printing import printable, printable_json, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text


def make_console(*, stderr: bool) -> Console:
    """Make a console for tables, 120 columns wide if piped or written to a file; text is escaped, never markup."""
    from rich.console import Console

    class Clean(Console):
        """Escapes all strings, including those of tables, in the method through which they pass."""

        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(printable(text), **how)

    console = Clean(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, 120)
    return console


def make_table(*columns: str, figures: Iterable[str] = (), **column: Any) -> Table:
    """Make a table with a line below its head only.

    Args:
        columns: Titles of the columns of text.
        figures: Titles of the columns at their right, set flush right.
        column: Settings of each column, e.g. `no_wrap`.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in columns:
        table.add_column(title, **column)
    for title in figures:
        table.add_column(title, justify="right", **column)
    return table


def print_settings(console: Console, settings: Iterable[tuple[str, str, str]]) -> None:
    """Print a table of the settings that differ between two results."""
    table = make_table("setting that differs", "A", "B")
    for setting in settings:
        table.add_row(*setting)
    console.print(table)


def print_aligned(rows: Iterable[Iterable[str]]) -> None:
    """Print rows of text in aligned columns."""
    rows = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(data: Any, **form: Any) -> None:
    """Print one JSON document on stdout; records and dataclasses in it become objects.

    Args:
        data: What to print.
        form: Settings of `json.dumps`.
    """

    def plain(value: Any) -> Any:
        return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value.model_dump(mode="json")

    say(printable_json(json.dumps(data, default=plain, **form)))


def ended(kept: str) -> NoReturn:
    """Print that a signal ended the command, and exit as a shell expects.

    Args:
        kept: As `interruptible`.
    """
    number = signals.taken() or signal.SIGINT
    distributed.tell(f"senbench: interrupted; the same command continues with {kept}")
    raise typer.Exit(128 + number)


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """End the command on a signal with a line that says what is kept.

    Args:
        kept: What the same command continues with, e.g. `what arrived`.
    """
    try:
        yield
    except KeyboardInterrupt:
        ended(kept)
