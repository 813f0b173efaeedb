"""Cues for new classes from a language model or a person: the instruction that asks for them, and the answer adopted.

No language model is called: the instruction is a text for any, and what comes back is a file that is held against the
same rules.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.errors import UsageError
from senbench.prompts.lexicon import OTHER, listed, load_lexicon
from senbench.prompts.text_files import read_json
from senbench.prompts.vocabulary import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STYLES = ("ground", "aerial")
"""Styles that cues can be written in."""
MOST_WORDS = 12
"""Words of a cue at most."""
FEWEST = 3
"""Cues of a class and style at least."""
_SEEN = {
    "ground": "as somebody who stands there sees it in a photo",
    "aerial": "as a satellite sees it from straight above, where a pixel is 10 m wide",
}
_BY_STYLE = {"ground": ("not_visual",), "aerial": ("not_visual", "below_10m")}
"""Style -> lists of the lexicon, besides the other style's words, that its cues must not hold."""


class CueFinding(NamedTuple):
    """What is wrong with one cue."""

    place: str
    """Class, style and number of the cue."""
    what: str
    """What is wrong, and why."""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


class Adopted(NamedTuple):
    """An answer that was read."""

    text: str
    """The vocabulary, YAML."""
    findings: tuple[CueFinding, ...]
    """What is wrong with it; a vocabulary with findings should not be used."""
    author: str
    """Who wrote it."""
    styles: tuple[str, ...]
    """Styles that it has cues of."""
    n: int
    """Cues."""


def request(classes: Sequence[str], styles: Sequence[str] = STYLES, n: int = 10) -> str:
    """The instruction for whoever writes cues, Markdown.

    Args:
        classes: Names of the classes.
        styles: Styles to write for, some of `STYLES`.
        n: Cues of each class and style.

    Raises:
        UsageError: Fewer than two classes, one twice, an unknown style, or fewer cues than `FEWEST`.
    """
    _check_request(classes, styles, n)
    example = {
        "written_by": "name and version of the language model, or of the person",
        "classes": {name: {style: [f"... {n} cues ..."] for style in styles} for name in classes},
    }
    lines = [
        "# Visual cues for land cover classes",
        "",
        f"Classes: {', '.join(classes)}.",
        "",
        f"Write {n} short cues for each class{' and each style' if len(styles) > 1 else ''}. A cue is a noun phrase "
        "for something that one sees in an image of the class.",
        "",
        *(f"- Style `{style}`: the class {_SEEN[style]}." for style in styles),
    ]
    if len(styles) > 1:
        lines.append(f"- Cue j of {' and '.join(f'`{s}`' for s in styles)} is the same thing, seen in the two ways.")
    lines += [
        f"- At most {MOST_WORDS} words, all styles about equally long; no cue twice.",
        f"- No cue names a class: none of {', '.join(classes)}, nor a place.",
        "- Only what is visible: nothing that is smelt, heard or felt.",
    ]
    lexicon = load_lexicon()
    for style in styles:
        words = list(lexicon[OTHER[style]])
        lines.append(f"- Style `{style}` holds none of these words: {', '.join(words)}.")
    if "aerial" in styles:
        lines.append(f"- Style `aerial` names nothing smaller than a pixel: not {', '.join(lexicon['below_10m'])}.")
    answer = json.dumps(example, indent=2, ensure_ascii=False)
    lines += ["", "Answer with this JSON and nothing else:", "", "```json", answer, "```", ""]
    return "\n".join(lines)


def _check_request(classes: Sequence[str], styles: Sequence[str], n: int) -> None:
    if len(classes) < 2:
        raise UsageError(f"--classes {','.join(classes)}: {len(classes)} class, need at least 2")
    plain = [normalise(name) for name in classes]
    if len(set(plain)) < len(plain) or "" in plain:
        raise UsageError(f"--classes {','.join(classes)}: two names are alike but for case and marks, or one is empty")
    if foreign := [style for style in styles if style not in STYLES]:
        raise UsageError(f"--style {foreign[0]}: use {', '.join(STYLES)}")
    if n < FEWEST:
        raise UsageError(f"--cues {n}: ask for at least {FEWEST}")


