"""Reads a style or a user's file leniently: errors of `load_prompts` become findings with line numbers."""

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
    """The content of a file.

    Attributes:
        kind: `template`, `list` (templates with `{}`) or `sentences`, which determines the placeholder of a class name.
        style: Style that its prompts claim to have.
        language: Language that they claim to have, ISO 639-1.
        texts: Class key -> prompts in label order, for the classes that could be read.
        places: (class key, index of the prompt) -> its number and line in the file, if known.
        findings: Findings about the file.
        whole: Whether the texts are those that would be scored, so that classes may be compared.
    """

    kind: str
    style: str = "custom"
    language: str = "en"
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    findings: list[LintFinding] = field(default_factory=list)
    whole: bool = True

    def tell(self, code: str, message: str, **place: Any) -> None:
        """Add a finding; after an error the texts are not those that would be scored."""
        self.findings.append(LintFinding(code, message, **place))
        self.whole = False


class Pairs(list[tuple[str, Any]]):
    """A JSON object including repeated keys."""


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
        content = _json(senclip_release.locate(source, info), vocabulary, chosen)
        content.style = senclip_release.STYLES[source]
        return content
    if source in published_sets.STYLES:
        raw = Pairs(published_sets.sentences(source, vocabulary, chosen).items())
        return replace(_sentences(raw, repeat(0), vocabulary), places={})  # the line numbers are not those of the texts
    path, builtin = locate(source)
    if not path.is_file():
        read_text(path, "prompt file")
    if path.suffix == ".j2":
        content = _template(path, info, versions.vocabulary_of(source, vocabulary) if builtin else vocabulary, chosen)
        content.style = content.style or (path.stem if builtin else "custom")
        return content
    return _json(path, vocabulary, chosen)


def _json(path: Path, vocabulary: Vocabulary, chosen: str) -> Given:
    try:
        text = read_text(path, "prompt file")
        raw = parsing.from_json(text, object_pairs_hook=Pairs)
    except json.JSONDecodeError as error:
        return _unreadable(f"not valid JSON: {error.msg}", error.lineno)
    except (UsageError, RecursionError, ValueError) as error:
        return _unreadable(one_line(error), None)
    # Every string literal of the document in order, with its line, since json gives no positions.
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
    content = Given("template", draft.style or "", draft.language or "en", draft.texts)
    for use in draft.undefined:
        in_this_file = use.file == path.name
        content.tell(
            "P101",
            use.message if in_this_file else f"{use.file}, line {use.line}: {use.message}",
            line=use.line or None,
        )
    alike = Counter(_CLASS.sub("class", told) for told in draft.errors)
    for told in draft.errors:
        more = alike.pop(_CLASS.sub("class", told), 0) - 1  # an error in many classes is reported once
        if more < 0:
            continue
        match = re.match(rf"prompt file {re.escape(str(path))}(?:, line (\d+))?:? (.*)", told)
        message, line = (match[2], match[1]) if match else (told, None)
        message += f" (and so for {more} more)" if more else ""
        content.tell("P100", message, line=int(line) if line else None)
    return content


def _sentences(raw: Pairs, starts: Iterator[int], vocabulary: Vocabulary) -> Given:
    content = Given("sentences")
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
            content.tell("P105", f"{name[:60]!r} is no class of {vocabulary.id}; {hint}", line=line)
            _skip(value, starts)
        elif key in texts:
            content.tell("P106", f"given again, as {name[:60]!r}; merge the two lists", cls=key, line=line)
            _skip(value, starts)
        else:
            texts[key] = _prompts(content, key, value, starts, line)
    for key in keys:
        if key not in texts:
            content.tell("P104", "the file has no prompts for this class; add it", cls=key)
    if raw and not texts:
        message = f"not one of its {len(raw)} classes is one of {vocabulary.id}; name the right one with --dataset"
        return _unreadable(message, None)
    content.texts = {key: texts[key] for key in keys if texts.get(key)}
    for j, (named, label) in enumerate(zip(texts, (key for key in keys if key in texts), strict=True), 1):
        if named != label:
            message = (
                f"class {j} of the file is {named}, class {j} of the labels {label}: senbench aligns by name, but code "
                "that takes the n-th class of the file for label n scores other classes; keep label order"
            )
            content.findings.append(LintFinding("P210", message))
            break
    return content


def _prompts(content: Given, key: str | None, value: Any, starts: Iterator[int], line: int) -> tuple[str, ...]:
    """Return the usable prompts of one class, or of a list of templates (no key); the others become findings."""
    if not isinstance(value, list) or isinstance(value, Pairs):
        content.tell("P108", f"must have a list of prompts, not {value!r:.60}", cls=key, line=line)
        _skip(value, starts)
        return ()
    if not value:
        content.tell("P107", "its list of prompts is empty; write at least one", cls=key, line=line)
    kept: list[str] = []
    for j, text in enumerate(value, 1):
        if not isinstance(text, str):
            content.tell("P108", f"must be text, not {text!r:.60}", cls=key, prompt=j, line=line)
            _skip(text, starts)
            continue
        line = next(starts)
        place: dict[str, Any] = {"cls": key, "prompt": j, "line": line}
        if not text.strip():
            content.tell("P109", "is empty; remove it", **place)
        elif any("\ud800" <= c <= "\udfff" for c in text):
            content.tell("P108", "holds half a surrogate pair; fix its escapes", **place)
        elif len(text) > MAX_CHARS:
            content.tell("P110", f"has {len(text):,} characters; the limit is {MAX_CHARS:,}", **place)
        else:
            content.places[key or "", len(kept)] = (j, line)
            kept.append(text)
    if len(value) > MAX_PROMPTS:
        content.tell("P110", f"has {len(value):,} prompts; the limit is {MAX_PROMPTS:,}", cls=key)
    return tuple(kept)


def _list(raw: list[Any], starts: Iterator[int], vocabulary: Vocabulary, chosen: str) -> Given:
    """Fill templates with `{}` with each class name; other braces remain, and become findings of the rules."""
    content = Given("list")
    templates = _prompts(content, None, raw, starts, 1)
    content.places = {(e.key, j): place for e in vocabulary.classes for (_, j), place in content.places.items()}
    if templates:
        content.texts = {e.key: tuple(t.replace("{}", e.names[chosen]) for t in templates) for e in vocabulary.classes}
    for key, texts in content.texts.items():
        try:
            check_limits(texts, key, "with its name the list")
        except UsageError as error:
            content.tell("P110", one_line(error), cls=key)
    return content


def _skip(value: Any, starts: Iterator[int]) -> None:
    """Skip the string literals of a value that is not read."""
    for _ in _STRING.finditer(json.dumps(value)):  # an object's keys are literals too, as in its pairs
        next(starts)
