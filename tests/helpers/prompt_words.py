"""What prompts may not say: words that give a point of view away, and names of other classes."""

from __future__ import annotations

import re
from functools import cache

from senbench.prompts import load_vocabulary

STYLES = ("aerial", "clip", "generic", "ground", "mixed")
BEN = ("bigearthnet", "bigearthnet-43")
"""BigEarthNet's vocabularies."""


ALL = (
    *("aerial", "aerial-long", "aerial-plain", "aerial-short", "clip", "control-aerial-from-ground", "control-bare"),
    *(
        "control-ground-from-above",
        "control-random-words",
        "control-shuffled",
        "control-swapped",
        "dclip",
        "generic",
        "ground",
    ),
    *("ground-long", "ground-plain", "ground-short", "mixed", "names", "remoteclip", "skyscript", "waffle"),
    *("contrast", "synonyms", "names-de", "names-es", "names-fr"),
)


AERIAL_WORDS = (
    r"aerial|satellite|sentinel|overhead|above|bird'?s[- ]eye|drone|top[- ]down|nadir|orbit\w*|airborne|"
    r"from (space|the air|the sky|high up)|imagery|pixels?"
)


GROUND_WORDS = (
    r"ground|ground[- ]level|street[- ](view|level)|eye[- ]level|standing|pedestrian|first[- ]person|"
    r"foreground|horizon|skyline|sky|close-up|selfie"
)


def words(text: str) -> int:
    return len(text.split())


def mentions(text: str, vocabulary) -> set[str]:
    """Keys of the classes named in a text, by any published name or an alternative within one."""
    found = set()
    for entry in vocabulary.classes:
        for name in (entry.key, *entry.names.values()):
            for part in {name, *re.split(r" or | & ", name)}:
                if re.search(rf"\b{re.escape(part)}s?\b", text, re.IGNORECASE):
                    found.add(entry.key)
    return found


# Beyond the words that name a point of view: those that give one away. Nobody sees a grid of parcels from a
# lane, nor bark at 10 m.
AERIAL_ONLY = (
    rf"{AERIAL_WORDS}|parcels?|polygons?|mosaics?|patchwork|rectang\w+|speck\w*|dot(s|ted|ting)?|grids?|texture\w*|"
    r"mottled|roofs|from a height"
)


GROUND_ONLY = (
    rf"{GROUND_WORDS}|view|underfoot|(knee|waist|ankle|head)-\w+|trunks?|stems?|leaf|leaves|petals?|twigs?|bark|"
    r"scent|smell|buzzing|humming|walkers?|people|windows?|doors?"
)


# Words of the published names that name no class by themselves. All others are kept out of every cue.
COMMON = {"and", "or", "of", "with", "by", "area", "land", "unit", "water", "natural", "mixed", "crop"}
# Of 43 names many words are a class in a name and a common word elsewhere: a green field, bare soil, an olive tint.
COMMON_OF_43 = set(
    re.findall(
        r"\w+",
        "annual bare berry bodie burnt continuou course discontinuou field flat fruit grove green network occupied "
        "olive plantation rail rock salt significant site tree associated permanently facilitie sport leisure",
    )
)


def singular(word: str) -> str:
    return re.sub(r"(?<=[cs]h)es$|(?<=[^s])s$", "", word.lower())


def plain_words(text: str) -> list[str]:
    return [singular(word) for word in re.findall(r"[a-z-]+", text.lower())]


def common(vocabulary: str) -> set[str]:
    return COMMON | (COMMON_OF_43 if vocabulary == "bigearthnet-43" else set())


def label_words(vocabulary) -> set[str]:
    """Words of the published labels that name a class by themselves, such as `dune`."""
    return {word for c in vocabulary.classes for word in plain_words(c.key)} - common(vocabulary.id)


@cache
def patterns(vocabulary: str) -> dict[str, re.Pattern[str]]:
    """Class key -> what finds its name of any set, or one of those that a name lists (`orchards and vineyards`)."""
    found = {}
    for entry in load_vocabulary(vocabulary).classes:
        names = (entry.key, *entry.names.values())
        parts = {part for name in names for part in (name, *re.split(r", with | or | and |, |/", name))}
        plain = {" ".join(plain_words(part)) for part in parts} - common(vocabulary)
        if vocabulary == "bigearthnet-43":
            plain -= {"fruit tree"}  # what another class has crops between
        terms = "|".join(map(re.escape, plain))
        found[entry.key] = re.compile(rf"(?<![\w-])({terms})(?![\w-])")
    return found


def named(text: str, vocabulary: str = "bigearthnet") -> set[str]:
    """Keys of the classes that a text names, in singular or plural."""
    text = " ".join(plain_words(text))
    return {key for key, pattern in patterns(vocabulary).items() if pattern.search(text)}


STOP = frozenset(
    re.findall(
        r"\w+",
        "the of in on at to with from by for and or as its it is are no without into onto over under below beneath "
        "between among along around beside behind near next off up down out through across past after before where "
        "that this one two three all every each very still other another same own whole both until only not than "
        "while when many few several some any more most",
    )
)
"""Words that carry no content."""
_AMERICAN = {"gray": "grey", "grayish": "greyish", "color": "colour", "colored": "coloured"}


def content_words(text: str) -> set[str]:
    """Words of a text that carry content, in the singular, in one spelling."""
    found = (_AMERICAN.get(word, word) for word in re.findall(r"[a-z]+", text.lower().replace("'s", "")))
    return {singular(word) for word in found if word not in STOP and len(word) > 2}


def jaccard(one: set[str], other: set[str]) -> float:
    """Share of two sets that both have."""
    return len(one & other) / len(one | other)
