"""`senbench bench`: measures how fast this machine is, and what limits it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.errors import UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.models.adapter import Adapter
    from senbench.schema.terms import KernelChoice
    from senbench.studies.durations import Pace
    from senbench.studies.throughput import Bench

TILES = (1_000, 27_000, 100_000)
"""Numbers of tiles whose time is told."""


def bench(
    model: Annotated[str | None, typer.Option(help="Model id, card file, openclip:... or hf:...")] = None,
    dataset: options.Dataset = "demo",
    split: Annotated[str | None, typer.Option(help="Split name.")] = None,
    data_dir: options.DataDir = None,
    weights: options.Weights = None,
    device: options.Device = "auto",
    dtype: Annotated[Literal["float32", "bf16", "fp16"], typer.Option(help="Precision of the encoders.")] = "float32",
    tiles: Annotated[int, typer.Option(min=1, help="Tiles of each pass.")] = 256,
    repeats: Annotated[int, typer.Option(min=1, help="Measured passes, after one that warms up.")] = 3,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Append the figures to this file, by machine.")
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="How long runs take here, by model: drawn weights, nothing is fetched.")
    ] = False,
) -> None:
    """Measure decoding, transfer, preprocessing, encoding and texts, against the bare forward pass and other tools."""
    from senbench.cli.progress_bar import Bars
    from senbench.models.load import load
    from senbench.studies.throughput import append, measure

    draw = Bars()
    if table:
        if model is not None or weights is not None or json_file is not None:
            raise UsageError("--table measures its own models: leave out --model, --weights and --json")
        from senbench.studies import durations

        say(
            durations_table(
                durations.measure(dataset, data_dir=data_dir, split=split, device=device, dtype=dtype, draw=draw)
            )
        )
        return
    if model is None:
        raise UsageError("give --model, or --table for the models of each size")

    def loaded(kernels: KernelChoice) -> Adapter:
        draw.say(f"loading {model}" + (" with torch's kernels, for other tools" if kernels == "torch" else ""))
        return load(model, file=weights, device=device, dtype=dtype, kernels=kernels)

    measured = measure(loaded, dataset, n=tiles, repeats=repeats, data_dir=data_dir, split=split, draw=draw)
    say(text(measured))
    if json_file is not None:
        append(measured, Path(json_file).expanduser())
        say(f"added to {json_file} under machine {measured.machine}", err=True)


def text(speed: Bench) -> str:
    """Return the figures as text."""
    where = speed.environment
    lines = [
        f"{speed.model} on {speed.dataset}, {speed.tiles:,} tiles, {speed.repeats} repeats, batch {speed.batch_size}, "
        f"{where['dtype']}, {where['device_name']}, {where['threads']} threads"
    ]
    for name, rate in speed.rates.items():
        what = "texts/s" if name == "text" else "tiles/s"
        told = "-" if rate is None else f"{rate.median:,.1f} {what}  ({rate.low:,.1f} to {rate.high:,.1f})"
        where_done = f", on the {speed.resized_on}" if name == "preprocess" else ""
        lines.append(f"  {name:<22} {told}{where_done}")
    device = "" if speed.device_mb is None else f", on the device {speed.device_mb:,.0f} MB"
    if (whole := speed.rates.get("end to end")) is not None:
        told = ", ".join(f"{n:,} in {_duration(n / whole.median)}" for n in TILES)
        lines.append(f"  tiles, without the seconds of start-up: {told}")
    lines.append(f"  peak memory above imports {speed.host_mb:,.0f} MB{device}")
    lines.append(f"limited by {speed.limit}: end to end {100 * speed.share:.0f} % of the bare forward rate")
    lines += [f"{ratio:.2f} times the rate of {name}, same files" for name, ratio in speed.ratios.items()]
    lines += [f"{name}: not measured, {why}" for name, why in speed.left_out.items()]
    return "\n".join(lines)


def durations_table(paces: Sequence[Pace]) -> str:
    """How long tiles take by model, as a table in Markdown."""
    lines = [
        "| model | tiles/s | " + " | ".join(f"{n:,} tiles" for n in TILES) + " |",
        "|---|" + "---|" * (len(TILES) + 1),
    ]
    for pace in paces:
        told = " | ".join(_duration(n / pace.rate) for n in TILES)
        lines.append(f"| {pace.model}, {pace.dtype}, {pace.kernels} | {pace.rate:,.1f} | {told} |")
    return "\n".join([*lines, "image stage, nothing kept, without the seconds of start-up"])


def _duration(seconds: float) -> str:
    """Format a duration to two digits."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.2g} {unit}" if seconds < 100 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.2g} s"
