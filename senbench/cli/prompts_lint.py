"""`senbench prompts lint`: reports errors and doubtful wording in a style or file, as text, JSON or CI annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import print_json
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.prompts.lint.findings import LintFinding
    from senbench.prompts.lint.lint import Report


def lint(
    source: Annotated[str, typer.Argument(metavar="STYLE|PATH", help="A style, or a .j2 or .json file.")],
    dataset: Annotated[str, typer.Option(help="Dataset whose classes are expected.")] = "eurosat",
    class_names: options.ClassNames = None,
    style: Annotated[
        Literal["ground", "aerial"] | None,
        typer.Option(help="What the prompts claim to be, where the file does not say."),
    ] = None,
    model: Annotated[str, typer.Option(help="Model whose tokenizer gives the lengths.")] = "clip",
    hints: Annotated[
        bool, typer.Option("--hints", help="Also what measurements of real models advise (P3xx, docs/prompt-rules.md).")
    ] = False,
    form: Annotated[
        Literal["text", "json", "github"], typer.Option("--format", help="github: annotations of a workflow.")
    ] = "text",
) -> None:
    """Check prompts. Exit code 1 on errors; warnings alone are 0."""
    from senbench.datasets.open import dataset_info
    from senbench.models import registry, tokenizers
    from senbench.prompts import vocabulary_for
    from senbench.prompts.lint.findings import Tokens
    from senbench.prompts.lint.lint import lint as examine

    info = dataset_info(dataset)
    vocabulary, names = vocabulary_for(info, class_names)
    card = registry.find(model)
    tokens = Tokens(card.id, card.context_length, tokenizers.counter(card))
    report = examine(source, info, vocabulary, names, style=style, tokens=tokens, hints=hints)
    if form == "json":
        _json(report, {"dataset": info.id, "model": card.id})
    elif form == "github":
        for finding in report.findings:
            say(_annotation(report, finding))
    else:
        _text(report)
    if report.count("error"):
        raise typer.Exit(1)


def _text(report: Report) -> None:
    """Print one line per finding in the format of compilers, then the number of each."""
    from senbench.prompts.lint.lint import summary

    for finding in report.findings:
        place = f"{report.source}:{finding.line}" if finding.line else report.source
        say(f"{place}: {finding.severity} {finding.code} {finding}")
    errors, warnings = report.count("error"), report.count("warning")
    claimed = f", style {report.style}" if report.style != "custom" else ""
    summary_line = f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}"
    if advised := report.count("hint"):
        summary_line += f", {advised} hint{'s' * (advised != 1)}"
    say(f"{report.n:,} prompts{claimed}: {summary_line}")
    for line in summary(report.findings, report.n):
        say(f"  {line}")


def _json(report: Report, asked: dict[str, str]) -> None:
    findings = [
        {
            "code": finding.code,
            "severity": finding.severity,
            "class": finding.cls,
            "prompt": finding.prompt,
            "line": finding.line,
            "message": finding.message,
        }
        for finding in report.findings
    ]
    head = {"source": report.source, "style": report.style, **asked, "n": report.n}
    counts = {"errors": report.count("error"), "warnings": report.count("warning"), "hints": report.count("hint")}
    print_json(head | counts | {"findings": findings}, indent=2)


def _annotation(report: Report, finding: LintFinding) -> str:
    """Return a workflow command; text from files is escaped, so that it cannot start another command."""
    from senbench.prompts.lint.findings import CODES

    properties = {"file": report.source, "title": f"{finding.code} {CODES[finding.code]}"}
    if finding.line:
        properties["line"] = str(finding.line)
    listed = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    kind = "notice" if finding.severity == "hint" else finding.severity
    return f"::{kind} {listed}::{_escaped(str(finding), '')}"


def _escaped(text: str, more: str) -> str:
    """Escape text for GitHub; `%` first, since every escape begins with it."""
    for c in "%\r\n" + more:
        text = text.replace(c, f"%{ord(c):02X}")
    return text
