"""`senbench explain`: why two results differ."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from senbench.scoring.comparison.shapley import FigureDifference
    from senbench.studies.explain_difference import Attributed, Explanation


def explain(
    first: Annotated[str, typer.Argument(metavar="A", help="Result folder, result.json, or run id.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The result whose difference to it is explained.")],
    results: Annotated[str, typer.Option(help="Folder in which run ids are looked up.")] = "results",
    weights: Annotated[
        list[str] | None, typer.Option(help="Checkpoint file of one of them; may be given twice.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data; default: as the results say.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout, nothing else.")] = False,
) -> None:
    """Split the difference B - A over the settings that differ: prompts, class names, split, column division, ..."""
    from senbench.cli.progress_bar import Bars
    from senbench.errors import UnavailableError
    from senbench.results.store import locate
    from senbench.studies.explain_difference import explain

    folder = Path(results).expanduser()
    found = explain(
        locate(first, folder),
        locate(second, folder),
        weights=weights or (),
        data_dir=data_dir,
        device=device,
        progress=Bars(),
    )
    if as_json:
        import json

        sys.stdout.write(json.dumps(found.as_json(), indent=1, allow_nan=False) + "\n")
    else:
        show(found)
    if not found.metrics:
        raise UnavailableError(f"nothing could be computed; needs {'; '.join(found.needs)}")


def show(found: Explanation) -> None:
    """Print the answer, then the settings that differ, then what each is worth."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from senbench.cli.tables.run_table import make_console
    from senbench.report.numbers import share
    from senbench.studies.explain_difference import in_words

    console = make_console(stderr=False)
    console.print(f"A {found.first}\nB {found.second}", markup=False)
    for metric, (a, b) in found.recorded.items():
        console.print(f"{metric}: A {share(a)} %, B {share(b)} % (recorded)", markup=False)
    for need in found.needs:
        console.print(f"- needs: {need}", markup=False, soft_wrap=True)
    for note in found.notes:
        console.print(f"- {note}", markup=False, soft_wrap=True)
    for attributed in found.metrics:
        console.print(in_words(attributed), markup=False, style="bold", soft_wrap=True)
    if found.settings:
        table = Table("setting that differs", "A", "B", box=box.SIMPLE_HEAD, pad_edge=False)
        for path, before, after in found.settings:
            table.add_row(Text(path), Text(before), Text(after))
        console.print(table)
    for attributed in found.metrics:
        _show(console, attributed)
    if found.same:
        console.print(f"the same at both ends: {', '.join(found.same)}", markup=False, soft_wrap=True)


def _show(console: Console, found: Attributed) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from senbench.report.numbers import share

    console.print(f"\n{found.metric}: A {share(found.first)} %, B {share(found.second)} %; points B - A", markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", overflow="fold")
    for column in ("Shapley", "switched alone at A", "switched last, at B"):
        table.add_column(column, justify="right", overflow="fold")
    for effect in found.effects:
        cells = (effect.shapley, effect.first, effect.second)
        table.add_row(Text(effect.switch), *(Text(_points(d)) for d in cells))
    total = found.total or found.scoring
    table.add_row(Text("together"), Text(_points(total)), "", "")
    console.print(table)
    for effect in found.effects:
        if effect.needs:
            console.print(f"- {effect.switch}: not computed: needs {effect.needs}", markup=False, soft_wrap=True)
    deltas = [d for e in found.effects for d in (e.shapley, e.first, e.second) if d is not None]
    for label in dict.fromkeys(d.interval for d in deltas):
        console.print(f"- {label}", markup=False, soft_wrap=True)


def _points(delta: FigureDifference | None) -> str:
    from senbench.report.numbers import interval, points

    if delta is None:
        return "not computed"
    return points(delta.value) + (f" {interval(delta.ci)}" if delta.ci is not None else "")
