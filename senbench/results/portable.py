"""What a result records of a machine: base names instead of paths, so that nothing private is written at all."""

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
"""Fields of `RunSpec` and `Settings` that are a path, or may be one."""
NAMES = ("models", "prompts", "datasets", "model", "dataset")
"""Fields of `RunSpec` and `Settings` that hold names, or paths in their place."""
FILES = (".toml", ".j2", ".json", ".yaml", ".yml", ".txt")
"""Endings by which a name is told to be that of a user's file."""
LOCAL = ("folder:", "table:", "local-dir:", "file:")
"""Prefixes of names that a path follows."""
REMOTE = ("hf:", "openclip:")
"""Prefixes of names that an `OWNER/NAME` follows, or a path."""
_PATH = re.compile(
    r"(?<![\w:/.\\<])(?:file:(?://)?)?"
    r"((?:(?:~[\w.-]*|[A-Za-z]:)[/\\]|\\?[/\\][^/\\\s'\"]+[/\\])(?:[^/\\\s'\"]+[/\\])*[^/\\\s'\"]*?)"
    r"(?=[.,:;)]*(?:[\s'\"]|$))"
)
"""A path from the root, a drive or a home folder, in a sentence."""


def name(value: str) -> str:
    """A model, prompt style, dataset or option as a result records it: its folders are left out.

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
    """Fields of a run's spec or settings as a result records them: every path by its base name."""
    found = dict(values)
    for key in (*PATHS, *NAMES):
        value = found.get(key)
        if isinstance(value, str):
            found[key] = name(value)
        elif isinstance(value, list | tuple):
            found[key] = tuple(map(name, value))
    return found


def folders(spec: RunSpec) -> tuple[str, ...]:
    """Folders of this machine that messages of a run may quote, longest first.

    Args:
        spec: The run as passed.
    """
    given = [
        getattr(spec, key) for key in ("data_dir", "weights", "results", "split", "class_names", "tune", "anchors")
    ]
    given += [*spec.models, *spec.prompts]
    given += [one if (own := local_path(one)) is None else own[1] for one in spec.datasets]
    given = [one for one in given if one and re.search(r"[/\\]|^~", one)]
    places = [Path(one).expanduser() for one in given]
    places += [home(), Path.cwd(), Path.home()]
    found = {str(p) for place in places for p in (place, place.absolute(), place.resolve(), place.absolute().parent)}
    return tuple(sorted((one for one in {*found, *given} if len(one) > 1), key=len, reverse=True))


def sentence(text: str, known: Sequence[str] = ()) -> str:
    """A text for people with the folders of its paths left out; addresses of the web stay.

    Args:
        text: The text.
        known: Folders that it may quote, longest first: they may hold spaces, which no pattern finds.
    """
    for folder in known:
        if folder in text:  # as a whole, and not inside an address of the web
            inside = rf"(?<![\w:/.\\]){re.escape(folder)}/(?=\S)"
            text = re.sub(inside, "", text)
            text = base_name(folder).join(re.split(rf"(?<![\w:/.\\]){re.escape(folder)}/?(?![\w.-])", text))
    return _PATH.sub(lambda found: base_name(found[1]), text)


def told(value: Any, known: Sequence[str] = ()) -> Any:
    """`sentence` for every text in parsed JSON, keys of objects too."""
    if isinstance(value, str):
        return sentence(value, known)
    if isinstance(value, list | tuple):
        return type(value)(told(one, known) for one in value)
    if isinstance(value, dict):
        return {told(key, known): told(one, known) for key, one in value.items()}
    return value
