"""Prints the comparisons of styles and models after the table of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.cli.terminal import make_console, make_table
from senbench.report.columns import TITLES
from senbench.report.crossed_effects import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from senbench.schema.factorial import Contrast, Factorial, ResampledDifference

_Rows = list[tuple[str, list[str]]]


def print_factorial(grids: Sequence[Factorial | str], *, stderr: bool) -> None:
    """Print the comparisons of a run, or why there are none.

    Args:
        grids: One entry per dataset.
        stderr: Write to stderr, because stdout carries JSON.
    """
    console = make_console(stderr=stderr)
    for one in grids:
        if isinstance(one, str):
            console.print(f"- {one}", style="dim")
        else:
            _print(console, one)


def _print(console: Console, grid: Factorial) -> None:
    figure = TITLES.get(grid.headline, grid.headline)
    console.print(
        f"\nStyles and models on {grid.dataset} {grid.split}: differences in {figure}, points [95 % interval]; "
        "log-odds [95 % interval]"
    )
    for title, columns, rows in (_effects(grid, "styles"), _effects(grid, "models"), *_classes(grid)):
        if rows:
            _draw(console, title, columns, rows)
    for effects in grid.cue_frame:
        console.print(sentence(effects))
    for note in _notes(grid):
        console.print(f"- {note}", style="dim")


def _effects(grid: Factorial, kind: str) -> tuple[str, list[str], _Rows]:
    """Rows: pairs of styles (of models); columns: models and pairs of models (styles)."""
    rows: dict[str, dict[str, str]] = {}
    for contrast in grid.contrasts:
        if contrast.kind == kind or (kind == "styles" and contrast.kind == "interaction"):
            figures = f"{_points(contrast.points)}\n{_signed(contrast.log_odds, 1, 2)}"
            rows.setdefault(_row(contrast), {})[_column(contrast)] = figures
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    title = {"styles": "style - style", "models": "model - model"}[kind]
    return title, columns, [(name, [row.get(column, "-") for column in columns]) for name, row in rows.items()]


def _row(contrast: Contrast) -> str:
    return _minus(contrast.models if contrast.kind == "models" else contrast.styles)


def _column(contrast: Contrast) -> str:
    along = _minus(contrast.styles if contrast.kind == "models" else contrast.models)
    return f"interaction: {along}" if contrast.kind == "interaction" else along


def _classes(grid: Factorial) -> list[tuple[str, list[str], _Rows]]:
    """Return one table per pair of styles, and one of models per style; controls are in the file only."""
    tables: dict[str, list[Contrast]] = {}
    for contrast in grid.contrasts:
        if not contrast.control:
            tables.setdefault(_row(contrast), []).append(contrast)
    if len(tables) > 1 and sum(map(len, tables.values())) <= 3:  # a few columns fit next to each other
        tables = {"": [contrast for those in tables.values() for contrast in those]}
    figure = "recall" if grid.headline == "top1" else "average precision"
    out = []
    for title, those in tables.items():
        columns = [_column(contrast) + ("" if title else f": {_row(contrast)}") for contrast in those]
        rows = [
            (name, [_class_cell(contrast, k) for contrast in those]) for k, name in enumerate(grid.class_names.values())
        ]
        out.append((f"{figure}{', ' if title else ''}{title}", columns, rows))
    return out


def _draw(console: Console, title: str, columns: list[str], rows: _Rows) -> None:
    """Print a table if it fits, otherwise one line per figure, so that figures are never truncated."""
    lines = [cell for _, cells in rows for cell in cells]
    first = max(len(title), *(len(name) for name, _ in rows))
    if first + len(columns) * (max(map(len, "\n".join(lines).split("\n"))) + 2) > console.width:
        console.print(title, style="bold")
        for name, cells in rows:
            for column, cell in zip(columns, cells, strict=True):
                console.print(f"  {name}, {column}: {cell}".replace("\n", "; "))
        return
    table = make_table(title, figures=columns, overflow="fold")
    for name, cells in rows:
        table.add_row(name, *cells)
    console.print(table)


def _notes(grid: Factorial) -> list[str]:
    what = "clusters" if grid.clustered else "tiles (too narrow: these carry no positions)"
    notes = [
        f"intervals from {grid.draws} draws of prompts within class, crossed with draws of {what}; not adjusted for "
        "the number of comparisons",
        "* p below 0.05 after Holm over the classes of a column",
    ]
    figures = [d for c in grid.contrasts for d in (c.points, *(one.points for one in c.per_class))]
    if reasons := dict.fromkeys(d.interval for d in figures if d.ci is None):
        notes.append(f"[-]: {'; '.join(reason.removeprefix('none: ') for reason in reasons)}")
    pairs = {c.styles: c.matched for c in grid.contrasts if c.kind == "styles"}
    if matched := [_minus(pair) for pair, joint in pairs.items() if joint]:
        notes.append(f"prompts drawn in matched pairs: {', '.join(matched)}")
    if any(c.kind == "interaction" for c in grid.contrasts):
        notes.append("interaction: the styles' difference of the first model minus that of the second")
    return [*notes, *grid.notes]


def _minus(names: tuple[str, ...]) -> str:
    return " - ".join(names)


def _class_cell(contrast: Contrast, k: int) -> str:
    one = contrast.per_class[k]
    return _points(one.points) + (" *" if one.p_holm is not None and one.p_holm < 0.05 else "  ")


def _points(difference: ResampledDifference) -> str:
    return _signed(difference, 100, 1)


def _signed(difference: ResampledDifference, factor: float, digits: int) -> str:
    if difference.value is None:
        return "-"
    ends = "-" if difference.ci is None else ", ".join(f"{factor * end:+.{digits}f}" for end in difference.ci)
    return f"{factor * difference.value:+.{digits}f} [{ends}]"
