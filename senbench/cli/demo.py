"""`senbench demo`: a complete run, offline, on synthetic tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from senbench.runtime.printing import say


def demo(out: Annotated[str, typer.Option(help="Folder for the results and the page.")] = "demo") -> None:
    """Generate synthetic tiles, evaluate the shipped model `mini` on them, write a page. Offline."""
    from senbench.cli.progress_bar import Bars
    from senbench.cli.tables.factorial_table import print_factorial
    from senbench.cli.tables.run_table import print_table
    from senbench.evaluation.grid import run_crossed
    from senbench.report.leaderboard.page import write
    from senbench.results.store import writable
    from senbench.schema.run_spec import RunSpec

    folder = writable(out, "--out")
    spec = RunSpec(
        models=("mini",),
        prompts=("ground", "aerial", "generic"),
        datasets=("demo",),
        offline=True,
        results=str(folder / "results"),
    )
    run_results, factorials = run_crossed(spec, Bars())
    print_table(run_results, stderr=False)
    print_factorial(factorials, stderr=False)
    page = write(folder / "results", folder / "index.html")
    say(f"SYNTHETIC tiles and model: a demonstration. Results in {folder / 'results'}/, page: {Path(page)}")
