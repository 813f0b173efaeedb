"""The leaderboard: one self-contained HTML file, a pure function of the result files."""

from __future__ import annotations

import base64
import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import senbench
from senbench.errors import UnavailableError
from senbench.report import boards, published
from senbench.report.entries import read_all
from senbench.report.payload import payload, script_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.report.entries import Entry, Tables

TEMPLATES = Path(__file__).resolve().parent / "templates"
SCRIPTS = ("core", "table", "charts", "state", "board", "answers", "grid", "scatter", "drawer", "published", "app")
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
    text = render(*read_all(results))
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(out)
    except OSError as error:
        raise UnavailableError(f"page {out} cannot be written: {error.strerror}; give another --out") from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def render(entries: Sequence[Entry], tables: Tables) -> str:
    """The page as text; the same results give the same bytes.

    Args:
        entries: Runs, as from `read_all`.
        tables: What they share.

    Returns:
        One HTML document without any external request. Its content security policy allows the style sheet and the
        script it hashes, pictures in data addresses, and nothing else.
    """
    beside = published.compare(*published.read(), entries)
    return document(payload(entries, boards.build(entries), beside, tables))


def document(data: dict[str, Any]) -> str:
    """The page around its data."""
    script = "(() => {\n'use strict';\n"
    script += "".join((TEMPLATES / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS) + "})();"
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
