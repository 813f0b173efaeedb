"""Words that a prompt should not contain, with the reasons, from prompts/lexicon.yaml."""

from __future__ import annotations

import re
from functools import cache

from senbench.errors import UsageError
from senbench.prompts.text_files import read_yaml
from senbench.runtime.paths import shipped

OTHER = {"ground": "aerial", "aerial": "ground"}
"""Style -> the style whose words it must not contain."""
PARTS = ("aerial", "ground", "below_10m", "not_visual")
"""Lists of the lexicon."""

_WHAT = "lexicon"


def is_control(style: str) -> bool:
    """Return whether a style is a control, whose name starts with `control`."""
    return style.startswith("control")


def names_others(style: str) -> bool:
    """Return whether prompts of a style contain names of other classes: a control, or a contrast."""
    return is_control(style) or style == "contrast"


def foreign_word(text: str, style: str) -> tuple[str, str] | None:
    """Return the first word of the opposite style in a prompt, as `listed`; None for styles without an opposite."""
    return listed(text, OTHER[style]) if style in OTHER else None


def listed(text: str, part: str) -> tuple[str, str] | None:
    """Return the first word of a prompt that is in a list.

    Args:
        text: The prompt.
        part: One of `PARTS`.

    Returns:
        The word as written in the prompt, and the reason why it is listed; None if there is none.
    """
    pattern, reasons = _compiled(part)
    match = pattern.search(text)
    return (match[0], reasons[(match.lastindex or 0) - 1]) if match else None


@cache
def _compiled(part: str) -> tuple[re.Pattern[str], list[str]]:
    """Return a pattern with one group per word, the longest words first, and the reason of each."""
    listed_words = sorted(load_lexicon()[part].items(), key=lambda pair: len(pair[0]), reverse=True)
    spelt = (r"[\s-]+".join(map(re.escape, word.split())) for word, _ in listed_words)
    groups = "|".join(f"({word}s?)" for word in spelt)
    return re.compile(rf"(?<!\w)(?:{groups})(?!\w)", re.IGNORECASE), [reason for _, reason in listed_words]


def load_lexicon() -> dict[str, dict[str, str]]:
    """The shipped lexicon: list -> word -> reason.

    Raises:
        UsageError: The file was edited and is malformed.
    """
    path = shipped("prompts") / "lexicon.yaml"
    raw = read_yaml(path, _WHAT)
    if not isinstance(raw, dict) or set(raw) != set(PARTS):
        raise UsageError(f"{_WHAT} {path} must have the parts {', '.join(PARTS)}")
    for style, reasons in raw.items():
        if not isinstance(reasons, dict) or not all(isinstance(x, str) and x for pair in reasons.items() for x in pair):
            raise UsageError(f"{_WHAT} {path}: {style} must map words to reasons")
    return raw
