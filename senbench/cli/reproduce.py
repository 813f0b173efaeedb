"""`senbench reproduce`: runs published tables again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import make_console, make_table, print_json
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.studies.explain_difference import Explanation
    from senbench.studies.published_tables import PublishedCell
    from senbench.studies.reproduction import Line, Missing, Options


def reproduce(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A table, or a cell or part: TABLE:PATH.")] = None,
    every: Annotated[bool, typer.Option("--list", help="List tables and cells, and stop.")] = False,
    data_dir: options.DataDir = None,
    weights: Annotated[str | None, typer.Option(help="Local checkpoint file, for cells of one model.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="FILE", help="The publication's list of tiles, where it is not shipped.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="A trial on N tiles: incomplete, never compared.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Split the difference to the protocol `standard` over the settings.")
    ] = False,
    device: options.Device = "auto",
    results: options.RunFolder = "results",
    as_json: options.OnlyJson = False,
) -> None:
    """Run a published table with its own settings; nothing is downloaded, missing files are listed."""
    from senbench.studies import published_tables, recorded_prompts

    if name is None and not every:
        known = (*published_tables.recipes(), recorded_prompts.RECIPE)
        raise UsageError(f"NAME is missing: give one of {', '.join(known)}, or --list")
    single = name is not None and name.partition(":")[0] == recorded_prompts.RECIPE
    if every:
        tables = [] if single else [name] if name else list(published_tables.recipes())
        _list([published_tables.select(table) for table in tables], as_json, singles=single or name is None)
        return
    from senbench.cli.progress_bar import Bars
    from senbench.studies import reproduction
    from senbench.studies.reproduction import attempt, lines, measure, missing

    options = reproduction.Options(data_dir, weights, split, limit, device, results)
    if single:
        _single_prompts(str(name), options, as_json)
        return
    cells = published_tables.select(str(name))
    lacks = missing(cells, options)
    ready = [cell for cell in cells if not lacks[cell.name]]
    bars = Bars()
    measured = measure(ready, options, bars)
    all_lines = [line for cell, result in measured for line in lines(cell, result, own_list=split is not None)]
    explanations = {cell.name: attempt(cell, result, options, bars) for cell, result in measured} if explain else {}
    if as_json:
        _json(cells, all_lines, lacks, explanations)
    else:
        if all_lines:
            _table(cells, all_lines)
        _explained(explanations)
    if len(ready) < len(cells):
        _missing(lacks)
        raise UnavailableError(
            f"{len(cells) - len(ready)} of {len(cells)} cells of {name} could not be measured: missing, see above"
        )


def _single_prompts(name: str, options: Options, as_json: bool) -> None:
    """What single prompts get right, for each model whose weights are here."""
    from senbench.cli.progress_bar import Bars
    from senbench.studies import recorded_prompts

    if options.split is not None or options.limit is not None:
        raise UsageError(f"{recorded_prompts.RECIPE} takes all images: --split and --limit do not go with it")
    wanted = recorded_prompts.models(name)
    if options.weights is not None and len(wanted) > 1:
        raise UsageError(f"--weights goes with one model: {recorded_prompts.RECIPE}:MODEL")
    found, lacks = {}, {}
    for model in wanted:
        try:
            found[model] = recorded_prompts.verify(model, options, Bars())
        except UnavailableError as error:
            lacks[model] = str(error)
            if options.data_dir is None:
                raise
    if as_json:
        print_json({"models": {m: [vars(item) for item in items] for m, items in found.items()}, "missing": lacks})
    verdict = {None: "side by side", True: "inside", False: "OUTSIDE"}
    for model, items in found.items():
        for item in () if as_json else items:
            say(f"{model}  {item.name}: {verdict[item.ok]}, {item.detail}")
    for model, why in lacks.items():
        say(f"missing: {model}: {why}", err=True)
    if lacks:
        raise UnavailableError(f"{len(lacks)} of {len(wanted)} models of {name} could not be measured: see above")


def _list(tables: Sequence[Sequence[PublishedCell]], as_json: bool, *, singles: bool) -> None:
    from senbench.studies import recorded_prompts

    every = [cell for cells in tables for cell in cells]
    if as_json:
        rows = [
            {
                "cell": cell.name,
                "model": cell.model,
                "dataset": cell.part.dataset,
                "split": cell.part.split,
                "protocol": cell.part.protocol,
                "prompts": cell.part.styles.get(cell.prompts) or cell.part.templates[cell.prompts],
                "published": [{k: row[k] for k in ("source", "metric", "value", "n", "split")} for row in cell.rows],
            }
            for cell in every
        ]
        print_json(rows, indent=1)
        return
    for cells in tables:
        say(f"{cells[0].recipe.name}: {cells[0].recipe.title}")
        for cell in cells:
            figures = ", ".join(f"{row['value']} ({row['metric']})" for row in cell.rows)
            say(f"  {cell.name}  {figures}")
    if singles:
        held = recorded_prompts.recorded()
        told = f"{len(held['prompts'])} single prompts and their average on WHU-RS19"
        say(f"{recorded_prompts.RECIPE}: {told}, as recorded by RS-TransCLIP")
        for model, own in held["models"].items():
            shares = f"{100 * own[recorded_prompts.AVERAGED] / held['n']:.2f} (averaged)"
            say(f"  {recorded_prompts.RECIPE}:{model}  {shares}, {own['dtype']}")


def _json(
    cells: Sequence[PublishedCell],
    all_lines: Sequence[Line],
    lacks: Mapping[str, Sequence[Missing]],
    explanations: Mapping[str, Explanation | str],
) -> None:
    parts = {id(cell.part): cell.part for cell in cells}.values()
    data = {
        "lines": all_lines,
        "quirks": {part.part: part.quirks for part in parts},
        "missing": {cell: [lack._asdict() for lack in lacking] for cell, lacking in lacks.items() if lacking},
        "explained": {cell: one if isinstance(one, str) else one.as_json() for cell, one in explanations.items()},
    }
    print_json(data, indent=1, ensure_ascii=False, allow_nan=False)


def _table(cells: Sequence[PublishedCell], all_lines: Sequence[Line]) -> None:
    from senbench.report.columns import TITLES
    from senbench.report.numbers import points, share

    console = make_console(stderr=False)
    figures = ("metric", "published %", "measured % [95 %]", "difference", "tolerance", "")
    table = make_table("cell", figures=figures, overflow="fold")
    for line in all_lines:
        ci = "" if line.ci is None else f" [{share(line.ci[0])}, {share(line.ci[1])}]"
        verdict = {None: "side by side", True: "inside", False: "OUTSIDE"}[line.inside]
        table.add_row(
            line.cell.partition(":")[2],
            TITLES.get(line.metric, line.metric),
            share(line.published),
            share(line.measured) + ci,
            points(line.difference),
            share(line.tolerance),
            verdict,
        )
    console.print(table)
    for title, notes in (
        ("no difference, because the protocol is not known to be the same", [n for x in all_lines for n in x.unlike]),
        ("what qualifies the measured figures", _qualified(all_lines)),
        ("tolerance, points", [x.tolerance_why for x in all_lines]),
        ("interval", [x.interval for x in all_lines]),
        ("done as published", [q for cell in cells for q in cell.part.quirks]),
    ):
        if notes:
            console.print(f"{title}:")
            for note in dict.fromkeys(notes):
                console.print(f"- {note}", soft_wrap=True)


def _qualified(all_lines: Sequence[Line]) -> list[str]:
    """Return each note once, with its cells unless it applies to all."""
    cells: dict[str, dict[str, None]] = {}
    for line in all_lines:
        for note in line.notes:
            cells.setdefault(note, {})[line.cell.partition(":")[2]] = None
    every = len({line.cell for line in all_lines})
    return [note if len(of_cells) == every else f"{note} ({', '.join(of_cells)})" for note, of_cells in cells.items()]


def _explained(explanations: Mapping[str, Explanation | str]) -> None:
    from senbench.cli.explain import show

    for cell, one in explanations.items():
        say("")
        if isinstance(one, str):
            say(f"{cell}: no attribution, {one}")
        else:
            show(one)


def _missing(lacks: Mapping[str, Sequence[Missing]]) -> None:
    """Print on stderr what is missing, its source, size and command."""
    say("missing:", err=True)
    blocks = []
    for lack in (lack for lacking in lacks.values() for lack in lacking):
        size = "" if lack.size_mb is None else f", {lack.size_mb:,.0f} MB"
        looked = f"\n    {lack.why}" if lack.kind == "data" else ""  # why a folder that was passed is not suitable
        blocks.append(f"- {lack.kind} {lack.name}: {lack.file}{size}\n    {lack.command}{looked}")
    say("\n".join(dict.fromkeys(blocks)), err=True)
