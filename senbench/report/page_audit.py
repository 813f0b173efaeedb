"""Checks that a page or a published site agrees with the results from which it was made."""

from __future__ import annotations

import base64
import binascii
import re
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import senbench
from senbench.audit import admission
from senbench.audit.leaves import Tolerance, differences
from senbench.errors import SenbenchError, UsageError
from senbench.report.comparison import page as comparison_page
from senbench.report.comparison.two_results import compare
from senbench.report.leaderboard import page as board_page
from senbench.report.leaderboard import site
from senbench.results import store
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from senbench.schema.result import RunResult

MAX_BYTES = 64 << 20
"""Size in bytes of the largest page that is read."""
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
COMPARED = re.compile(r'<p class="soft">first <code>([\w.-]+)</code><br>second <code>([\w.-]+)</code></p>')
PICTURE = re.compile(r'<img src="data:image/webp;base64,([\w+/=]*)" alt="([^"]*)"')
EXACT = Tolerance(ends=0.0)
"""Tolerance 0: figures of a page are rounded, so that they must be equal."""


def is_site(path: Path) -> bool:
    """Return whether a folder is a site written by `report --publish`."""
    return path.is_dir() and (path / site.MANIFEST).is_file()


def findings(path: Path, results: Path) -> list[str]:
    """Return every difference between a page, or the files of a site, and the results, one line each.

    The page is made again and compared: its data value by value, the rest line by line.

    Args:
        path: HTML file of `report` or `compare`, or the folder of a published site.
        results: Folder of the results from which it was made.

    Returns:
        The findings, including that the page or the results cannot be read or are of another version.
    """
    try:
        return list(_site(path, results) if is_site(path) else _page(_read(path), results))
    except SenbenchError as error:
        return [str(error)]


def _read(path: Path) -> str:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UsageError(f"{path.name}: {size:,} bytes, more than {MAX_BYTES:,}; not read")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not text in UTF-8: it was not written by senbench") from error


def _page(text: str, results: Path) -> Iterator[str]:
    if match := COMPARED.search(text):
        first, second = (store.locate(name, results) for name in match.groups())
        yield from _lines(text, comparison_page.render(compare(first, second), dict(_pictures(text))))
        return
    data = _data(text)
    if not isinstance(data, dict) or "boards" not in data:
        raise UsageError(
            "this is not a page of `report` or `compare`; a page of `prompts matrix` is measured on embeddings, which "
            "no result holds: make it again to check it"
        )
    if data.get("senbench") != senbench.__version__:
        made = str(data.get("senbench"))[:20]
        raise UsageError(f"the page was made by senbench {made}, this is {senbench.__version__}: make it again")
    yield from _board(text, board_page.document(board_page.collect(results, each=_admitted)[2]))


def _admitted(results: Path) -> Iterator[tuple[RunResult, Path]]:
    """Yield the results that a page shows."""
    return admission.each(results, lambda line: None)


def _board(text: str, made: str) -> Iterator[str]:
    """Compare the data of a leaderboard, then the rest of the page."""
    differing = [one.line for one in differences(_data(text), _data(made), EXACT, ("data",))]
    yield from differing or _lines(text, made)


def _data(text: str) -> Any:
    """Return the JSON inside a page; None if there is none."""
    match = DATA.search(text)
    try:
        return match and parsing.from_json(match[1])
    except ValueError as error:
        raise UsageError(f"the data of the page are not JSON: {error}") from error


def _pictures(text: str) -> Iterator[tuple[str, bytes]]:
    """Yield tile id and picture from a page, since results do not contain the pixels."""
    import html

    for data, name in PICTURE.findall(text):
        try:
            yield html.unescape(name), base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise UsageError(f"the picture of {name[:40]} is damaged: {error}") from error


def _lines(text: str, made: str) -> Iterator[str]:
    """Describe the first line that differs, and the number of differing lines."""
    pairs = list(zip_longest(text.splitlines(), made.splitlines(), fillvalue=""))
    differ = [k for k, (a, b) in enumerate(pairs) if a != b]
    if differ:
        k = differ[0]
        stated, expected = pairs[k]
        at = next((i for i, (a, b) in enumerate(zip(stated, expected, strict=False)) if a != b), 0)
        part = slice(max(0, at - 20), at + 40)
        more = f" (and {len(differ) - 1:,} more lines)" if len(differ) > 1 else ""
        yield f"line {k + 1:,} is ...{stated[part]!r}, expected ...{expected[part]!r}{more}"


def _site(path: Path, results: Path) -> Iterator[str]:
    """Make every file of a site again in another folder and compare them."""
    with tempfile.TemporaryDirectory(prefix="senbench-site-") as folder:
        made = Path(folder)
        site.publish(results, made, each=_admitted)
        expected = {file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file()}
        for name in sorted(expected):
            yield from (f"{name}: {line}" for line in _file(path / name, made / name))
        stated = parsing.from_json(_read(path / site.MANIFEST))
        for name in sorted({*(stated if isinstance(stated, dict) else ())} - expected):
            yield f"{name}: no result gives this file"


def _file(file: Path, made: Path) -> Iterator[str]:
    if not file.is_file():
        yield "is missing"
    elif file.read_bytes() == made.read_bytes():
        return
    elif file.suffix == ".json":
        try:
            stated, expected = (parsing.from_json(_read(one)) for one in (file, made))
        except ValueError as error:
            yield f"is not JSON: {error}"
            return
        yield from [one.line for one in differences(stated, expected, EXACT)] or ["is written otherwise"]
    elif file.name == "index.html":
        yield from _board(_read(file), _read(made))
    elif file.suffix == ".html":
        yield from _lines(_read(file), _read(made))
    else:
        yield "is another file than the results give"
