"""`senbench sweep radiometry`: measures how much a figure depends on the rendering of digital numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from senbench.cli import options
from senbench.cli.terminal import make_console, make_table, print_json
from senbench.errors import UsageError

if TYPE_CHECKING:
    from senbench.schema.result import RunResult
    from senbench.schema.run_spec import RunSpec

app = typer.Typer(help="One model and prompt set under every setting of one kind.", rich_markup_mode=None)


@app.callback()
def sweep() -> None:
    """One model and prompt set under every setting of one kind."""


@app.command("radiometry")
@options.takes_run_spec(
    "model prompts dataset split data_dir dn_offset weights limit device dtype results accept_pixels offline",
    dataset={"help": "Dataset of digital numbers."},
    results={"help": "Folder for result files, apart from those of runs.", "default": "results-sweep"},
)
def radiometry(spec: RunSpec, as_json: options.ResultsJson = False) -> None:
    """Evaluate the same tiles under every rendering of digital numbers to 8 bit."""
    from senbench.cli.progress_bar import Bars
    from senbench.datasets.open import dataset_info
    from senbench.datasets.radiometry import POLICIES
    from senbench.evaluation.grid import run

    info = dataset_info(spec.datasets[0], data_dir=spec.data_dir, offline=spec.offline)
    if info.unit != "dn":
        raise UsageError(f"--dataset {spec.datasets[0]}: its tiles are 8-bit already, there is no rendering to sweep")
    by_policy = {policy: run(spec.model_copy(update={"radiometry": policy}), Bars())[0] for policy in POLICIES}
    if as_json:
        print_json(list(by_policy.values()), ensure_ascii=False)
    _table(by_policy, info.radiometry, stderr=as_json)


def _table(by_policy: dict[str, RunResult], usual: str, *, stderr: bool) -> None:
    from senbench.cli.tables.run_table import percent, with_interval
    from senbench.report.columns import TITLES

    console = make_console(stderr=stderr)
    first = next(iter(by_policy))
    base_policy = usual if usual in by_policy else first  # a user's tiles of unknown level have no default rendering
    headline = by_policy[first].headline
    figures = (f"{TITLES[headline]} %", f"against {base_policy}", "clipped %", "channel means")
    table = make_table("radiometry", figures=figures, no_wrap=True)
    values = {policy: r.metrics[headline].value or 0.0 for policy, r in by_policy.items()}
    for policy, r in by_policy.items():
        stats = r.dataset.rendering or {}
        mark = " (usual)" if policy == usual else ""
        table.add_row(
            policy + mark,
            with_interval(r.metrics[headline]),
            "" if policy == base_policy else f"{100 * (values[policy] - values[base_policy]):+.1f}",
            percent(stats.get("saturated")),
            " ".join(f"{value:.0f}" for value in stats.get("channel_means", ())),
        )
    console.print(table)
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    spread = 100 * (values[high] - values[low])
    console.print(
        f"scaling alone moves {TITLES[headline]} by {spread:.1f} points, from {low} to {high}, on the same tiles; the "
        "best of several is no figure to report",
        style="dim",
    )
