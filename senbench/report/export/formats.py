"""Results in other formats: CSV, JSON, Markdown, LaTeX, model-index."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

from senbench.io.plain_text import guarded
from senbench.report.export import latex, model_index
from senbench.results.dataframe import rows
from senbench.results.qualifications import labels, model_id
from senbench.results.standings import standings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from senbench.results.standings import Standing
    from senbench.schema.result import RunResult


def to_csv(results: Sequence[RunResult], folders: Mapping[str, Path]) -> str:
    """Return tidy rows (`dataframe.rows`) as CSV; text that a spreadsheet could run as a formula gets an apostrophe."""
    table = rows(results)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([guarded(name) for name in table[0]])
    writer.writerows([guarded(value) for value in one.values()] for one in table)
    return out.getvalue()


def to_json(results: Sequence[RunResult], folders: Mapping[str, Path]) -> str:
    """Return the same rows as a JSON list."""
    return json.dumps(rows(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_markdown(results: Sequence[RunResult], folders: Mapping[str, Path]) -> str:
    """Return one Markdown table per board: the best in bold, `=` where paired tests find no difference from it."""
    return "\n".join(_markdown(board) for board in standings(results, folders))


def to_latex(results: Sequence[RunResult], folders: Mapping[str, Path]) -> str:
    """Return one booktabs table per board, with the same marks as in Markdown."""
    head = "% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n"
    return head + "\n".join(latex.table(board) for board in standings(results, folders))


FORMATS: dict[str, Callable[[Sequence[RunResult], Mapping[str, Path]], str]] = {
    "csv": to_csv,
    "md": to_markdown,
    "latex": to_latex,
    "json": to_json,
    "model-index": model_index.to_model_index,
}


def _plain(text: object) -> str:
    """Escape text so that Markdown shows it literally."""
    line = " ".join(str(text).split())
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~&$])", r"\\\1", line)


def _markdown(board: Standing) -> str:
    r = board.first
    d = r.dataset
    names = latex.columns(r)
    head = ["model", "prompts", *(f"{latex.TITLES.get(n, n)} %" for n in names), "note"]
    lines = [
        f"**{_plain(d.title)}**, split {_plain(d.split)}, n = {d.n_evaluated:,}, protocol "
        f"{_plain(r.protocol)}, access level {r.access_level}; 95 % intervals; tests: {_plain(board.tests)}",
        "",
        "| " + " | ".join(head) + " |",
        "|" + "---|" * 2 + "---:|" * len(names) + "---|",
    ]
    for one in board.results:
        figures = latex.figures(board, one, "**{}**", " =")
        cells = [_plain(model_id(one)), _plain(one.prompts.id), *figures, _plain("; ".join(labels(one)))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
