"""Lists the settings in which two results differ."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from senbench.schema.result import RunResult

BLOCKS = (
    "model",
    "prompts",
    "dataset",
    "protocol",
    "ensemble",
    "postprocess",
    "access_level",
    "contamination",
    "complete",
    "headline",
    "logit_scale",
    "logit_bias",
    "resolved",
    "spec",
    "environment",
    "senbench_version",
)
"""Parts of a result with its settings; first those that determine the scores."""
GRID = ("spec.models", "spec.prompts", "spec.datasets", "spec.results")
"""Other settings of the same command, and where the result was written."""
PER_CLASS = ("prompts.texts",)
"""Mappings with an entry per class, which are shown as counts on one line."""
WIDTH = 48


class SettingDifference(NamedTuple):
    """One setting that differs."""

    path: str
    """Dotted path inside the result."""
    before: str
    """Value of the first run, shortened."""
    after: str
    """Value of the second."""


def differences(before: RunResult, after: RunResult) -> list[SettingDifference]:
    """Return every setting that differs, in the order of the result; a setting stated twice is listed once.

    Args:
        before: First result.
        after: Second result.
    """
    first, second = (dict(_leaves(result)) for result in (before, after))
    differing: dict[tuple[str, str, str], SettingDifference] = {}
    for path in {**first, **second}:
        a, b = first.get(path, _ABSENT), second.get(path, _ABSENT)
        cached = path.startswith("environment.") and (a is _ABSENT or b is _ABSENT)  # which says nothing about threads
        if path in GRID or a == b or cached:
            continue
        left, right = _counted(a, b) if path in PER_CLASS else (_short(a), _short(b))
        if left == right:  # they differ after the cut
            left, right = f"{left} #{_digest(a)}", f"{right} #{_digest(b)}"
        differing.setdefault((path.rpartition(".")[2], left, right), SettingDifference(path, left, right))
    return list(differing.values())


_ABSENT = object()


def _leaves(result: RunResult) -> Iterator[tuple[str, Any]]:
    data = result.model_dump(mode="json", include=set(BLOCKS))
    stack = [(name, data[name]) for name in reversed(BLOCKS) if name in data]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict) and value and path not in PER_CLASS:
            stack += [(f"{path}.{key}", value[key]) for key in reversed(list(value))]
        else:
            yield path, value


def _short(value: Any) -> str:
    if value is _ABSENT:
        return "(absent)"
    if isinstance(value, list) and len(value) > 3:
        return f"{len(value)} values #{_digest(value)}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shortened(" ".join(text.split()), WIDTH)


def shortened(text: str, width: int) -> str:
    """Shorten a text to `width` characters, and a sha256 to its first twelve digits."""
    if len(text) == 64 and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return text if len(text) <= width else text[: width - 1] + "…"


def _counted(before: dict[str, list[str]], after: dict[str, list[str]]) -> tuple[str, str]:
    """Summarise prompts by class: their number, and for how many classes they differ."""
    keys = {**before, **after}
    differ = sum(before.get(key) != after.get(key) for key in keys)
    n = [sum(map(len, texts.values())) for texts in (before, after)]
    return f"{n[0]:,} prompts", f"{n[1]:,}; others for {differ} of {len(keys)} classes"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=str, sort_keys=True).encode()).hexdigest()[:8]
