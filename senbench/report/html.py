"""What the pages have in common: templates, styles and scripts with their hashes, data that a script may hold."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import senbench
from senbench.errors import UsageError
from senbench.report.numbers import interval, points, probability, share

TEMPLATES = Path(__file__).with_name("templates")
ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
"""What could end a script element, or a line in old JavaScript."""


def render(name: str, /, *, style: str = "", script: str = "", **values: Any) -> str:
    """A template of `report/templates/` with its values; whatever is put in is escaped, but for style and script.

    Args:
        name: File name of the template.
        style: The style sheet that stands in the page, or the name of its file; empty: none.
        script: The script that stands in the page; empty: none.
        values: What else the template names; `version` is that of senbench.

    Returns:
        The document. Its content security policy allows the style sheet and the script whose hashes it states
        (`style_hash`, `script_hash`), and nothing else that runs.
    """
    css = read(style) if style.endswith(".css") else style
    own = {"style_hash": digest(css), "script_hash": digest(script), "version": senbench.__version__}
    text: str = _environment().get_template(name).render(style=css, script=script, **own, **values)
    return text


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(share=share, points=points, interval=interval, probability=probability)
    made.filters["percent"] = lambda v, digits=1: "\u2013" if v is None else f"{100 * v:.{digits}f}"
    return made


def read(name: str) -> str:
    """A style sheet or script of `report/templates/`."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Hash of an inline script or style as a content security policy writes it, without its prefix."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def picture(data: bytes) -> str:
    """Address of a WebP image that holds the image itself."""
    return "data:image/webp;base64," + base64.b64encode(data).decode()


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element, whatever it holds.

    Raises:
        UsageError: It holds NaN or infinity, which JSON has not.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(ESCAPES)
    except ValueError as error:
        raise UsageError(f"a result holds a number that JSON has not ({error}); `senbench run` writes none") from error
