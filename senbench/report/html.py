"""Shared parts of the pages: templates, style sheets and scripts with their hashes, and JSON inside scripts."""

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
"""Characters that could end a script element, or a line in old JavaScript."""


def render(name: str, /, *, style: str = "", script: str = "", **values: Any) -> str:
    """Render a template of `report/templates/`; all values are escaped except style and script.

    Args:
        name: File name of the template.
        style: The style sheet to embed, or the name of its file; empty for none.
        script: The script to embed; empty for none.
        values: Other variables of the template; `version` is that of senbench.

    Returns:
        The document. Its content security policy allows only the style sheet and the script whose hashes it states
        (`style_hash`, `script_hash`).
    """
    css = read(style) if style.endswith(".css") else style
    built_in = {"style_hash": digest(css), "script_hash": digest(script), "version": senbench.__version__}
    text: str = _environment().get_template(name).render(style=css, script=script, **built_in, **values)
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
    """Read a style sheet or script of `report/templates/`."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the hash of an inline script or style as written in a content security policy, without the prefix."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def picture(data: bytes) -> str:
    """Return a data URL of a WebP image."""
    return "data:image/webp;base64," + base64.b64encode(data).decode()


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a script element, whatever its content.

    Raises:
        UsageError: The value contains NaN or infinity, which JSON cannot express.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).translate(ESCAPES)
    except ValueError as error:
        raise UsageError(
            f"a result contains a number that JSON cannot express ({error}); `senbench run` writes none"
        ) from error
