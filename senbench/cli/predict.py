"""`senbench predict`: what a run settled, applied to tiles without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from senbench.cli import options
from senbench.cli.terminal import interruptible
from senbench.runtime import distributed
from senbench.runtime.printing import say


def predict(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Folder or zip of tiles, packed store, or dataset by name.")
    ],
    like: Annotated[str, typer.Option(metavar="RUN", help="Run id or its beginning, or result folder.")],
    out: Annotated[str, typer.Option(metavar="FILE", help="File to write: .parquet, .csv or .geojson.")],
    results: options.RunLookup = "results",
    weights: options.Weights = None,
    data_dir: options.DataDir = None,
    split: Annotated[str | None, typer.Option(help="Split of a dataset; default: the run's, or its own.")] = None,
    dn_offset: Annotated[
        str, typer.Option(help="Digital numbers: what to subtract, 0 or 1000; auto: what metadata tell.")
    ] = "auto",
    device: options.Device = "auto",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images per batch.")] = None,
    on_error: Annotated[str, typer.Option(help="A tile that cannot be decoded: stop, or skip.")] = "stop",
    accept_pixels: Annotated[
        bool, typer.Option("--accept-pixels", help="Go on with tiles that do not look like Sentinel-2.")
    ] = False,
    offline: options.Offline = False,
) -> None:
    """Classify tiles without labels as a run did: its model, prompts, ensembling and radiometry."""
    from senbench.cli.progress_bar import Bars
    from senbench.evaluation.mapping import answer_files
    from senbench.evaluation.mapping.settled import Where, settled
    from senbench.evaluation.mapping.tile_answers import How, classify
    from senbench.evaluation.mapping.tile_source import TileSource
    from senbench.results.store import locate
    from senbench.runtime.progress import Silent

    options.one_of("--dn-offset", dn_offset, ("auto", "0", "1000"))
    options.one_of("--on-error", on_error, ("stop", "skip"))
    path = answer_files.checked(out)
    run = settled(locate(like, Path(results).expanduser()))
    team = distributed.team()
    tiles = TileSource(source, split, data_dir, dn_offset)
    how = How(batch_size, on_error, accept_pixels)
    with interruptible("what was embedded"):
        progress = Silent() if team.rank else Bars()
        found = classify(run, tiles, Where(weights, device, offline), how, progress, team)
    if found is None:
        return
    written = answer_files.write(found, path)
    say(f"{len(found.ids):,} tiles classified as in {run.result.run_id}", err=True)
    for mark in found.marks:
        say(f"- {mark}", err=True)
    for place in written:
        say(str(place))
