"""LaTeX tables of results, and escaping of text for LaTeX and BibTeX."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from senbench.results.qualifications import labels, model_name, qualifications

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from senbench.results.qualifications import Qualification
    from senbench.results.standings import Standing
    from senbench.schema.result import Metric, RunResult

# braces are replaced, because BibTeX counts them even after a backslash
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    **{c: f"\\{c}" for c in "&%$#_"},
}
TITLES = {
    "top1": "Top-1",
    "balanced_accuracy": "Balanced acc.",
    "f1_macro": "Macro F1",
    "map_macro": "Macro mAP",
    "map_micro": "Micro mAP",
    "r_precision_micro": "R-precision",
    "lrap": "LRAP",
}
COLUMNS = {"single-label": ("balanced_accuracy", "f1_macro"), "multi-label": ("map_micro", "r_precision_micro", "lrap")}
"""Metrics next to the headline, by task."""
TIE = r"$^{=}$"


def escape(text: object) -> str:
    r"""Escape text so that LaTeX sets it literally: no command, comment, line break or open brace remains.

    Control and format characters are dropped; `\textquotedbl` needs the T1 font encoding.
    """
    line = " ".join(str(text).split())
    return "".join(_SPECIAL.get(c, c) for c in line if unicodedata.category(c)[0] != "C")


def percent(metric: Metric | None) -> str:
    """Return a figure in percent with its 95 % interval, or `--` if undefined."""
    if metric is None or metric.value is None:
        return "--"
    ci = "" if metric.ci is None else f" [{100 * metric.ci[0]:.1f}, {100 * metric.ci[1]:.1f}]"
    return f"{100 * metric.value:.1f}{ci}"


def marks(board: Standing) -> dict[str, Qualification]:
    """Return the qualifications of a table's results by footnote mark, letters from `a`; one mark per label."""
    by_label = {one.label: one for result in board.results for one in qualifications(result)}
    return {f"$^{{{_letter(k)}}}$": one for k, one in enumerate(by_label.values())}


def _letter(k: int) -> str:
    return (_letter(k // 26 - 1) if k >= 26 else "") + chr(ord("a") + k % 26)


def columns(result: RunResult) -> list[str]:
    """Return the metrics of a table: the headline, then those next to it."""
    return [result.headline, *(name for name in COLUMNS[result.dataset.task] if name != result.headline)]


def figures(board: Standing, result: RunResult, bold: str, tie: str) -> list[str]:
    """Return the figures of a row; the best headline is bold, and those not significantly different have a mark.

    Args:
        board: The results of the table.
        result: The result of the row.
        bold: Markup with `{}` in place of the figure.
        tie: Mark after a tied figure.
    """
    cells = [percent(result.metrics.get(name)) for name in columns(board.first)]
    if result.run_id == board.best and len(board.results) > 1:
        cells[0] = bold.format(cells[0])
    elif result.run_id in board.tied:
        cells[0] += tie
    return cells


def table(board: Standing) -> str:
    """Return one board as a `table` with booktabs: the best in bold, `=` where tests find no difference from it."""
    r = board.first
    names = columns(r)
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{caption(board)}}}",
        r"  \begin{tabular}{ll" + "r" * len(names) + "}",
        r"    \toprule",
        "    Model & Prompts & " + " & ".join(f"{TITLES.get(n, escape(n))} (\\%)" for n in names) + r" \\",
        r"    \midrule",
        *(f"    {_row(board, one)} \\\\" for one in board.results),
    ]
    if board.anchored:
        lines += [r"    \midrule", *(f"    {line} \\\\" for line in _anchor_rows(board, names))]
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]) + "\n"


def caption(board: Standing) -> str:
    """Return the caption, which explains the figures and the marks that occur."""
    r = board.first
    d = r.dataset
    kind = "zero-shot " if any(one.zero_shot for one in board.results) else ""
    kinds = sorted({one.metrics[one.headline].interval.partition(" ")[0].rstrip(":") for one in board.results})
    parts = [
        f"{'Synthetic demonstration: ' if r.synthetic else ''}{kind}classification on "
        f"{escape(d.title)}, split {escape(d.split)}, $n = {d.n_evaluated}$, protocol {escape(r.protocol)}, "
        f"access level {r.access_level}, percent with 95\\,\\% intervals ({escape(', '.join(kinds))})."
    ]
    if board.best is not None and len(board.results) > 1:
        parts.append("Bold: best.")
    if board.tied:
        parts.append(f"{TIE}: not significantly different from the best ({escape(board.tests)}, Holm, 5\\,\\%).")
    elif board.tests.startswith("none: ") and board.tests != "none: one entry" and board.best is not None:
        parts.append(f"Differences were not tested ({escape(board.tests.removeprefix('none: '))}).")
    explanations = (
        (mark, escape(one.label) + ("" if one.ranked else ", not ranked")) for mark, one in marks(board).items()
    )
    parts += [f"{mark}: {text}." for mark, text in explanations]
    if board.anchored:
        parts.append("Below the line: supervised on the same embeddings (level 3), for scale.")
    text = " ".join(parts)
    return text[0].upper() + text[1:]


def _row(board: Standing, result: RunResult) -> str:
    caveats = labels(result)
    name = escape(model_name(result)) + "".join(mark for mark, one in marks(board).items() if one.label in caveats)
    return " & ".join([name, escape(result.prompts.id), *figures(board, result, r"\textbf{{{}}}", TIE)])


def _anchor_rows(board: Standing, names: Sequence[str]) -> Iterator[str]:
    for r, anchors in board.anchored:
        for anchor in anchors.classifiers:
            figures = [percent(anchor.figure) if name == anchor.metric else "" for name in names]
            yield " & ".join([escape(model_name(r)), f"({escape(anchor.title)})", *figures])
