"""LaTeX tables of results, and text made safe for LaTeX and BibTeX."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from senbench.results.qualifications import labels, model_name, qualifications

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from senbench.results.qualifications import Qualification
    from senbench.results.standings import Standing
    from senbench.schema.result import Metric, RunResult

# no brace of a name survives as a brace: BibTeX counts them even behind a backslash
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
"""Metrics beside the headline, by task."""
TIE = r"$^{=}$"


def escape(text: object) -> str:
    r"""Text that LaTeX sets as it is written: no command, no comment, no line break, no brace left open.

    Control and format characters are dropped; `\textquotedbl` needs the T1 font encoding.
    """
    line = " ".join(str(text).split())
    return "".join(_SPECIAL.get(c, c) for c in line if unicodedata.category(c)[0] != "C")


def percent(metric: Metric | None) -> str:
    """Percent with its 95 % interval, `--` where undefined."""
    if metric is None or metric.value is None:
        return "--"
    ci = "" if metric.ci is None else f" [{100 * metric.ci[0]:.1f}, {100 * metric.ci[1]:.1f}]"
    return f"{100 * metric.value:.1f}{ci}"


def marks(board: Standing) -> dict[str, Qualification]:
    """The qualifications of the results of a table by their marks, letters from `a`; one of a label speaks for all."""
    found = {one.label: one for result in board.results for one in qualifications(result)}
    return {f"$^{{{_letter(k)}}}$": one for k, one in enumerate(found.values())}


def _letter(k: int) -> str:
    return (_letter(k // 26 - 1) if k >= 26 else "") + chr(ord("a") + k % 26)


def columns(result: RunResult) -> list[str]:
    """Metrics of a table: the headline, then those beside it."""
    return [result.headline, *(name for name in COLUMNS[result.dataset.task] if name != result.headline)]


def figures(board: Standing, result: RunResult, bold: str, tie: str) -> list[str]:
    """The figures of a row: of the best result the headline in bold, of those tests do not tell from it with a mark.

    Args:
        board: The results of the table.
        result: The result of the row.
        bold: Markup with `{}` for the figure.
        tie: Mark behind a tied figure.
    """
    found = [percent(result.metrics.get(name)) for name in columns(board.first)]
    if result.run_id == board.best and len(board.results) > 1:
        found[0] = bold.format(found[0])
    elif result.run_id in board.tied:
        found[0] += tie
    return found


def table(board: Standing) -> str:
    """One board as a `table` with booktabs: the best in bold, `=` where tests do not tell from it."""
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
    """What the numbers are, and what the marks that occur mean."""
    r = board.first
    d = r.dataset
    how = "zero-shot " if any(one.zero_shot for one in board.results) else ""
    kinds = sorted({one.metrics[one.headline].interval.partition(" ")[0].rstrip(":") for one in board.results})
    parts = [
        f"{'Synthetic demonstration: ' if r.synthetic else ''}{how}classification on "
        f"{escape(d.title)}, split {escape(d.split)}, $n = {d.n_evaluated}$, protocol {escape(r.protocol)}, "
        f"access level {r.access_level}, percent with 95\\,\\% intervals ({escape(', '.join(kinds))})."
    ]
    if board.best is not None and len(board.results) > 1:
        parts.append("Bold: best.")
    if board.tied:
        parts.append(f"{TIE}: not significantly different from the best ({escape(board.tests)}, Holm, 5\\,\\%).")
    elif board.tests.startswith("none: ") and board.tests != "none: one entry" and board.best is not None:
        parts.append(f"Differences were not tested ({escape(board.tests.removeprefix('none: '))}).")
    told = ((mark, escape(one.label) + ("" if one.ranked else ", not ranked")) for mark, one in marks(board).items())
    parts += [f"{mark}: {text}." for mark, text in told]
    if board.anchored:
        parts.append("Below the line: supervised on the same embeddings (level 3), for scale.")
    text = " ".join(parts)
    return text[0].upper() + text[1:]


def _row(board: Standing, result: RunResult) -> str:
    own = labels(result)
    name = escape(model_name(result)) + "".join(mark for mark, one in marks(board).items() if one.label in own)
    return " & ".join([name, escape(result.prompts.id), *figures(board, result, r"\textbf{{{}}}", TIE)])


def _anchor_rows(board: Standing, names: Sequence[str]) -> Iterator[str]:
    for r, anchors in board.anchored:
        for anchor in anchors.classifiers:
            figures = [percent(anchor.figure) if name == anchor.metric else "" for name in names]
            yield " & ".join([escape(model_name(r)), f"({escape(anchor.title)})", *figures])
