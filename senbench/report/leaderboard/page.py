"""The leaderboard: one self-contained HTML file, a pure function of the result files."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import senbench
from senbench.report.leaderboard import boards, published
from senbench.report.leaderboard.entries import read_all
from senbench.report.leaderboard.payload import payload, script_json
from senbench.results import factorial_file
from senbench.results.store import write_text

if TYPE_CHECKING:
    from senbench.report.leaderboard.boards import Board
    from senbench.report.leaderboard.entries import Entry

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
SCRIPTS = (
    "core",
    "table",
    "charts",
    "state",
    "board",
    "answers",
    "grid",
    "resampled",
    "scatter",
    "drawer",
    "published",
    "app",
)
"""Parts of the page's script, in order; one scope."""


def write(results: Path, out: Path) -> Path:
    """Build the page of all results in a folder.

    Args:
        results: Folder of result folders.
        out: HTML file to write, whole or not at all.

    Returns:
        The written file.

    Raises:
        UsageError: The folder holds no results, or a malformed one.
        UnavailableError: The page cannot be written.
    """
    return write_text(out, document(collect(results)[2]), "--out")


def collect(results: Path) -> tuple[list[Entry], list[Board], dict[str, Any]]:
    """Runs, boards and the data of the page of all results in a folder; the same results give the same.

    Raises:
        UsageError: The folder holds no results, or a malformed one.
        UnavailableError: A file is damaged.
    """
    entries, tables = read_all(results)
    found = boards.build(entries)
    beside = published.compare(*published.read(), entries)
    return entries, found, payload(entries, found, beside, factorial_file.load_all(results), tables)


def document(data: dict[str, Any]) -> str:
    """The page around its data.

    Returns:
        One HTML document without any external request. Its content security policy allows the style sheet and the
        script it hashes, pictures in data addresses, and nothing else.
    """
    parts = "".join((TEMPLATES / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    lines = (line.strip() for line in parts.splitlines())  # no string goes over a line
    script = "\n".join(["(() => {", "'use strict';", *(line for line in lines if line[:2] not in ("", "//")), "})();"])
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    text: str = template("page.html.j2").render(
        style=style,
        style_hash=digest(style),
        script=script,
        script_hash=digest(script),
        data=script_json(data),
        version=senbench.__version__,
    )
    return text


def template(name: str, *, escape: bool = False) -> Any:
    """A template of this room.

    Args:
        name: File name.
        escape: Escape everything that is put in. The leaderboard gets its script and its data as they are: both are
            made here, and names from results are only in the data.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(TEMPLATES)
    environment = Environment(
        loader=loader, autoescape=escape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda v, digits=1: "\u2013" if v is None else f"{100 * v:.{digits}f}"
    return environment.get_template(name)


def digest(text: str) -> str:
    """Hash of an inline script or style as a content security policy writes it, without its prefix."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
