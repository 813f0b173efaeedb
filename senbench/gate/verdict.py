"""Formats the gate's verdict as text, JSON, annotations of GitHub Actions, and a step summary in Markdown."""

from __future__ import annotations

import html
import math
import re
from typing import TYPE_CHECKING, Any

from senbench.report.columns import TITLES
from senbench.report.numbers import interval, points, share

if TYPE_CHECKING:
    from senbench.gate.comparison import Row, Verdict

MARKUP = re.compile(r"([\\`*_{}\[\]()#!|~:@]|(?<=[A-Za-z])\.)")
ROW = ("run", "metric", "before", "after", "difference", "ci", "interval", "flipped", "n")
"""Fields of a run in the JSON, in their order."""
COLUMNS = ("run", "figure", "before %", "after %", "points", "95 % interval", "other answers", "")


def _cells(row: Row, verdict: Verdict) -> tuple[str, ...]:
    kinds = {problem.kind for problem in verdict.problems if problem.run == row.run}
    paired = row.difference
    return (
        row.run,
        TITLES[row.metric],
        share(row.before),
        share(row.after),
        points(None if paired is None else paired.difference),
        interval(None if paired is None else paired.ci),
        "-" if row.flipped is None else f"{row.flipped:,} of {row.n:,}",
        ", ".join(sorted(kinds)) or "same",
    )


def _headline(verdict: Verdict) -> str:
    n, k = len(verdict.rows), len(verdict.problems)
    runs = f"run{'s' if n != 1 else ''}"
    if verdict.passed:
        return f"check passed: {n} {runs} as in the baseline"
    return f"check failed: {k} problem{'s' if k != 1 else ''} in {n} guarded {runs}"


def text(verdict: Verdict) -> str:
    """Return table, problems, notes and verdict for a terminal."""
    lines = []
    if verdict.rows:
        table = [COLUMNS, *(_cells(row, verdict) for row in verdict.rows)]
        widths = [max(len(row[k]) for row in table) for k in range(len(COLUMNS))]
        cells = ([_plain(cell).ljust(width) for cell, width in zip(row, widths, strict=True)] for row in table)
        lines += [*("  ".join(row).rstrip() for row in cells), ""]
    lines += [_plain(f"- {problem.line}") for problem in verdict.problems]
    lines += [_plain(f"note: {note}") for note in verdict.notes]
    return "\n".join([*lines, _headline(verdict)])


def as_json(verdict: Verdict) -> dict[str, Any]:
    """Everything, JSON-ready."""
    return {
        "passed": verdict.passed,
        "margin": verdict.margin if math.isfinite(verdict.margin) else None,
        "runs": [_row(row) for row in verdict.rows],
        "problems": [vars(problem) for problem in verdict.problems],
        "notes": verdict.notes,
    }


def _row(row: Row) -> dict[str, Any]:
    fields, paired = dict(vars(row)), row.difference
    difference = None if paired is None or math.isnan(paired.difference) else paired.difference
    fields |= {"difference": difference, "ci": paired and paired.ci, "interval": paired and paired.interval}
    return {name: fields[name] for name in ROW}


def github(verdict: Verdict) -> str:
    """Return one workflow command of GitHub Actions per problem and note; their text cannot start another command."""
    # %3A is a colon, which would end the property
    lines = [f"::error title=senbench check%3A {problem.kind}::{_data(problem.line)}" for problem in verdict.problems]
    lines += [f"::notice title=senbench check::{_data(note)}" for note in verdict.notes]
    level = "notice" if verdict.passed else "error"
    return "\n".join([*lines, f"::{level} title=senbench check::{_data(_headline(verdict))}"])


def summary(verdict: Verdict) -> str:
    """Return a step summary in Markdown: verdict, before/after table, problems, notes."""
    mark = "\N{WHITE HEAVY CHECK MARK}" if verdict.passed else "\N{CROSS MARK}"
    lines = [f"### {mark} {_markdown(_headline(verdict))}", ""]
    if verdict.rows:
        lines += ["| " + " | ".join(COLUMNS[:-1]) + " | verdict |", "|---|---|--:|--:|--:|--:|--:|---|"]
        lines += ["| " + " | ".join(_markdown(cell) for cell in _cells(row, verdict)) + " |" for row in verdict.rows]
        lines.append("")
    lines += [f"- **{problem.kind}** {_markdown(problem.line)}" for problem in verdict.problems]
    if verdict.notes:
        lines += ["", "<details><summary>notes</summary>", "", *(f"- {_markdown(n)}" for n in verdict.notes)]
        lines += ["", "</details>"]
    lines += ["", f"Accepted drop: {_markdown(f'{100 * verdict.margin:g}')} points, lower end of the paired interval."]
    return "\n".join(lines) + "\n"


def _plain(value: str) -> str:
    """Remove line breaks and control characters."""
    return "".join(c if c.isprintable() else " " for c in value)


def _markdown(value: str) -> str:
    """Escape as text in Markdown: no markup, HTML, mention or further cell."""
    return MARKUP.sub(r"\\\1", html.escape(_plain(value), quote=False))


def _data(value: str) -> str:
    return _plain(value).replace("%", "%25")
