"""Prints the table at the end of a run, and the numeric noise below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.cli.terminal import make_console, make_table
from senbench.report.columns import COLUMNS, LINES, TITLES
from senbench.results import few_shot_text, qualifications
from senbench.results.qualifications import model_id
from senbench.schema import contamination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from senbench.schema.result import Anchor, Metric, RunResult

NAME = 31
"""Characters of a model's id that are never wrapped, as many as the longest shipped id has."""
WIDE = 120
"""Terminal width from which a table fits with all its columns."""


def print_table(results: Sequence[RunResult], *, stderr: bool) -> None:
    """Print results with their intervals, the reference lines, and caveats.

    Args:
        results: Results of one run.
        stderr: Write to stderr, because stdout carries JSON.
    """
    console = make_console(stderr=stderr)
    numbered = {line: n for n, line in enumerate(dict.fromkeys(line for r in results for line in _marks(r)), start=1)}
    marks = {r.run_id: _ranges([numbered[line] for line in _marks(r)]) for r in results}
    boards: dict[tuple[str, str], list[RunResult]] = {}
    for r in results:
        boards.setdefault((r.dataset.task, r.headline), []).append(r)
    for (_, headline), rows in boards.items():
        render = _narrow if console.width < WIDE else _wide
        render(console, rows, headline, marks)
    for line, n in numbered.items():
        console.print(f"{n}. {line}", style="dim")
    _notes(console, results)


def _marks(r: RunResult) -> list[str]:
    """Return the qualifications and other warnings of a result, one line each."""
    by_sentence = {one.sentence: one.line for one in qualifications.qualifications(r)}
    return [by_sentence.get(sentence, sentence) for sentence in qualifications.notes(r)]


def _ranges(numbers: Sequence[int]) -> str:
    """Format numbers as ranges: `1-3, 5`."""
    runs: list[list[int]] = []
    for n in sorted(numbers):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _narrow(console: Console, results: Sequence[RunResult], headline: str, marks: Mapping[str, str]) -> None:
    """Print two lines per result, for a narrow terminal, so that figures are never truncated."""
    columns = COLUMNS[results[0].dataset.task]
    for r in results:
        noted = f" (notes {marks[r.run_id]})" if marks[r.run_id] else ""
        console.print(f"{model_id(r)}, {r.prompts.id}, {r.dataset.id} {r.dataset.split}{noted}")
        others = ", ".join(f"{' '.join(title.split())} {percent(r.metrics[name].value)}" for title, name in columns)
        lines = ", ".join(f"{name.replace('_', ' ')} {percent(value)} %" for name, value in r.lines.items())
        console.print(
            f"  {TITLES[headline]} {with_interval(r.metrics[headline])} %, {others} %, "
            f"n {r.dataset.n_evaluated:,}, level {r.access_level}; {lines}"
        )
    for r, anchor in _anchors(results):
        console.print(
            f"{r.model.id}, {anchor.title} trained on labels (level 3), {r.dataset.id} {r.dataset.split}\n"
            f"  {TITLES[anchor.metric]} {with_interval(anchor.figure)} %",
            style="dim",
        )


