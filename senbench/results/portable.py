"""Replaces paths by base names before a result is written, so that it contains nothing private."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senbench.runtime.dataset_names import local_path
from senbench.runtime.inline_prompts import is_template
from senbench.runtime.paths import base_name, home

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.schema.run_spec import RunSpec

PATHS = ("data_dir", "weights", "results", "split", "class_names", "tune", "anchors")
"""Fields of `RunSpec` and `Settings` that may be a path."""
NAMES = ("models", "prompts", "datasets", "model", "dataset")
"""Fields of `RunSpec` and `Settings` with lists of names or paths."""
FILES = (".toml", ".j2", ".json", ".yaml", ".yml", ".txt")
"""Suffixes that mark a name as that of a user's file."""
LOCAL = ("folder:", "table:", "local-dir:", "file:")
"""Prefixes that are followed by a path."""
REMOTE = ("hf:", "openclip:")
"""Prefixes that are followed by `OWNER/NAME` or a path."""
_PATH = re.compile(
    r"(?<![\w:/.\\<])(?:file:(?://)?)?"
    r"((?:(?:~[\w.-]*|[A-Za-z]:)[/\\]|\\?[/\\][^/\\\s'\"]+[/\\])(?:[^/\\\s'\"]+[/\\])*[^/\\\s'\"]*?)"
    r"(?=[.,:;)]*(?:[\s'\"]|$))"
)
"""Matches, within a sentence, a path that starts at the root, a drive or a home folder."""


def name(value: str) -> str:
    """Return a model, prompt style, dataset or option as a result records it, without folders.

    Args:
        value: As passed: a name, a path, or a path after `folder:`, `local-dir:` or `hf:`.
    """
    if is_template(value):
        return value
    for prefix in LOCAL:
        if value.startswith(prefix):
            return prefix + base_name(value.removeprefix(prefix))
    for prefix in REMOTE:
        if value.startswith(prefix):
            rest = value.removeprefix(prefix)
            local = rest.startswith(("/", ".", "~", "\\")) or re.match(r"[A-Za-z]:[/\\]", rest) is not None
            return prefix + base_name(rest) if local else value
    return base_name(value)


def fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run's spec or settings with every path replaced by its base name."""
    recorded = dict(values)
    for key in (*PATHS, *NAMES):
        value = recorded.get(key)
        if isinstance(value, str):
            recorded[key] = name(value)
        elif isinstance(value, list | tuple):
            recorded[key] = tuple(map(name, value))
    return recorded


def folders(spec: RunSpec) -> tuple[str, ...]:
    """Return the folders of this machine that messages of a run may contain, longest first.

    Args:
        spec: The run as passed.
    """
    passed = [
        getattr(spec, key) for key in ("data_dir", "weights", "results", "split", "class_names", "tune", "anchors")
    ]
    passed += [*spec.models, *spec.prompts]
    passed += [one if (local := local_path(one)) is None else local[1] for one in spec.datasets]
    passed = [one for one in passed if one and re.search(r"[/\\]|^~", one)]
    places = [Path(one).expanduser() for one in passed]
    places += [home(), Path.cwd(), Path.home()]
    variants = {str(p) for place in places for p in (place, place.absolute(), place.resolve(), place.absolute().parent)}
    return tuple(sorted((one for one in {*variants, *passed} if len(one) > 1), key=len, reverse=True))


def sentence(text: str, known: Sequence[str] = ()) -> str:
    """Remove the folders from the paths in a text; web addresses are not changed.

    Args:
        text: The text.
        known: Folders that the text may contain, longest first; a pattern would not find those with spaces.
    """
    for folder in known:
        if folder in text:  # only as a whole path, and not inside a web address
            inside = rf"(?<![\w:/.\\]){re.escape(folder)}/(?=\S)"
            text = re.sub(inside, "", text)
            text = base_name(folder).join(re.split(rf"(?<![\w:/.\\]){re.escape(folder)}/?(?![\w.-])", text))
    return _PATH.sub(lambda match: base_name(match[1]), text)


def told(value: Any, known: Sequence[str] = ()) -> Any:
    """Apply `sentence` to every text in parsed JSON, including the keys of objects."""
    if isinstance(value, str):
        return sentence(value, known)
    if isinstance(value, list | tuple):
        return type(value)(told(one, known) for one in value)
    if isinstance(value, dict):
        return {told(key, known): told(one, known) for key, one in value.items()}
    return value
