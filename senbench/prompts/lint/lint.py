"""Checks prompts before a run: an error makes a figure meaningless, a warning may bias it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from senbench.errors import UsageError
from senbench.prompts.lint.findings import CODES, LINT_ONLY, LintFinding, Tokens
from senbench.prompts.lint.rules import apply, other_language
from senbench.prompts.vocabulary import name_set, select

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from senbench.schema.dataset import DatasetInfo, Vocabulary
    from senbench.schema.prompt_set import PromptSet


@dataclass(frozen=True)
class Report:
    """All findings of a file or style.

    Attributes:
        source: The style or file as passed.
        style: Style that its prompts claim to have.
        n: Number of prompts that could be read.
        findings: Errors first, then by line, class and prompt.
    """

    source: str
    style: str
    n: int
    findings: tuple[LintFinding, ...]

    def count(self, severity: str) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)


def lint(
    source: str,
    info: DatasetInfo,
    vocabulary: Vocabulary,
    class_names: str | None = None,
    *,
    style: str | None = None,
    tokens: Tokens | None = None,
    hints: bool = False,
) -> Report:
    """Return all findings of a style or file, not only the first.

    Args:
        source: As in `load_prompts`.
        info: The dataset whose classes are expected.
        vocabulary: Their names and cues.
        class_names: Class-name set; None: the vocabulary's default.
        style: Style that the prompts claim to have; None for the one in the template, or none for a JSON file.
        tokens: The model for which lengths are checked, or None.
        hints: Whether to add hints from measurements (P3xx).

    Returns:
        The report.

    Raises:
        UsageError: If there is no such style or file, or an unknown class-name set.
    """
    from senbench.prompts.lint.prompt_files import read

    vocabulary = select(vocabulary, info.classes)
    chosen = name_set(vocabulary, class_names)
    content = read(source, info, vocabulary, chosen)
    claimed = style or content.style
    rules = apply(content.texts, vocabulary, chosen, claimed, content.kind, tokens=tokens, whole=content.whole)
    rules += other_language(content.texts, content.language)
    if hints:
        from senbench.prompts.lint.hints import hints as advice  # needs NumPy

        rules += advice(content.texts, vocabulary)
    findings = list(dict.fromkeys((*content.findings, *(_placed(finding, content.places) for finding in rules))))
    order = {key: j for j, key in enumerate(info.classes)}
    findings.sort(key=lambda f: (f.code[1], f.line or 0, order.get(f.cls or "", -1), f.prompt or 0, f.code))
    return Report(source, claimed, sum(map(len, content.texts.values())), tuple(findings))


def _placed(finding: LintFinding, places: Mapping[tuple[str, int], tuple[int, int]]) -> LintFinding:
    """Add the prompt's number and line in the file to a finding."""
    if finding.cls is None or finding.prompt is None:
        return finding
    number, line = places.get((finding.cls, finding.prompt - 1), (finding.prompt, None))
    return replace(finding, prompt=number, line=line)


def checked(prompts: PromptSet, vocabulary: Vocabulary) -> PromptSet:
    """Lint a loaded prompt set before it is evaluated.

    What a strict load has already checked is not checked again, nor is the order of a file's classes, which cannot
    change scores that are aligned by name; truncation is reported where the model is known.

    Args:
        prompts: The set.
        vocabulary: Names of its classes.

    Returns:
        The set, with one line per warning code.

    Raises:
            UsageError: There are errors; the message states the first, and their number.
    """
    vocabulary = select(vocabulary, list(prompts.texts))
    kind = "template" if prompts.source.endswith(".j2") else "sentences"
    findings = apply(prompts.texts, vocabulary, prompts.class_names, prompts.style, kind)
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise UsageError(
            f"prompts {prompts.id}: {errors[0].code} {errors[0]} (errors: {len(errors)}; `senbench prompts lint` "
            "shows all)"
        )
    lines = summary([finding for finding in findings if finding.code not in LINT_ONLY], prompts.n)
    return prompts.model_copy(update={"warnings": tuple(f"prompts {prompts.id}: {line}" for line in lines)})


def summary(findings: Iterable[LintFinding], n: int) -> list[str]:
    """Return one line per code with its meaning and number of occurrences."""
    counted = Counter(finding.code for finding in findings)
    of_prompts = {finding.code for finding in findings if finding.prompt is not None}
    return [
        f"{code} {CODES[code]}: {number:,}" + (f" of {n:,} prompts" if code in of_prompts else "")
        for code, number in sorted(counted.items())
    ]
