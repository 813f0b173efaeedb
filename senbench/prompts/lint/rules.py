"""Rules on rendered prompts: pure functions of texts and names, one per kind of finding."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING

from senbench.prompts import languages
from senbench.prompts.lexicon import OTHER, foreign_word, is_control, listed, names_others
from senbench.prompts.lint.findings import LintFinding
from senbench.prompts.vocabulary import name_from_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from senbench.prompts.lint.findings import Texts, Tokens
    from senbench.schema.dataset import Vocabulary

LONG = 300
"""Characters above which a prompt is very long: about 60 words, more than in any published set."""

_PLAIN = {
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2026": "...",
    "\u00a0": "a space", "\u202f": "a space", "\n": "a space", "\t": "a space", "\r": "a space",
}  # fmt: skip
_MARK = re.compile(
    r"<\s*\|?\s*(?:(?:start|end|begin)[\s_]*of[\s_]*(?:text|turn|image|sentence)|(?:start|end)of(?:text|prompt|image)"
    r"|im_(?:start|end)|pad|eos|bos|unk|mask|image|/?s)\s*\|?\s*>|\[(?:CLS|SEP|PAD|MASK|UNK)\]",
    re.IGNORECASE,
)
_ADVICE = {
    "template": "write {{ cls.name }}, with two braces",
    "list": "write {} for the class name",
    "sentences": "write the name out",
}


def quoted(text: str) -> str:
    """Format a prompt for a message: shortened, on one line, without control characters."""
    return repr(text if len(text) <= 90 else text[:87] + "...")


def folded(text: str) -> str:
    """Normalise a text as text towers do: lower case, single spaces."""
    return " ".join(text.casefold().split())


def numbered(texts: Texts) -> Iterator[tuple[str, int, str]]:
    """Yield class, number within the class from 1, and text of every prompt."""
    return ((key, j, text) for key, prompts in texts.items() for j, text in enumerate(prompts, 1))


def braces(texts: Texts, kind: str) -> Iterator[LintFinding]:
    """P102: a placeholder that was not filled."""
    pieces: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for key, j, text in numbered(texts):
        for piece in dict.fromkeys(re.findall(r"\{+[^{}]*\}+|[{}]", text)):
            pieces[piece].append((key, j))
    for piece, places in pieces.items():
        key, j = places[0]
        count = f"{len(places):,} prompts" if len(places) > 1 else "1 prompt"
        message = f"{quoted(piece)} stands in {count} and goes to the model as it is; {_ADVICE[kind]}"
        yield LintFinding("P102", message, cls=key, prompt=j)


def marks(texts: Texts) -> Iterator[LintFinding]:
    """P111: a mark that ends a text for one tokenizer and is letters to another, e.g. OpenAI's and open_clip's."""
    for key, j, text in numbered(texts):
        if "<" not in text and "[" not in text and "&" not in text and text.isascii():
            continue
        plain = unicodedata.normalize("NFKC", html.unescape(html.unescape(text)))
        if match := _MARK.search(plain):
            message = f"{match[0]!r} is a mark of tokenizers: a text begins or ends there, for some of them; remove it"
            yield LintFinding("P111", message, cls=key, prompt=j)


def shared(texts: Texts, kind: str) -> Iterator[LintFinding]:
    """P103, P201, P203: what cannot tell classes apart."""
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    holders: dict[str, list[str]] = defaultdict(list)
    for key, prompts in texts.items():
        groups[tuple(sorted(map(folded, prompts)))].append(key)
        for text in dict.fromkeys(map(folded, prompts)):
            holders[text].append(key)
    same = [keys for keys in groups.values() if len(keys) > 1]
    for keys in same:
        if len(keys) == len(texts):
            n = len(texts[keys[0]])
            message = (
                f"all {len(keys)} classes have the same {n} prompts, so every image gets the same score in each; "
                f"{_ADVICE[kind]}"
            )
            yield LintFinding("P103", message)
            return
        yield LintFinding(
            "P103", f"classes {', '.join(keys)} have the same prompts: nothing tells them apart", cls=keys[0]
        )
    for text, keys in holders.items():
        if len(keys) == 1 or any(set(keys) <= set(group) for group in same):
            continue
        first = keys[0]
        j = [folded(prompt) for prompt in texts[first]].index(text)
        shown = quoted(texts[first][j])
        code, message = "P203", f"{shown} is also a prompt of {', '.join(keys[1:])}; keep it where it belongs"
        if len(keys) == len(texts):
            code = "P201"
            message = f"{shown} is the same for every class and tells none apart; mention the class or remove it"
        yield LintFinding(code, message, cls=first, prompt=j + 1)


def repeated(texts: Texts) -> Iterator[LintFinding]:
    """P202: a prompt that counts twice in its class's mean."""
    first_number: dict[tuple[str, str], int] = {}
    for key, j, text in numbered(texts):
        first = first_number.setdefault((key, folded(text)), j)
        if first != j:
            message = f"{quoted(text)} repeats prompt {first} and weighs twice; remove it"
            yield LintFinding("P202", message, cls=key, prompt=j)


