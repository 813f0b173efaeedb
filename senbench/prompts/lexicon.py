"""Words that a prompt should not hold, as listed with their reasons in prompts/lexicon.yaml."""

from __future__ import annotations

import re
from functools import cache

from senbench.errors import UsageError
from senbench.prompts.text_files import read_yaml
from senbench.runtime.paths import shipped

OTHER = {"ground": "aerial", "aerial": "ground"}
"""Style -> the style whose words it must not hold."""
PARTS = ("aerial", "ground", "below_10m", "not_visual")
"""Lists of the lexicon."""

_WHAT = "lexicon"


def is_control(style: str) -> bool:
    """Whether a style is a control: its name starts with `control`."""
    return style.startswith("control")


def names_others(style: str) -> bool:
    """Whether prompts of a style are made of names of other classes: a control, or a contrast."""
    return is_control(style) or style == "contrast"


def foreign_word(text: str, style: str) -> tuple[str, str] | None:
    """First word in a prompt that belongs to the other style; as `listed`, None also for styles without an opposite."""
    return listed(text, OTHER[style]) if style in OTHER else None


def listed(text: str, part: str) -> tuple[str, str] | None:
    """First word in a prompt that stands in a list.

    Args:
        text: The prompt.
        part: One of `PARTS`.

    Returns:
        The word as it stands in the prompt and the reason why it is listed; None if there is none.
    """
    pattern, reasons = _compiled(part)
    found = pattern.search(text)
    return (found[0], reasons[(found.lastindex or 0) - 1]) if found else None


@cache
def _compiled(part: str) -> tuple[re.Pattern[str], list[str]]:
    """Pattern with one group per word, the longest words first, and the reason of each."""
    words = sorted(load_lexicon()[part].items(), key=lambda pair: len(pair[0]), reverse=True)
    spelt = (r"[\s-]+".join(map(re.escape, word.split())) for word, _ in words)
    groups = "|".join(f"({word}s?)" for word in spelt)
    return re.compile(rf"(?<!\w)(?:{groups})(?!\w)", re.IGNORECASE), [reason for _, reason in words]


def load_lexicon() -> dict[str, dict[str, str]]:
    """The shipped lexicon: list -> word -> reason.

    Raises:
        UsageError: If the file was edited into something else.
    """
    path = shipped("prompts") / "lexicon.yaml"
    raw = read_yaml(path, _WHAT)
    if not isinstance(raw, dict) or set(raw) != set(PARTS):
        raise UsageError(f"{_WHAT} {path} must have the parts {', '.join(PARTS)}")
    for style, words in raw.items():
        if not isinstance(words, dict) or not all(isinstance(x, str) and x for pair in words.items() for x in pair):
            raise UsageError(f"{_WHAT} {path}: {style} must map words to reasons")
    return raw