def _wide(console: Console, results: Sequence[RunResult], headline: str, marks: Mapping[str, str]) -> None:
    columns = COLUMNS[results[0].dataset.task]
    table = make_table()
    table.add_column("model", overflow="fold", min_width=min(NAME, max(len(r.model.id) for r in results)))
    for name in ("prompts", "dataset"):
        table.add_column(name, overflow="fold")
    for name in ("n", f"{TITLES[headline]} %\n[95 % interval]", *(f"{title} %" for title, _ in columns), "level"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("notes", no_wrap=True)
    lines: dict[tuple[str, str], RunResult] = {}
    for r in results:
        where = f"{r.dataset.id} {r.dataset.split}"
        lines.setdefault((where, str(r.dataset.n_evaluated)), r)
        table.add_row(
            model_id(r),
            r.prompts.id,
            where,
            f"{r.dataset.n_evaluated:,}",
            with_interval(r.metrics[headline]),
            *(percent(r.metrics[name].value) for _, name in columns),
            str(r.access_level),
            marks[r.run_id],
        )
    metrics = (headline, *dict(columns).values())
    for (where, _), r in lines.items():
        for name, value in r.lines.items():
            cells = [percent(value) if LINES[name] == metric else "" for metric in metrics]
            table.add_row(f"({name.replace('_', ' ')})", "", where, "", *cells, "", "", style="dim")
    for r, anchor in _anchors(results):
        if anchor.metric in metrics:
            shown = with_interval(anchor.figure) if anchor.metric == headline else percent(anchor.figure.value)
            cells = [shown if anchor.metric == metric else "" for metric in metrics]
            what = f"({r.model.id}: {anchor.title})"
            where = f"{r.dataset.id} {r.dataset.split}"
            table.add_row(what, "(labels)", where, f"{r.dataset.n_evaluated:,}", *cells, "3", "", style="dim")
    console.print(table)


def _anchors(results: Sequence[RunResult]) -> list[tuple[RunResult, Anchor]]:
    """Return supervised anchors once per model and images, since they do not depend on the prompts."""
    first: dict[tuple[str, str, str], RunResult] = {}
    for r in results:
        if r.anchors is not None:
            first.setdefault((r.model.id, r.dataset.index_hash, r.dataset.radiometry), r)
    return [(r, anchor) for r in first.values() if r.anchors is not None for anchor in r.anchors.classifiers]


def _notes(console: Console, results: Sequence[RunResult]) -> None:
    notes: dict[str, None] = {}
    by_grade: dict[str, list[str]] = {}
    for r in results:
        if contamination.note(r.contamination) is None:  # caveats are among the qualifications
            by_grade.setdefault(r.contamination, []).append(r.model.id)
        if text := qualifications.advice(r):
            notes[text] = None
        if text := next((m.note for name, m in r.metrics.items() if name.endswith("_tuned") and m.note), None):
            notes[f"figures at tuned thresholds: {text}"] = None
    text = "; ".join(f"{grade} ({', '.join(dict.fromkeys(ids))})" for grade, ids in by_grade.items())
    if by_grade:
        notes[f"training data against these tiles: {text}"] = None
    for r, anchor in _anchors(results):
        if r.anchors is not None:
            ((name, value),) = anchor.hyperparameters.items()
            notes[
                f"{r.model.id}, {anchor.title}: trained on {r.anchors.n_train:,} labels of {r.anchors.split} with "
                f"{name} = {value:g}, a line for scale, never ranked"
            ] = None
            if anchor.figure.note:
                notes[f"supervised lines: {anchor.figure.note}"] = None
    for note in notes:
        console.print(f"- {note}", style="dim")


def print_noise(results: Sequence[RunResult], *, stderr: bool) -> None:
    """Print how far each result changed under settings that should not matter, if that was measured.

    Args:
        results: Results of one run.
        stderr: Write to stderr, because stdout carries JSON.
    """
    console = make_console(stderr=stderr)
    for r in results:
        if r.noise is None:
            continue
        of = "all" if r.noise.whole else f"of {r.dataset.n_evaluated:,}"
        console.print(
            f"\nNoise of {r.model.id}, {r.prompts.id}, {r.dataset.id}: {r.noise.n:,} tiles ({of}) encoded "
            f"again, against {r.noise.reference}"
        )
        headline = f"{TITLES.get(r.headline, r.headline)}\npoints"
        figures = ("score\nat most", "1 - cosine\nat most", "flips %", headline, "any figure\nat most")
        table = make_table("changed", figures=figures, no_wrap=True)
        for v in r.noise.variants:
            moved = "-" if v.headline is None else f"{100 * v.headline:+.2f}"
            flips = f"{100 * v.flips:.2f}"
            table.add_row(v.name, f"{v.score:.1e}", f"{v.cosine:.1e}", flips, moved, f"{v.figure:.1e}")
        console.print(table)
        for name, why in r.noise.left_out.items():
            console.print(f"- {name}: not done, {why}", style="dim")


def print_labels_saved(results: Sequence[RunResult], *, stderr: bool) -> None:
    """Print what few labels reach beside each zero-shot figure; nothing where it was not asked for.

    Args:
        results: Results of one run.
        stderr: Write to stderr, because stdout carries JSON.
    """
    console = make_console(stderr=stderr)
    for r in results:
        if (found := r.labels_saved) is None:
            continue
        shots = sorted({one.shots for one in found.figures})
        console.print(
            f"\nLabels per class, drawn from {r.labels_from}, on the embeddings of {r.model.id}, {r.prompts.id}, "
            f"{r.dataset.id}: top-1 % (level 3); zero-shot {percent(r.metrics['top1'].value)}"
        )
        table = make_table("trained on", figures=tuple(map(str, shots)), no_wrap=True)
        for title, figures in few_shot_text.curves(found).items():
            of = {one.shots: one for one in figures}
            cells = (
                f"{percent(of[k].value)} ± {50 * (of[k].ci[1] - of[k].ci[0]):.1f}" if k in of else "-" for k in shots
            )
            table.add_row(title, *cells)
        console.print(table)
        for line in few_shot_text.sentences(r):
            console.print(f"- {line}", style="dim")


def percent(value: float | None) -> str:
    """Format a value in 0..1 as percent with one decimal; a dash if undefined."""
    return "-" if value is None else f"{100 * value:.1f}"


def with_interval(metric: Metric) -> str:
    """Format a figure as percent with its 95 % interval."""
    if metric.ci is None:
        return f"{percent(metric.value)} [-]"
    return f"{percent(metric.value)} [{100 * metric.ci[0]:.1f}, {100 * metric.ci[1]:.1f}]"
