"""`senbench explain`: explains why two results differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import make_console, make_table, print_json, print_settings

if TYPE_CHECKING:
    from rich.console import Console

    from senbench.scoring.comparison.shapley import FigureDifference
    from senbench.studies.explain_difference import Attributed, Explanation


def explain(
    first: Annotated[
        str, typer.Argument(metavar="A", help="Run id or its beginning, name of a model, or result folder.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The result whose difference to it is explained.")],
    results: options.RunLookup = "results",
    weights: Annotated[
        list[str] | None, typer.Option(help="Checkpoint file of one of them; may be given twice.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the data; default: as the results say.")] = None,
    device: options.Device = "auto",
    as_json: options.OnlyJson = False,
) -> None:
    """Split the difference B - A over the settings that differ: prompts, class names, split, post-processing, ..."""
    from senbench.cli.progress_bar import Bars
    from senbench.errors import UnavailableError
    from senbench.results.store import locate
    from senbench.studies.explain_difference import explain

    ends = [locate(run, Path(results).expanduser()) for run in (first, second)]
    explanation = explain(*ends, weights=weights or (), data_dir=data_dir, device=device, progress=Bars())
    if as_json:
        print_json(explanation.as_json(), indent=1, allow_nan=False)
    else:
        show(explanation)
    if not explanation.metrics:
        raise UnavailableError(f"nothing could be computed; needs {'; '.join(explanation.needs)}")


def show(explanation: Explanation) -> None:
    """Print the answer, then the settings that differ, then the contribution of each."""
    from senbench.report.numbers import share
    from senbench.studies.explain_difference import in_words

    console = make_console(stderr=False)
    console.print(f"A {explanation.first}\nB {explanation.second}")
    for metric, (a, b) in explanation.recorded.items():
        console.print(f"{metric}: A {share(a)} %, B {share(b)} % (recorded)")
    for note in (*(f"needs: {need}" for need in explanation.needs), *explanation.notes):
        console.print(f"- {note}", soft_wrap=True)
    for attributed in explanation.metrics:
        console.print(in_words(attributed), style="bold", soft_wrap=True)
    if explanation.settings:
        print_settings(console, explanation.settings)
    for attributed in explanation.metrics:
        _show(console, attributed)
    if explanation.same:
        console.print(f"the same at both ends: {', '.join(explanation.same)}", soft_wrap=True)


def _show(console: Console, attributed: Attributed) -> None:
    from senbench.report.numbers import share

    console.print(f"\n{attributed.metric}: A {share(attributed.first)} %, B {share(attributed.second)} %; points B - A")
    figures = ("Shapley", "switched alone at A", "switched last, at B")
    table = make_table("setting", figures=figures, overflow="fold")
    for effect in attributed.effects:
        table.add_row(effect.switch, *map(_points, (effect.shapley, effect.first, effect.second)))
    table.add_row("together", _points(attributed.total or attributed.scoring), "", "")
    console.print(table)
    for effect in attributed.effects:
        if effect.needs:
            console.print(f"- {effect.switch}: not computed: needs {effect.needs}", soft_wrap=True)
    deltas = [d for e in attributed.effects for d in (e.shapley, e.first, e.second) if d is not None]
    for label in dict.fromkeys(d.interval for d in deltas):
        console.print(f"- {label}", soft_wrap=True)


def _points(delta: FigureDifference | None) -> str:
    from senbench.report.numbers import interval, points

    if delta is None:
        return "not computed"
    return points(delta.value) + (f" {interval(delta.ci)}" if delta.ci is not None else "")
