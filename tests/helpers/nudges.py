"""Every leaf of a file of JSON changed a little, one after the other. Tools of the tests of validation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from senbench.audit.leaves import leaves, matches

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path


def nudged(value: Any) -> Any:
    """Another value of the same kind, near it."""
    if value is None:
        return 0.5
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value + 0.01 * max(abs(value), 0.1)
    return f"{value}x" if isinstance(value, str) else [0] if isinstance(value, list) else {"x": 1}


def put(data: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of parsed JSON with another leaf."""
    data = inner = json.loads(json.dumps(data))
    for step in path[:-1]:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    inner[int(path[-1]) if isinstance(inner, list) else path[-1]] = value
    return data


def unnoticed(file: Path, check: Callable[[], list[str]], listed: Collection[str]) -> tuple[int, list[str]]:
    """Number of leaves, and those whose change is not found; without those that are listed."""
    text = file.read_text()
    data, n, missed = json.loads(text), 0, []
    for path, value in leaves(data):
        n += 1
        file.write_text(json.dumps(put(data, path, nudged(value))))
        if not check() and not any(matches(path, pattern) for pattern in listed):
            missed.append(".".join(path))
    file.write_text(text)
    return n, missed


def without(data: Any, path: Sequence[str]) -> Any:
    """A copy of parsed JSON that lacks a key or an entry."""
    data = inner = json.loads(json.dumps(data))
    for step in path[:-1]:
        inner = inner[int(step)] if isinstance(inner, list) else inner[step]
    del inner[int(path[-1]) if isinstance(inner, list) else path[-1]]
    return data


def places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key and entry of nested mappings and lists with its path, from the outside in."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, str(key)), inner
        yield from places(inner, (*path, str(key)))


def missed_if_removed(file: Path, check: Callable[[], list[str]], listed: Collection[str]) -> tuple[int, list[str]]:
    """Number of facts, and those whose removal is not found; without those that are listed, and empty ones."""
    text = file.read_text()
    data, n, missed = json.loads(text), 0, []
    for path, value in places(data):
        if value in (None, "", False) or value in ([], {}):
            continue
        n += 1
        file.write_text(json.dumps(without(data, path)))
        if not check() and not any(matches(path, pattern) for pattern in listed):
            missed.append(".".join(path))
    file.write_text(text)
    return n, missed
