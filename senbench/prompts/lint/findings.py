"""Findings of the linter: their codes and meanings, and the tokenizer information that they use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Texts = Mapping[str, Sequence[str]]

CODES = {
    "P100": "the file cannot be read or rendered",
    "P101": "undefined name in a template",
    "P102": "brace in a prompt",
    "P103": "classes that no prompt tells apart",
    "P104": "class missing",
    "P105": "unknown class",
    "P106": "class given twice",
    "P107": "class without prompts",
    "P108": "prompt that is no text",
    "P109": "empty prompt",
    "P110": "prompt or list beyond the limits",
    "P111": "mark of a tokenizer in a prompt",
    "P201": "prompt that never mentions the class",
    "P202": "duplicate within a class",
    "P203": "duplicate across classes",
    "P204": "unequal counts",
    "P205": "name of another class",
    "P206": "word of the other style",
    "P207": "longer than the model reads",
    "P208": "very long prompt",
    "P209": "character outside ASCII",
    "P210": "classes not in label order",
    "P211": "thing below a pixel of 10 m",
    "P212": "thing that no picture shows",
    "P213": "sentence that is cut off",
    "P214": "refusal of a language model",
    "P215": "line in another language",
    "P301": "few templates",
    "P302": "one sensor phrase",
    "P303": "words of a degraded picture",
    "P304": "near duplicates",
    "P305": "overlap of the pairs of cues",
    "P306": "what a difference resolves",
}
"""Every code with its meaning; P1xx are errors, P2xx warnings, P3xx hints. A code is never reused with another
meaning."""
LINT_ONLY = frozenset({"P211", "P212", "P213", "P214", "P215"})
"""Warnings about wording that `prompts lint` gives and no result keeps: they came after results that are valid."""


@dataclass(frozen=True)
class LintFinding:
    """One error or doubtful wording."""

    code: str
    """Key of `CODES`."""
    message: str
    """One line: what, where, and what to do."""
    cls: str | None = None
    """Class key, or the name in the file if it is unknown; None for the whole set."""
    prompt: int | None = None
    """Number of the prompt in its class, from 1."""
    line: int | None = None
    """Line of the file, from 1, where it is known."""

    @property
    def severity(self) -> str:
        """`error`, `warning` or `hint`."""
        return {"1": "error", "2": "warning", "3": "hint"}[self.code[1]]

    def __str__(self) -> str:
        prompt = f"prompt {self.prompt}" if self.prompt else None
        place = ", ".join(part for part in (self.cls, prompt) if part is not None)  # a list's templates have no class
        return f"{place}: {self.message}" if place else self.message


@dataclass(frozen=True)
class Tokens:
    """The tokenizer information of a model that P207 needs.

    Attributes:
        model: Its id.
        context: Tokens it reads, begin and end included.
        count: Texts -> number of tokens of each before truncation, including begin and end.
    """

    model: str
    context: int
    count: Callable[[list[str]], list[int]]
