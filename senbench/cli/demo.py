"""`senbench demo`: SenCLIP's question asked once, offline, of models, tiles and photos that this project draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.report.demo_page import DemoPlace

MODELS = ("ground-mini", "ground-mini-aligned")
"""Before and after alignment."""


def demo(out: Annotated[str, typer.Option(help="Folder for the results and the page.")] = "demo") -> None:
    """Evaluate a model of ground photos before and after its alignment with tiles, write a page. Offline.

    Tiles, photos and both models are synthetic.
    """
    from senbench.cli.progress_bar import Bars
    from senbench.cli.tables.run_table import print_table
    from senbench.errors import UnavailableError
    from senbench.evaluation.grid import run_crossed
    from senbench.report import demo_page
    from senbench.report.crossed_effects import sentence
    from senbench.report.leaderboard.page import write
    from senbench.results.store import writable
    from senbench.schema.run_spec import RunSpec

    folder = writable(out, "--out")
    results = folder / "results"
    spec = RunSpec(
        models=MODELS, prompts=tuple(demo_page.STYLES), datasets=("demo",), offline=True, results=str(results)
    )
    run_results, factorials = run_crossed(spec, Bars())
    print_table(run_results, stderr=False)
    effects = factorials[0]
    if isinstance(effects, str):
        raise UnavailableError(f"the styles of the demo were not compared: {effects}")
    for one in effects.cue_frame:
        say(sentence(one))
    write(results, folder / "board.html")
    page = demo_page.write(results, run_results, effects, _places(), folder / "index.html")
    say(f"SYNTHETIC tiles, photos and models: a demonstration. Results in {results}/, page: {page}")


def _places() -> list[DemoPlace]:
    """The first place of each class with its tile and its ground views."""
    from senbench.datasets.eurosat.multispectral import DEMO_SEED
    from senbench.datasets.radiometry import render
    from senbench.datasets.synthetic import ground_views, scenes
    from senbench.report.demo_page import DemoPlace

    seed = scenes.written_seed(DEMO_SEED, 0)
    return [
        DemoPlace(
            tile_id=f"{key}_1",
            key=key,
            tile=render(scenes.scene(key, seed)[[3, 2, 1]], "eurosat-jpeg"),
            views=[view.pixels for view in ground_views.views(key, seed)],
        )
        for key in scenes.CLASSES
    ]
