"""The leaderboard: one self-contained HTML file, a pure function of the result files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senbench.report import html
from senbench.report.leaderboard import published_beside, tables
from senbench.report.leaderboard.entries import read_all
from senbench.report.leaderboard.payload import BesideResults, payload
from senbench.results import factorial_file, published, single_prompts_file, store
from senbench.results.store import write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from senbench.report.leaderboard.entries import Each, LeaderboardEntry
    from senbench.report.leaderboard.tables import Board

SCRIPTS = (
    "core",
    "table",
    "charts",
    "state",
    "board",
    "answers",
    "grid",
    "resampled",
    "causes",
    "singles",
    "labels",
    "scatter",
    "drawer",
    "published",
    "app",
)
"""Parts of the page's script, in order; they share one scope."""


def write(results: Path, out: Path, say: Callable[[str], None] = lambda line: None, each: Each = store.each) -> Path:
    """Build the page of all results in a folder.

    Args:
        results: Folder of result folders.
        out: HTML file to write, atomically.
        say: Shows a line: how many results were left out, and why.
        each: Gives the results of the folder that are wanted.

    Returns:
        The written file.

    Raises:
        UsageError: The folder has no results, or a malformed one.
        UnavailableError: The page cannot be written.
    """
    return write_text(out, document(collect(results, say, each)[2]), "--out")


def collect(
    results: Path, say: Callable[[str], None] = lambda line: None, each: Each = store.each
) -> tuple[list[LeaderboardEntry], list[Board], dict[str, Any]]:
    """Return runs, boards and the page's data for all results in a folder; deterministic.

    Raises:
        UsageError: The folder has no results, or a malformed one.
        UnavailableError: A file is damaged.
    """
    entries, shared = read_all(results, say, each)
    boards = tables.build(entries)
    beside = published_beside.compare(published.read(), entries)
    kept = BesideResults(factorial_file.load_all(results), single_prompts_file.load_all(results))
    return entries, boards, payload(entries, boards, beside, kept, shared)


def document(data: dict[str, Any]) -> str:
    """Return the page with its data.

    Returns:
        One HTML document without external requests. Its content security policy allows only the style sheet and the
        script whose hashes it states, and pictures in data URLs.
    """
    parts = "".join(html.read(f"js/{name}.js") for name in SCRIPTS)
    lines = (line.strip() for line in parts.splitlines())  # strings do not span lines
    script = "\n".join(["(() => {", "'use strict';", *(line for line in lines if line[:2] not in ("", "//")), "})();"])
    shown = html.script_json(data)
    return html.render("page.html.j2", style="page.css", script=script, data=shown)
