"""Older versions of the shipped styles and of their cues: `ground@1` renders the prompts of version 1 of `ground`.

A style that changes leaves its template as `prompts/older/STYLE@VERSION.j2`, whose first line states the version of the
cues it was written with; those are in `prompts/older/classes/VOCABULARY@VERSION.yaml`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from senbench.prompts.template.render import stated
from senbench.prompts.text_files import read_yaml
from senbench.prompts.vocabulary import CUES, load_vocabulary
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import shipped

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.dataset import Vocabulary

FOLDER = "older"
"""Below `prompts/`."""
_NAMED = re.compile(r"([a-z0-9-]+)@([0-9]{1,6})")


def asked(source: str) -> tuple[str, int] | None:
    """Return style and version of a source such as `ground@1`; None for another kind of source."""
    match = _NAMED.fullmatch(source)
    return (match[1], int(match[2])) if match else None


def older(style: str) -> dict[int, Path]:
    """Return the templates of the older versions of a style, by version."""
    files = (shipped("prompts") / FOLDER).glob(f"{style}@*.j2")
    return dict(sorted((int(path.stem.rpartition("@")[2]), path) for path in files))


def locate(style: str, version: int, current: Path, current_version: int | None) -> Path:
    """The template of one version of a style.

    Args:
        style: Name of a shipped style.
        version: Version asked for.
        current: Its template as it is now.
        current_version: Version stated there.

    Raises:
        UsageError: There is no such version.
    """
    known = older(style)
    if current_version is not None:
        known[current_version] = current
    if version not in known:
        raise unknown("version of a prompt style", f"{style}@{version}", [f"{style}@{one}" for one in known])
    return known[version]


def with_cues(vocabulary: Vocabulary, version: int) -> Vocabulary:
    """A vocabulary with the shipped cues of an older version in place of the shipped cues of now.

    Args:
        vocabulary: Classes of a dataset; cues of a user's own file, which are not the shipped ones, stay.
        version: Version of the cues.

    Returns:
        The vocabulary; classes that had no cues in that version have none.
    """
    now, then = _shipped(vocabulary.id), older_cues(vocabulary.id, version)
    classes = []
    for entry in vocabulary.classes:
        present = {kind: getattr(entry, kind) for kind in CUES}
        if any(present.values()) and now.get(entry.key) == present:
            entry = entry.model_copy(update=then.get(entry.key, dict.fromkeys(CUES, ())))
        classes.append(entry)
    return vocabulary.model_copy(update={"classes": tuple(classes)})


def vocabulary_of(source: str, vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary that a source is rendered with: an older version of a style has the cues of its time."""
    named = asked(source)
    return vocabulary_then(*named, vocabulary) if named else vocabulary


def vocabulary_then(style: str, version: int | None, vocabulary: Vocabulary) -> Vocabulary:
    """The vocabulary that a version of a style is rendered with; the same where it is the current one, or none."""
    path = older(style).get(version) if version is not None else None
    cues = stated(path).cues if path else None
    return vocabulary if cues is None else with_cues(vocabulary, cues)


@cache
def older_cues(vocabulary: str, version: int) -> dict[str, dict[str, tuple[str, ...]]]:
    """Class key -> kind -> cues of an older version of a shipped vocabulary; empty where it had none."""
    path = shipped("prompts") / FOLDER / "classes" / f"{vocabulary}@{version}.yaml"
    if not path.is_file():
        return {}
    raw = read_yaml(path, "class vocabulary")["classes"]
    return {key: {kind: tuple(entry[kind]) for kind in CUES} for key, entry in raw.items()}


@cache
def _shipped(vocabulary: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Class key -> kind -> cues of a shipped vocabulary as it is now; empty for another."""
    if not (shipped("prompts") / "classes" / f"{vocabulary}.yaml").is_file():
        return {}
    return {e.key: {kind: getattr(e, kind) for kind in CUES} for e in load_vocabulary(vocabulary).classes}
