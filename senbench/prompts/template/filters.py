"""Filters for templates: articles, plurals, and choices that are the same on every machine."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SOUNDS_LIKE_CONSONANT = re.compile(r"(?i)(eu|one\b|once\b|uni|us[aeu]|ut[ei])")
_IRREGULAR = {"leaf": "leaves", "half": "halves", "shelf": "shelves", "loaf": "loaves", "foot": "feet"}
_IRREGULAR |= {"man": "men", "woman": "women", "child": "children", "goose": "geese", "mouse": "mice"}
_SAME = {"sheep", "cattle", "deer", "fish", "land", "fabric", "vegetation", "grassland", "heathland", "water"}


def an(text: str) -> str:
    """The text with its indefinite article: `a spring`, `an autumn`, `a European`.

    Args:
        text: Noun phrase without an article.

    Returns:
        The phrase with `a` or `an`.
    """
    vowel = text[:1].lower() in set("aeiou") and not _SOUNDS_LIKE_CONSONANT.match(text)
    return f"{'an' if vowel else 'a'} {text}"


def plural(text: str) -> str:
    """The noun phrase with its last word in the plural: `forests`, `dense hedges`, `cherries`.

    Args:
        text: Noun phrase whose last word is a noun in the singular; mass nouns of land cover stay as they are.

    Returns:
        The phrase in the plural.
    """
    head, space, word = text.rpartition(" ")
    lower = word.lower()
    if not lower or lower in _SAME:
        return text
    if lower in _IRREGULAR:
        ending = _IRREGULAR[lower]
        return f"{head}{space}{word[:1]}{ending[1:]}"
    if re.search(r"(s|x|z|ch|sh)$", lower):
        return f"{text}es"
    if re.search(r"[^aeiou]y$", lower):
        return f"{text[:-1]}ies"
    return f"{text}s"


def ranked(items: Iterable[Any], seed: object = 0) -> list[Any]:
    """The items in an order that only the seed and they determine, on any machine and in any version of Python.

    Args:
        items: Texts or numbers; equal ones keep their order.
        seed: Any text or number: another seed, another order.

    Returns:
        All of them, by the sha256 of `SEED:ITEM`.
    """
    return sorted(items, key=lambda item: hashlib.sha256(f"{seed}:{item}".encode()).digest())


def sample(items: Iterable[Any], k: int, seed: object = 0) -> list[Any]:
    """A choice of k items, without replacement: the first k of `ranked`.

    So a sample of k is part of that of k + 1, and an item added to the list moves at most one out.

    Args:
        items: Texts or numbers.
        k: How many.
        seed: Any text or number.

    Raises:
        ValueError: There are fewer, or k is negative; jinja's caller adds the template's line.
    """
    ranked_items = ranked(items, seed)
    if not 0 <= k <= len(ranked_items):
        raise ValueError(f"sample({k}) of {len(ranked_items)} items; ask for at most {len(ranked_items)}")
    return ranked_items[:k]


def deranged(items: Sequence[Any], seed: object = 0) -> list[Any]:
    """The items with none at its own place (Sattolo's cycles, by hash): what a shuffled control needs.

    The permutation depends on the number of items and the seed alone, so that another class-name set gives every
    class the name of the same other class.

    Args:
        items: At least two.
        seed: Any text or number.

    Raises:
        ValueError: There is only one item.
    """
    if len(items) < 2:
        raise ValueError("deranged() needs at least two items")
    cycle = ranked(range(len(items)), seed)
    following = dict(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
    return [items[following[place]] for place in range(len(items))]


FILTERS: dict[str, Callable[..., Any]] = {"an": an, "plural": plural, "sample": sample, "deranged": deranged}
"""Name in a template -> function; beside jinja's own."""
