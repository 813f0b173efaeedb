"""Languages that prompts may be in: which there are, and which one a line looks like."""

from __future__ import annotations

import re
from functools import cache

LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "fr": "French"}
"""ISO 639-1 code -> name. English is what a template is in that states no language."""
_FUNCTION_WORDS = {
    "en": "a an the of and or in on at with from by this that is are as it its seen taken shows into below between",
    "de": "der die das den dem des ein eine einer einem eines und oder von vom mit aus auf im am zu zum ist sind "
    "dieses diese dieser hier zeigt wie man aufnahme luftbild bild foto",
    "es": "el la los las un una unos unas de del y o con en desde por es son este esta estas vista como muestra imagen "
    "foto",
    "fr": "le la les un une des du de d l et ou avec en dans depuis par est sont ce cette ces vue vu au aux comme "
    "montre",
}
"""Words that say little of what is meant and much of the language."""

LETTERS = {"en": "", "de": "äöüß", "es": "áéíóúüñ", "fr": "àâçéèêëîïôùûüœ"}
"""Letters beyond ASCII, in lower case."""


def of(text: str) -> str | None:
    """The language that a line is in, by its function words.

    Args:
        text: The line.

    Returns:
        Key of `LANGUAGES` with the most function words, at least two; None where no language has more than the others,
        as in a bare class name.
    """
    tokens = re.findall(r"[^\W\d_]+", text.casefold())
    counts = sorted(((sum(word in known for word in tokens), code) for code, known in _known().items()), reverse=True)
    (most, code), (second, _) = counts[:2]
    return code if most >= 2 and most > second else None


def english(text: str) -> bool:
    """Whether a line may be English: lists of English words are asked of no other."""
    return of(text) in ("en", None)


@cache
def _known() -> dict[str, frozenset[str]]:
    return {code: frozenset(words.split()) for code, words in _FUNCTION_WORDS.items()}
