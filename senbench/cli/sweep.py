"""`senbench sweep radiometry`: how much of a figure is only scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.errors import UsageError

if TYPE_CHECKING:
    from senbench.schema.result import RunResult

app = typer.Typer(help="One model and prompt set under every setting of one kind.", rich_markup_mode=None)


@app.callback()
def sweep() -> None:
    """One model and prompt set under every setting of one kind."""


@app.command("radiometry")
def radiometry(
    model: options.Model,
    prompts: options.Prompts,
    dataset: Annotated[str, typer.Option(help="Dataset of digital numbers.")] = "eurosat",
    split: options.Split = None,
    data_dir: options.DataDir = None,
    dn_offset: options.DnOffset = "auto",
    weights: options.Weights = None,
    limit: options.Limit = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    results: Annotated[str, typer.Option(help="Folder for result files, apart from those of runs.")] = "results-sweep",
    offline: options.Offline = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON on stdout.")] = False,
) -> None:
    """Evaluate the same tiles under every rendering of digital numbers to 8 bit."""
    import json

    from senbench.cli.progress_bar import Bars
    from senbench.cli.run import specification
    from senbench.datasets.open import dataset_info
    from senbench.datasets.radiometry import POLICIES
    from senbench.evaluation.grid import run

    info = dataset_info(dataset)
    if info.unit != "dn":
        raise UsageError(f"--dataset {dataset}: its tiles are 8-bit already, there is no rendering to sweep")
    found: dict[str, RunResult] = {}
    for policy in POLICIES:
        spec = specification(
            models=(model,),
            prompts=(prompts,),
            datasets=(dataset,),
            split=split,
            data_dir=data_dir,
            weights=weights,
            radiometry=policy,
            dn_offset=dn_offset,
            limit=limit,
            device=device,
            dtype=dtype,
            results=results,
            offline=offline,
        )
        (found[policy],) = run(spec, Bars())
    if as_json:
        typer.echo(json.dumps([r.model_dump(mode="json") for r in found.values()], ensure_ascii=False))
    _table(found, info.radiometry, stderr=as_json)


def _table(found: dict[str, RunResult], usual: str, *, stderr: bool) -> None:
    from rich import box
    from rich.table import Table

    from senbench.cli.tables.run_table import make_console, percent, with_interval
    from senbench.report.columns import TITLES

    console = make_console(stderr=stderr)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("radiometry", no_wrap=True)
    first = next(iter(found))
    base_policy = usual if usual in found else first  # a user's tiles of unknown level have no usual rendering
    headline = found[first].headline
    for name in (f"{TITLES[headline]} %", f"against {base_policy}", "clipped %", "channel means"):
        table.add_column(name, justify="right", no_wrap=True)
    base = found[base_policy].metrics[headline].value or 0.0
    values = {policy: r.metrics[headline].value or 0.0 for policy, r in found.items()}
    for policy, r in found.items():
        stats = r.dataset.rendering or {}
        mark = " (usual)" if policy == usual else ""
        table.add_row(
            policy + mark,
            with_interval(r.metrics[headline]),
            "" if policy == base_policy else f"{100 * (values[policy] - base):+.1f}",
            percent(stats.get("saturated")),
            " ".join(f"{value:.0f}" for value in stats.get("channel_means", ())),
        )
    console.print(table)
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    spread = 100 * (values[high] - values[low])
    console.print(
        f"scaling alone moves {TITLES[headline]} by {spread:.1f} points, from {low} to {high}, on the same tiles; the "
        "best of several is no figure to report",
        markup=False,
        style="dim",
    )
