"""Which results may be ranked, exported and blessed: those in which `validate` finds no contradiction."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

import senbench
from senbench.audit import validate
from senbench.errors import UsageError
from senbench.io import checked_json
from senbench.results import predictions, store
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from senbench.schema.result import RunResult

VERSION = 1
"""Raised when the checks change, so that everything is looked at anew."""


def contradictions(folder: Path) -> list[str]:
    """Everything in a result that contradicts its rows, its other fields or what is shipped, one line each.

    What was found is kept under SENBENCH_HOME by the bytes of the files, so that a board of many results is checked
    once.

    Args:
        folder: Result folder.

    Returns:
        Findings; also where the result or its predictions cannot be read.
    """
    kept = _place(folder)
    if kept is not None and isinstance(found := checked_json.read(kept), list):
        return [str(line) for line in found]
    try:
        lines = validate.inconsistent(folder, store.load(folder))
    except UsageError as error:
        lines = [str(error)]
    if kept is not None:
        checked_json.write(kept, lines)
    return lines


def refuse(folder: Path) -> None:
    """Stop where a result contradicts itself.

    Raises:
        UsageError: With the first contradiction and the number of all.
    """
    if found := contradictions(folder):
        raise UsageError(_line(folder, found))


def each(folder: Path, say: Callable[[str], None]) -> Iterator[tuple[RunResult, Path]]:
    """All results of a folder that do not contradict themselves, with their own folders.

    Args:
        folder: Folder of result folders.
        say: Told, in one line, of each result that is left out.

    Raises:
        UsageError: As `store.each`; or no result is left.
    """
    left = 0
    for result, path in store.each(folder):
        if found := contradictions(path):
            say(f"left out: {_line(path, found)}")
        else:
            left += 1
            yield result, path
    if not left:
        raise UsageError(f"all results under {folder} contradict themselves; `senbench results validate` names how")


def _line(folder: Path, found: list[str]) -> str:
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    return f"result {folder.name} contradicts itself: {found[0]}{more}; see `senbench results validate {folder}`"


def _place(folder: Path) -> Path | None:
    """Where what was found is kept; None where the files cannot be read."""
    digest = hashlib.sha256(f"{VERSION} {senbench.__version__} {np.__version__}".encode())
    try:
        for name in ("result.json", predictions.FILE):
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return None
    return home() / "audited" / f"{digest.hexdigest()}.json"
