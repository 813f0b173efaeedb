"""Packs: prompt files that record how their prompts were selected, and on which target data."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from senbench.schema.prompt_set import PromptSet

FORMAT = 1
"""Version of the layout, the value of the key `senbench_pack`."""
_KEYS = {"senbench_pack", "id", "style", "dataset", "class_names", "access_level", "texts", "provenance"}
_DIGEST = 6
"""Stored bytes of a tile's hash; two sets of 100,000 tiles collide with a probability of 1 in 30,000."""


def is_pack(raw: Any) -> bool:
    """Return whether parsed JSON is a pack."""
    return isinstance(raw, dict) and "senbench_pack" in raw


def as_json(prompts: PromptSet, dataset: str) -> dict[str, Any]:
    """A pack file's content.

    Args:
        prompts: The prompts, with access level and provenance.
        dataset: Dataset id whose classes they are for.
    """
    return {
        "senbench_pack": FORMAT,
        "id": prompts.id,
        "style": prompts.style,
        "dataset": dataset,
        "class_names": prompts.class_names,
        "access_level": prompts.access_level,
        "texts": {key: list(texts) for key, texts in prompts.texts.items()},
        "provenance": prompts.provenance,
    }


def parse(raw: Mapping[str, Any], where: str) -> tuple[Any, str, dict[str, Any]]:
    """Parse a pack file.

    Args:
        raw: Its content.
        where: The file, for messages.

    Returns:
        Texts by class, the style, and the fields of `PromptSet` that record the selection.

    Raises:
        UsageError: The version is unsupported, a field is missing or unknown, or a value is malformed.
    """
    if raw["senbench_pack"] != FORMAT:
        raise UsageError(f"{where} is a pack of version {raw['senbench_pack']!r:.20}; this senbench reads {FORMAT}")
    if strange := sorted(set(raw) ^ _KEYS):
        kind = "lacks the field" if strange[0] in _KEYS else "has the unknown field"
        raise UsageError(f"{where} {kind} {strange[0]!r}; write it anew with `senbench prompts select`")
    level, style = raw["access_level"], raw["style"]
    if type(level) is not int or not 0 <= level <= 3:
        raise UsageError(f"{where}: access_level is {level!r:.20}; expected 0, 1, 2 or 3")
    if not isinstance(style, str) or not re.fullmatch("[a-z0-9-]+", style):
        raise UsageError(f"{where}: style is {style!r:.40}; expected lower-case letters, digits and hyphens")
    if not isinstance(raw["texts"], dict):
        raise UsageError(f"{where}: texts must map class names to lists of prompts")
    if not isinstance(raw["provenance"], dict):
        raise UsageError(f"{where}: provenance must be an object")
    return raw["texts"], style, {"access_level": level, "provenance": raw["provenance"]}


def digests(collection: str, ids: Iterable[str]) -> set[bytes]:
    """Return short hashes of tiles; a tile has the same hash in every format of its collection."""
    return {hashlib.blake2b(f"{collection}\t{name}".encode(), digest_size=_DIGEST).digest() for name in ids}


def encoded(hashes: set[bytes]) -> str:
    """Hashes as text for a pack."""
    return base64.b64encode(b"".join(sorted(hashes))).decode()


def decoded(text: str) -> set[bytes]:
    """Decode the hashes in a pack.

    Raises:
        UsageError: Not what `encoded` gives.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError) as error:
        raise UsageError("a pack's provenance.selected_on.tiles is damaged; select the prompts anew") from error
    if len(data) % _DIGEST:
        raise UsageError("a pack's provenance.selected_on.tiles is cut off; select the prompts anew")
    return {data[i : i + _DIGEST] for i in range(0, len(data), _DIGEST)}


def told(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return a provenance as stored in results: without the lists of tiles and places, which are in the pack."""
    out = dict(provenance)
    if isinstance(selected_on := out.get("selected_on"), dict):
        out["selected_on"] = {key: value for key, value in selected_on.items() if key not in ("tiles", "places")}
    return out
