"""Read a style or a user's file as far as it goes: what `load_prompts` would refuse becomes findings with lines."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.prompts import published_sets, senclip_release, versions
from senbench.prompts.lint.findings import LintFinding
from senbench.prompts.load import locate
from senbench.prompts.template.render import MAX_CHARS, MAX_PROMPTS, check_limits
from senbench.prompts.template.sandbox import Draft, render_isolated
from senbench.prompts.text_files import one_line, read_text
from senbench.prompts.vocabulary import aliases, normalise
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from senbench.schema.dataset import DatasetInfo, Vocabulary

_CLASS = re.compile(r"class '[^']*'")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass
class Given:
    """What a file gives.

    Attributes:
        kind: `template`, `list` (templates with `{}`) or `sentences`: how a class name is written in it.
        style: What its prompts claim to be.
        language: Language that they claim to be in, ISO 639-1.
        texts: Class key -> prompts in label order, of the classes that could be read.
        places: (class key, index of the prompt) -> its number and line in the file, where they are known.
        findings: What is wrong with the file.
        whole: Whether the texts are what would be scored, so that classes may be compared.
    """

    kind: str
    style: str = "custom"
    language: str = "en"
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    findings: list[LintFinding] = field(default_factory=list)
    whole: bool = True

    def tell(self, code: str, message: str, **place: Any) -> None:
        """Add a finding; an error means that the texts are not what would be scored."""
        self.findings.append(LintFinding(code, message, **place))
        self.whole = False


class Pairs(list[tuple[str, Any]]):
    """A JSON object with its repeated keys."""


def read(source: str, info: DatasetInfo, vocabulary: Vocabulary, chosen: str) -> Given:
    """Read a style, template or JSON file leniently.

    Args:
        source: As `load_prompts` takes it.
        info: The dataset.
        vocabulary: Its classes in label order.
        chosen: Class-name set.

    Returns:
        Texts and findings.

    Raises:
        UsageError: If there is no such style or file.
        UnavailableError: If published files were not fetched, or changed.
    """
    if source in senclip_release.STYLES:
        given = _json(senclip_release.locate(source, info), vocabulary, chosen)
        given.style = senclip_release.STYLES[source]
        return given
    if source in published_sets.STYLES:
        raw = Pairs(published_sets.sentences(source, vocabulary, chosen).items())
        return replace(
            _sentences(raw, repeat(0), vocabulary), places={}
        )  # lines of the file are not those of its texts
    path, builtin = locate(source)
    if not path.is_file():
        read_text(path, "prompt file")
    if path.suffix == ".j2":
        given = _template(path, info, versions.vocabulary_of(source, vocabulary) if builtin else vocabulary, chosen)
        given.style = given.style or (path.stem if builtin else "custom")
        return given
    return _json(path, vocabulary, chosen)


def _json(path: Path, vocabulary: Vocabulary, chosen: str) -> Given:
    try:
        text = read_text(path, "prompt file")
        raw = parsing.from_json(text, object_pairs_hook=Pairs)
    except json.JSONDecodeError as error:
        return _unreadable(f"not valid JSON: {error.msg}", error.lineno)
    except (UsageError, RecursionError, ValueError) as error:
        return _unreadable(one_line(error), None)
    # Every string literal of the document in its order, with its line: json tells no positions.
    starts = (text.count("\n", 0, match.start()) + 1 for match in _STRING.finditer(text))
    if isinstance(raw, Pairs):
        return _sentences(raw, starts, vocabulary)
    if isinstance(raw, list):
        return _list(raw, starts, vocabulary, chosen)
    return _unreadable("it must map class names to lists of prompts, or list templates with {}", 1)


def _unreadable(message: str, line: int | None) -> Given:
    return Given("sentences", findings=[LintFinding("P100", message, line=line)], whole=False)


def _template(path: Path, info: DatasetInfo, vocabulary: Vocabulary, chosen: str) -> Given:
    try:
        draft = render_isolated(path, vocabulary, info, chosen, lenient=True)
    except UsageError as error:
        draft = Draft({}, errors=(str(error),))
    given = Given("template", draft.style or "", draft.language or "en", draft.texts)
    for use in draft.undefined:
        own = use.file == path.name
        given.tell("P101", use.message if own else f"{use.file}, line {use.line}: {use.message}", line=use.line or None)
    alike = Counter(_CLASS.sub("class", told) for told in draft.errors)
    for told in draft.errors:
        more = alike.pop(_CLASS.sub("class", told), 0) - 1  # one failure in many classes is told once
        if more < 0:
            continue
        found = re.match(rf"prompt file {re.escape(str(path))}(?:, line (\d+))?:? (.*)", told)
        message, line = (found[2], found[1]) if found else (told, None)
        message += f" (and so for {more} more)" if more else ""
        given.tell("P100", message, line=int(line) if line else None)
    return given


def _sentences(raw: Pairs, starts: Iterator[int], vocabulary: Vocabulary) -> Given:
    given = Given("sentences")
    known = aliases(vocabulary)
    keys = [entry.key for entry in vocabulary.classes]
    names = {entry.key: entry.names[vocabulary.default_names] for entry in vocabulary.classes}
    texts: dict[str, tuple[str, ...]] = {}
    for name, value in raw:
        line = next(starts)
        key = known.get(normalise(name))
        if key is None:
            close = difflib.get_close_matches(name, names.values(), n=1)
            hint = f"did you mean {close[0]!r}?" if close else "rename or remove it"
            given.tell("P105", f"{name[:60]!r} is no class of {vocabulary.id}; {hint}", line=line)
            _skip(value, starts)
        elif key in texts:
            given.tell("P106", f"given again, as {name[:60]!r}; merge the two lists", cls=key, line=line)
            _skip(value, starts)
        else:
            texts[key] = _prompts(given, key, value, starts, line)
    for key in keys:
        if key not in texts:
            given.tell("P104", "the file has no prompts for this class; add it", cls=key)
    if raw and not texts:
        message = f"not one of its {len(raw)} classes is one of {vocabulary.id}; name the right one with --dataset"
        return _unreadable(message, None)
    given.texts = {key: texts[key] for key in keys if texts.get(key)}
    for j, (own, label) in enumerate(zip(texts, (key for key in keys if key in texts), strict=True), 1):
        if own != label:
            message = (
                f"class {j} of the file is {own}, class {j} of the labels {label}: senbench aligns by name, but code "
                "that takes the n-th class of the file for label n scores other classes; keep label order"
            )
            given.findings.append(LintFinding("P210", message))
            break
    return given


def _prompts(given: Given, key: str | None, value: Any, starts: Iterator[int], line: int) -> tuple[str, ...]:
    """Usable prompts of one class, or of a list of templates (no key); the others become findings."""
    if not isinstance(value, list) or isinstance(value, Pairs):
        given.tell("P108", f"must have a list of prompts, not {value!r:.60}", cls=key, line=line)
        _skip(value, starts)
        return ()
    if not value:
        given.tell("P107", "its list of prompts is empty; write at least one", cls=key, line=line)
    kept: list[str] = []
    for j, text in enumerate(value, 1):
        if not isinstance(text, str):
            given.tell("P108", f"must be text, not {text!r:.60}", cls=key, prompt=j, line=line)
            _skip(text, starts)
            continue
        line = next(starts)
        place: dict[str, Any] = {"cls": key, "prompt": j, "line": line}
        if not text.strip():
            given.tell("P109", "is empty; remove it", **place)
        elif any("\ud800" <= c <= "\udfff" for c in text):
            given.tell("P108", "holds half a surrogate pair; fix its escapes", **place)
        elif len(text) > MAX_CHARS:
            given.tell("P110", f"has {len(text):,} characters; the limit is {MAX_CHARS:,}", **place)
        else:
            given.places[key or "", len(kept)] = (j, line)
            kept.append(text)
    if len(value) > MAX_PROMPTS:
        given.tell("P110", f"has {len(value):,} prompts; the limit is {MAX_PROMPTS:,}", cls=key)
    return tuple(kept)


def _list(raw: list[Any], starts: Iterator[int], vocabulary: Vocabulary, chosen: str) -> Given:
    """Templates with `{}`, filled with each class name; other braces stay, and become findings of the rules."""
    given = Given("list")
    templates = _prompts(given, None, raw, starts, 1)
    given.places = {(e.key, j): place for e in vocabulary.classes for (_, j), place in given.places.items()}
    if templates:
        given.texts = {e.key: tuple(t.replace("{}", e.names[chosen]) for t in templates) for e in vocabulary.classes}
    for key, texts in given.texts.items():
        try:
            check_limits(texts, key, "with its name the list")
        except UsageError as error:
            given.tell("P110", one_line(error), cls=key)
    return given


def _skip(value: Any, starts: Iterator[int]) -> None:
    """Pass over the string literals of a value that is not read."""
    for _ in _STRING.finditer(json.dumps(value)):  # an object's keys are literals too, as in its pairs
        next(starts)
