"""`senbench map`: what a run settled, applied to a whole scene."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from senbench.cli import options
from senbench.cli.terminal import interruptible
from senbench.runtime import distributed
from senbench.runtime.printing import say


def map(
    scene: Annotated[
        str, typer.Argument(metavar="SCENE", help="GeoTIFF, COG, VRT, folder of band files, or .SAFE product.")
    ],
    like: Annotated[str, typer.Option(metavar="RUN", help="Run id or its beginning, or result folder.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder to make.")],
    results: options.RunLookup = "results",
    stride: Annotated[
        float | None, typer.Option(metavar="METRES", help="Between two windows; default: their side.")
    ] = None,
    window: Annotated[
        int | None, typer.Option(metavar="PIXELS", min=1, help="Side of a window; default: that of the run's tiles.")
    ] = None,
    truth: Annotated[str | None, typer.Option(metavar="RASTER", help="Land-cover map to hold it against.")] = None,
    truth_classes: Annotated[
        str | None, typer.Option(metavar="TABLE", help="CSV with columns value and class, of that map.")
    ] = None,
    weights: options.Weights = None,
    dn_offset: Annotated[
        str, typer.Option(help="Digital numbers: what to subtract, 0 or 1000; auto: what metadata tell.")
    ] = "auto",
    device: options.Device = "auto",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images per batch.")] = None,
    accept_pixels: Annotated[
        bool, typer.Option("--accept-pixels", help="Go on with pixels that do not look like Sentinel-2.")
    ] = False,
    offline: options.Offline = False,
) -> None:
    """Map a scene as a run classified its tiles: one class, or its labels, for every window."""
    from senbench.cli.progress_bar import Bars
    from senbench.evaluation.mapping.map_scene import MapJob, map_scene
    from senbench.evaluation.mapping.settled import Where, settled
    from senbench.evaluation.mapping.tile_answers import How
    from senbench.report import map_page
    from senbench.results.store import locate
    from senbench.runtime.progress import Silent

    options.one_of("--dn-offset", dn_offset, ("auto", "0", "1000"))
    job = MapJob(scene, out, dn_offset, window, stride, truth, truth_classes)
    job.checked_out()
    run = settled(locate(like, Path(results).expanduser()))
    team = distributed.team()
    with interruptible("the windows that were classified"):
        progress = Silent() if team.rank else Bars()
        how = How(batch_size, accept_pixels=accept_pixels)
        found = map_scene(run, job, Where(weights, device, offline), how, progress, map_page.render, team)
    if found is None:
        return
    for mark in found.marks:
        say(f"- {mark}", err=True)
    told = ", ".join(f"{n:,} {name}" for name, n in found.windows.items())
    say(f"windows of {found.window_pixels * found.pixel_m:g} m: {told}", err=True)
    for one in sorted(found.classes, key=lambda one: -one.cells):
        if one.share:
            say(f"{100 * one.share:5.1f} %  {one.name}", err=True)
    if (held := found.truth) is not None and held.agreement.value is not None:
        ci = held.agreement.ci
        ends = "" if ci is None else f" [{100 * ci[0]:.1f}, {100 * ci[1]:.1f}]"
        say(f"{100 * held.agreement.value:.1f} %{ends} of {held.cells:,} cells agree with {held.source}", err=True)
    say(str(Path(out) / "index.html"))