def counts(texts: Texts) -> Iterator[LintFinding]:
    """P204: classes with more prompts than others."""
    by_count: dict[int, list[str]] = defaultdict(list)
    for key, prompts in texts.items():
        by_count[len(prompts)].append(key)
    if len(by_count) == 1:
        return
    parts = []
    for number, keys in sorted(by_count.items(), key=lambda item: -len(item[1])):
        who = ", ".join(keys) if len(keys) <= 3 else f"{len(keys)} classes"
        parts.append(f"{number} for {who}")
    message = f"unequal numbers of prompts: {'; '.join(parts)}. Even them out: `max` and `prob-mean` refuse such a set"
    yield LintFinding("P204", message)


def foreign_names(texts: Texts, vocabulary: Vocabulary, class_names: str) -> Iterator[LintFinding]:
    """P205: a prompt of one class that names another."""
    others = {entry.key: _called(entry.names[class_names]) for entry in vocabulary.classes}
    for entry in vocabulary.classes:
        own_names = {entry.key, name_from_key(entry.key)}.union(*map(_called, entry.names.values()))
        owner = {
            folded(name.replace("-", " ")): key for key, names in others.items() if key != entry.key for name in names
        }
        owner |= {folded(name.replace("-", " ")): entry.key for name in own_names}
        foreign = [name for name, key in owner.items() if key != entry.key]
        said = [folded(text.replace("-", " ")) for text in texts.get(entry.key, ())]
        if not any(name in text for name in foreign for text in said):  # most sets: a pattern takes longer to make
            continue
        # The longest name first: "crop" inside "permanent crop" is not the class "crop".
        joined = "|".join(r"[\s-]+".join(map(re.escape, name.split())) for name in sorted(owner, key=len, reverse=True))
        pattern = re.compile(rf"(?<!\w)({joined})(?:e?s)?(?!\w)", re.IGNORECASE)
        for j, text in enumerate(texts.get(entry.key, ()), 1):
            matched_words = {
                folded(match.group(1).replace("-", " ")): match.group(0) for match in pattern.finditer(text)
            }
            for name, word in matched_words.items():
                if (key := owner.get(name, entry.key)) != entry.key:
                    message = f"{word!r} in {quoted(text)} is a name of class {key}; say it in other words"
                    yield LintFinding("P205", message, cls=entry.key, prompt=j)


def _called(name: str) -> set[str]:
    """A class name, and its alternatives where each is a single word: `Sea or Lake`, but not `Urban or rural land`."""
    parts = re.split(r" or | & ", name)
    return {name, *parts} if all(" " not in part for part in parts) else {name}


def contamination(texts: Texts, style: str) -> Iterator[LintFinding]:
    """P206: words of the other point of view."""
    for key, j, text in numbered(texts):
        if (foreign := foreign_word(text, style)) and languages.english(text):
            word, why = foreign
            message = (
                f"{word!r} in {quoted(text)} belongs to {OTHER[style]} prompts ({why}), and the set is {style}; "
                "reword or move it"
            )
            yield LintFinding("P206", message, cls=key, prompt=j)


def unseen(texts: Texts, style: str) -> Iterator[LintFinding]:
    """P211, P212: what a tile of Sentinel-2 does not show, and what no picture shows."""
    for key, j, text in numbered(texts):
        if not languages.english(text):
            continue
        if style == "aerial" and (word := listed(text, "below_10m")):
            message = (
                f"{word[0]!r} in {quoted(text)} is below a pixel of 10 m ({word[1]}); say what remains of it from "
                "the height of Sentinel-2, or leave it to a ground style"
            )
            yield LintFinding("P211", message, cls=key, prompt=j)
        if word := listed(text, "not_visual"):
            message = f"{word[0]!r} in {quoted(text)} is {word[1]}; say what is seen"
            yield LintFinding("P212", message, cls=key, prompt=j)