def adopt(path: str, name: str) -> Adopted:
    """Read an answer and make a vocabulary of it.

    Args:
        path: The JSON file.
        name: Id of the vocabulary and of its set of class names.

    Raises:
        UsageError: No such file, or not the JSON that was asked for.
    """
    raw = read_json(Path(path).expanduser(), "answer")
    where = f"answer {path}"
    if not isinstance(raw, dict) or not isinstance(raw.get("classes"), dict):
        raise UsageError(f"{where} must be a mapping with written_by and classes, as the request asks")
    author = raw.get("written_by")
    if not isinstance(author, str) or not author.strip() or "..." in author or author.startswith("name and version"):
        raise UsageError(f"{where}: written_by must say who wrote it, a language model with its version or a person")
    classes: dict[str, dict[str, list[str]]] = {
        str(key): _cues(value, f"{where}: class {key!r}") for key, value in raw["classes"].items()
    }
    styles = tuple(next(iter(classes.values()), {}))
    _check_request(tuple(classes), styles, FEWEST)
    if odd := [key for key, cues in classes.items() if set(cues) != set(styles)]:
        raise UsageError(f"{where}: class {odd[0]!r} has {', '.join(classes[odd[0]])}, others {', '.join(styles)}")
    author = " ".join(author.split())
    findings = tuple(_findings(classes))
    n = sum(len(cues) for by_style in classes.values() for cues in by_style.values())
    return Adopted(_yaml(name, author, classes), findings, author, styles, n)


def _cues(raw: Any, where: str) -> dict[str, list[str]]:
    if not isinstance(raw, dict) or not raw or not set(raw) <= set(STYLES):
        raise UsageError(f"{where} must map {' and '.join(STYLES)} to lists of cues")
    for style, cues in raw.items():
        if not isinstance(cues, list) or not all(isinstance(cue, str) for cue in cues):
            raise UsageError(f"{where}: {style} must be a list of texts")
    return {style: [" ".join(cue.split()) for cue in raw[style]] for style in STYLES if style in raw}


def _findings(classes: dict[str, dict[str, list[str]]]) -> Iterator[CueFinding]:
    """What breaks a rule of the request."""
    names = {key: _plain(key) for key in classes}
    for key, by_style in classes.items():
        counts = {style: len(cues) for style, cues in by_style.items()}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{n} {style}" for style, n in counts.items())
            yield CueFinding(key, f"{told}: the cues of both styles are pairs, so that there must be as many")
        for style, cues in by_style.items():
            if len(cues) < FEWEST:
                yield CueFinding(f"{key}, {style}", f"{len(cues)} cues, at least {FEWEST} are needed")
            for j, cue in enumerate(cues, 1):
                place = f"{key}, {style} {j} {cue!r}"
                yield from (CueFinding(place, what) for what in _faults(cue, style, cues[: j - 1], names))


def _plain(text: str) -> str:
    """Words in lower case, with a space around each."""
    return f" {' '.join(''.join(c if c.isalnum() else ' ' for c in text.casefold()).split())} "


def _faults(cue: str, style: str, before: Sequence[str], names: dict[str, str]) -> Iterator[str]:
    if not cue:
        yield "is empty"
        return
    if (n := len(cue.split())) > MOST_WORDS:
        yield f"has {n} words, at most {MOST_WORDS}"
    if normalise(cue) in map(normalise, before):
        yield "is there already"
    plain = _plain(cue)
    for key, name in names.items():
        if name in plain:
            yield f"names the class {key!r}"
    for part in (OTHER[style], *_BY_STYLE[style]):
        if (found := listed(cue, part)) is not None:
            yield f"holds {found[0]!r}: {found[1]}"
    if "{" in cue or "}" in cue:
        yield "holds a brace"


def _yaml(name: str, author: str, classes: dict[str, dict[str, list[str]]]) -> str:
    import yaml

    entries = {
        key: {"names": {name: key}, **by_style, "source": f"cues written by {author}"}
        for key, by_style in classes.items()
    }
    held = {"id": name, "title": name, "default_names": name, "classes": entries}
    return str(yaml.safe_dump(held, sort_keys=False, allow_unicode=True, width=1000))
