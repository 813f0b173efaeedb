"""Hints from measurements: what eight real models say about the wording around a class name (docs/prompt-rules.md).

The figures are those of that page, whose limits hold: aerial images below a metre, names only. So hints are no
warnings, never in a result, and given on request alone.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from senbench.prompts import languages
from senbench.prompts.lint.findings import LintFinding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from senbench.prompts.lint.findings import Texts
    from senbench.schema.dataset import Vocabulary

FEW = 12
"""Templates from which the mean is within half a point of that of 106, in every model."""
POINTS, LINES = 2.0, 15
"""Two sets of 15 lines of the same kind differ by less than about 2 points (95 %)."""
NEAR = 0.8
"""Jaccard index of words above which two lines are called near duplicates."""
MOST_LINES = 500
"""Lines of a class that are compared with each other."""
MOST_NEAR = 0.05
"""Share of near duplicates that the shipped styles stay below."""
MOST_SHARED = 0.3
"""Mean Jaccard index of content words of the two cues of a pair that the shipped vocabularies stay below."""
SOURCE = "8 models, 106 templates, WHU-RS19; docs/prompt-rules.md"

_SENSORS = {
    "satellite": r"satellites?|sentinel",
    "aerial": r"aerial|from the air|from above|overhead|bird'?s[ -]eye",
    "remote sensing": r"remote[ -]sens\w+",
    "ground": r"ground|eye[ -]level|street[ -](?:level|view)|on foot|walker\w*",
}
_DEGRADED = re.compile(r"(?<!\w)(small|hard to see|blurry|low[ -]resolution|pixelated|bad)(?!\w)", re.IGNORECASE)
_STOP = frozenset(
    re.findall(
        r"\w+",
        "the of in on at to with from by for and or as its it is are no without into onto over under below beneath "
        "between among along around beside behind near next off up down out through across past after before where "
        "that this one two three all every each very still other another same own whole both until only not than "
        "while when many few several some any more most",
    )
)
"""Words that carry no content."""
_ONE_SPELLING = {"gray": "grey", "grayish": "greyish", "color": "colour", "colored": "coloured"}


def hints(texts: Texts, vocabulary: Vocabulary) -> Iterator[LintFinding]:
    """P301 to P306, each once for the whole set.

    Args:
        texts: Class key -> prompts.
        vocabulary: Names and cues of the classes.

    Yields:
        Findings of severity `hint`.
    """
    if not texts:
        return
    for hint in (
        _few(texts),
        _sensor(texts),
        _degraded(texts),
        _near_duplicates(texts),
        _pairs(texts, vocabulary),
        _resolution(texts),
    ):
        if hint is not None:
            yield hint


def content_words(text: str) -> set[str]:
    """Words of a text that carry content, in the singular and in one spelling."""
    singular = (_ONE_SPELLING.get(word, word) for word in re.findall(r"[a-z]+", text.lower().replace("'s", "")))
    kept = (word for word in singular if word not in _STOP and len(word) > 2)
    return {re.sub(r"(?<=[cs]h)es$|(?<=[^s])s$", "", word) for word in kept}


def jaccard(one: set[str], other: set[str]) -> float:
    """Share of two sets that both have, 0 to 1."""
    return len(one & other) / len(one | other) if one or other else 0.0


def near_duplicates(lines: Sequence[str]) -> float:
    """Share of lines whose words are nearly those of an earlier one (`NEAR`), 0 to 1; of the first `MOST_LINES`."""
    word_sets = [set(re.findall(r"[\w'-]+", line.lower())) for line in lines[:MOST_LINES]]
    return sum(any(jaccard(one, other) > NEAR for other in word_sets[:j]) for j, one in enumerate(word_sets)) / len(
        word_sets
    )


def resolution(lines: int) -> float:
    """Points that two sets of so many lines of the same kind differ by, at the most, in 95 % of draws.

    About 2 points for 15 lines and 1 for 56 were measured; between and beyond them by the square root of the number.
    """
    return POINTS * math.sqrt(LINES / lines)


def _fewest(texts: Texts) -> int:
    return min(map(len, texts.values()))


def _few(texts: Texts) -> LintFinding | None:
    n = _fewest(texts)
    if n >= FEW:
        return None
    message = (
        f"{_lines(n)} per class; average at least {FEW}: the mean of 106 templates beats the mean single one by +0.6 "
        "to +4.4 points (CLIP ViT-B-32: +3.8 [+2.7, +4.8]; above 0 in 7 of 8 models); 12 are within half a point of it"
    )
    return LintFinding("P301", f"{message} ({SOURCE}, rule 1)")


def _sensor(texts: Texts) -> LintFinding | None:
    counts: Counter[str] = Counter()
    n = 0
    for prompts in texts.values():
        for text in prompts:
            n += languages.english(text)
            counts.update(
                name for name, pattern in _SENSORS.items() if re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text.lower())
            )
    if _fewest(texts) == 1 or len(counts) != 1 or sum(counts.values()) < 0.9 * n:
        return None
    [(name, _)] = counts.items()
    message = (
        f"nearly every line says {name!r} and none another sensor; vary it: 6 templates of three sensors beat 6 of one "
        "by +0.2 to +2.1 points (CLIP ViT-B-32: +2.1 [+1.5, +2.8]; more in 8 of 8 models)"
    )
    return LintFinding("P302", f"{message} ({SOURCE}, rule 2)")


def _degraded(texts: Texts) -> LintFinding | None:
    """A word that every class has is one of the wording around a name; in a cue, "small" may well be true."""
    classes: Counter[str] = Counter()
    for prompts in texts.values():
        classes.update(
            {word.lower() for text in prompts if languages.english(text) for word in _DEGRADED.findall(text)}
        )
    if not (degraded := [word for word, number in classes.items() if number == len(texts)]):
        return None
    message = (
        f"{degraded[0]!r} describes a degraded picture; leave it out: 'small' costs 0.1 to 3.2 points (CLIP RN50: -1.4 "
        "[-2.7, -0.1]; 8 of 8 models), 'hard to see' up to 2.2 (CLIP RN50: -2.2 [-3.7, -0.9]; 7 of 8)"
    )
    return LintFinding("P303", f"{message} ({SOURCE}, rule 3)")


def _near_duplicates(texts: Texts) -> LintFinding | None:
    worst = max(texts, key=lambda key: near_duplicates(texts[key]))
    share = near_duplicates(texts[worst])
    if share <= MOST_NEAR:
        return None
    message = (
        f"{share:.0%} of its lines repeat another but for a word or two (Jaccard index of words above {NEAR:g}); "
        f"stay below {MOST_NEAR:.0%}: they weigh as one line many times and add nothing (docs/vocabularies.md)"
    )
    return LintFinding("P304", message, cls=worst)


def _pairs(texts: Texts, vocabulary: Vocabulary) -> LintFinding | None:
    shares = {}
    for entry in vocabulary.classes:
        pairs = [
            *zip(entry.ground, entry.aerial, strict=False),
            *zip(entry.ground_short, entry.aerial_short, strict=False),
        ]
        joined = "\n".join(texts.get(entry.key, ())).lower()
        if used := [pair for pair in pairs if any(cue.lower() in joined for cue in pair)]:
            shares[entry.key] = float(
                np.mean([jaccard(content_words(one), content_words(other)) for one, other in used])
            )
    if not shares or max(shares.values()) <= MOST_SHARED:
        return None
    worst = max(shares, key=lambda key: shares[key])
    message = (
        f"its ground and aerial cues share {shares[worst]:.2f} of their words (mean Jaccard index; at most "
        f"{MOST_SHARED:g} in shipped vocabularies); no difference between the sides is then likely by construction "
        "(docs/vocabularies.md)"
    )
    return LintFinding("P305", message, cls=worst)


def _resolution(texts: Texts) -> LintFinding:
    n = _fewest(texts)
    measured = "measured" if n in (LINES, 56) else "for other numbers by their square root"
    message = (
        f"with {_lines(n)} per class, a difference below about {resolution(n):.1f} points to a set of as many is none: "
        "95 % of the differences between random sets of one kind are below 2 points for 15 lines (0.7 to 2.1 by model) "
        f"and 1 for 56 (0.5 to 1.2), {measured}"
    )
    return LintFinding("P306", f"{message} ({SOURCE}, rule 4)")


def _lines(n: int) -> str:
    return f"{n} line{'s' * (n != 1)}"