_CUT = re.compile(
    r"(?:,|-|(?<!\w)(?:a|an|the|of|and|or|with|in|on|by|to|from|for|its|that|which|is|are))$", re.IGNORECASE
)
_REFUSAL = re.compile(
    r"as an? (?:ai|artificial|large language|language model)|i(?:'m| am) (?:sorry|unable|not able)"
    r"|i (?:cannot|can't|do not have)|language model",
    re.IGNORECASE,
)


def generated(texts: Texts) -> Iterator[LintFinding]:
    """P213, P214: what a language model leaves where it was stopped, or did not answer."""
    for key, j, text in numbered(texts):
        if not languages.english(text):
            continue
        if len(text.split()) > 3 and _CUT.search(text.strip()):
            yield LintFinding("P213", f"{quoted(text)} ends in mid-sentence; finish or remove it", cls=key, prompt=j)
        if match := _REFUSAL.search(text):
            message = f"{match[0]!r} in {quoted(text)} is what a language model says of itself; remove the prompt"
            yield LintFinding("P214", message, cls=key, prompt=j)


def other_language(texts: Texts, stated: str) -> Iterator[LintFinding]:
    """P215: a line that is in another language than its template states."""
    for key, j, text in numbered(texts):
        if (language := languages.of(text)) not in (None, stated):
            names = languages.LANGUAGES
            message = (
                f"{quoted(text)} looks like {names[language]} in a set that is {names[stated]}; translate it, or write "
                f"`language: {language}` in the template's first line"
            )
            yield LintFinding("P215", message, cls=key, prompt=j)


def lengths(texts: Texts, tokens: Tokens | None) -> Iterator[LintFinding]:
    """P207, P208: what the model does not read, or hardly."""
    distinct = list(dict.fromkeys(text for prompts in texts.values() for text in prompts))
    taken = dict(zip(distinct, tokens.count(distinct), strict=True)) if tokens else {}
    for key, j, text in numbered(texts):
        if tokens and taken[text] > tokens.context:
            message = (
                f"{quoted(text)} takes {taken[text]} tokens, {tokens.model} reads {tokens.context}: its end is lost"
            )
            yield LintFinding("P207", message, cls=key, prompt=j)
        elif len(text) > LONG:
            message = f"{quoted(text)} has {len(text)} characters; text towers were trained on captions, shorten it"
            yield LintFinding("P208", message, cls=key, prompt=j)


def characters(texts: Texts, vocabulary: Vocabulary) -> Iterator[LintFinding]:
    """P209: what is not plain text, unless the class name or the language of the line is spelt so."""
    spelt = {
        entry.key: set("".join((entry.key, *entry.names.values(), *entry.translations.values())))
        for entry in vocabulary.classes
    }
    for key, j, text in numbered(texts):
        if text.isascii() and text.isprintable():
            continue
        allowed = spelt[key].union(languages.LETTERS[languages.of(text) or "en"])
        odd = [c for c in dict.fromkeys(text) if not (c.isascii() and c.isprintable()) and not {c, c.lower()} & allowed]
        if odd:
            shown = ", ".join(map(_character, odd[:3])) + (", ..." if len(odd) > 3 else "")
            yield LintFinding("P209", f"{quoted(text)} holds {shown}", cls=key, prompt=j)


def _character(c: str) -> str:
    name = f"U+{ord(c):04X} {unicodedata.name(c, 'a control character').lower()}"
    return f"{name} (write {_PLAIN[c]})" if c in _PLAIN else name


def apply(
    texts: Mapping[str, Sequence[str]],
    vocabulary: Vocabulary,
    class_names: str,
    style: str,
    kind: str,
    *,
    tokens: Tokens | None = None,
    whole: bool = True,
) -> list[LintFinding]:
    """All rules.

    Args:
        texts: Class key -> prompts.
        vocabulary: Their names.
        class_names: The set in use.
        style: What the prompts claim to be.
        kind: `template`, `list` or `sentences`: what advice is given.
        tokens: The model whose context is held against them.
        whole: Whether these are all the prompts, so that classes may be compared.

    Returns:
        Findings without lines.
    """
    findings = [*braces(texts, kind), *marks(texts)]
    if whole and len(texts) > 1:
        alike = shared(texts, kind)
        # `control-random-words` has the same words for every class in half of its lines
        findings += [one for one in alike if not (one.code == "P201" and is_control(style))] + [*counts(texts)]
    findings += repeated(texts)
    if not names_others(style):
        findings += foreign_names(texts, vocabulary, class_names)
    findings += [
        *contamination(texts, style),
        *unseen(texts, style),
        *generated(texts),
        *lengths(texts, tokens),
        *characters(texts, vocabulary),
    ]
    return findings
