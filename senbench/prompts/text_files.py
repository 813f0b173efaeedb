"""Reads users' text, YAML and JSON files: bounded in size, without silent losses, with one-line errors."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.io.plain_text import decode
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 1_000_000
"""Size in bytes of the largest file that is read, ten times that of the largest published prompt file."""

_MAX_DEPTH = 20


def one_line(message: object) -> str:
    """Return a library's error message without line breaks or other control characters."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in " ".join(str(message).split()))


def read_text(path: Path, what: str) -> str:
    """Read a text file of at most 1 MB: UTF-8, or what else `plain_text.decode` reads.

    Args:
        path: File to read.
        what: Name of its role in messages, e.g. `prompt file`.

    Returns:
        Its text, without a byte order mark, letters and their accents composed (NFC).

    Raises:
        UsageError: If it is absent, no regular file, unreadable, too large or no text.
    """
    if not path.is_file():
        problem = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise UsageError(f"{what} {path} {problem}; check the path")
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{what} {path} is larger than the limit of 1 MB; split or shorten it")
    return unicodedata.normalize("NFC", decode(data, f"{what} {path}"))


def read_yaml(path: Path, what: str) -> Any:
    """Read a YAML file with the safe loader; a repeated key is an error, not a lost class.

    Args:
        path: File to read.
        what: Name of its role in messages.

    Returns:
        Plain Python data.

    Raises:
        UsageError: If the file cannot be read or is not valid YAML; the message has the line.
    """
    import yaml

    text = read_text(path, what)
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times faster

    class UniqueKeys(base):  # type: ignore[misc]
        """Safe loader that refuses repeated keys."""

        def construct_mapping(self, node: Any, **options: Any) -> Any:
            for value, count in _repeated(key.value for key, _ in node.value if key.id == "scalar"):
                raise yaml.MarkedYAMLError(problem=f"key {value!r} occurs {count} times", problem_mark=node.start_mark)
            return super().construct_mapping(node, **options)

    depth = 0
    try:
        # The C parser is recursive and crashes the process on deep nesting, so that the depth is checked first.
        for event in yaml.parse(text, Loader=base):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise yaml.YAMLError(f"nested deeper than {_MAX_DEPTH} levels")
        return yaml.load(text, Loader=UniqueKeys)  # a subclass of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{what} {path}{line} is not valid YAML: {one_line(error.problem)}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{what} {path} is not valid YAML: {one_line(error)}") from error


def _repeated(keys: Iterable[str]) -> list[tuple[str, int]]:
    """Keys that occur more than once, and how often."""
    return [(key, count) for key, count in Counter(keys).items() if count > 1]


def read_json(path: Path, what: str) -> Any:
    """Read a JSON file under the rules and with the errors of `read_yaml`."""
    text = read_text(path, what)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, count in _repeated(key for key, _ in pairs):
            raise UsageError(f"{what} {path} has the key {key!r} {count} times; merge them")
        return dict(pairs)

    try:
        return parsing.from_json(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise UsageError(f"{what} {path}, line {error.lineno} is not valid JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{what} {path} is not valid JSON: {one_line(error)}") from error
