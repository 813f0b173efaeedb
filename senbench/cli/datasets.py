"""`senbench datasets`: lists, describes, downloads and packs datasets."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import interruptible, print_aligned, print_json
from senbench.errors import UsageError
from senbench.runtime.printing import say

app = typer.Typer(no_args_is_help=True, help="List, describe, fetch and pack datasets.")


@app.command("list")
def list_(as_json: options.Json = False) -> None:
    """List the datasets."""
    from senbench.datasets.open import list_datasets

    infos = list_datasets()
    if as_json:
        print_json(infos, indent=2)
        return
    rows = [("id", "title", "splits (default first)")]
    for i in infos:
        others = [name for name in i.splits if name != i.default_split]
        rows.append((i.id, i.title, ", ".join([f"{i.default_split} {i.splits[i.default_split]:,}", *others])))
    own = (
        ("folder:PATH", "Your own class folders of images or GeoTIFFs", "all"),
        ("hf:OWNER/NAME", "An image classification dataset of the hub", "as it has them"),
        ("torchgeo:CLASS", "A classification dataset of TorchGeo, by its class", "as the class has them"),
        ("table:FILE", "Your own tiles, a row each in a CSV or Parquet file", "test or all, as its column split says"),
    )
    print_aligned([*rows, *own])


@app.command()
def info(
    dataset: Annotated[
        str, typer.Argument(metavar="ID", help="Dataset id, folder:PATH, table:FILE, torchgeo:CLASS or hf:OWNER/NAME.")
    ],
    as_json: options.Json = False,
) -> None:
    """Describe one dataset."""
    from senbench.datasets.open import dataset_info

    facts = dataset_info(dataset).model_dump(mode="json")
    if as_json:
        print_json(facts, indent=2)
        return
    for name, value in facts.items():
        text = (
            ", ".join(f"{k} {n:,}" for k, n in value.items())
            if isinstance(value, dict)
            else ("; " if any("," in item for item in value) else ", ").join(value)
            if isinstance(value, list)
            else str(value)
        )
        say(f"{name:<14} {text}")


@app.command()
def fetch(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Dataset ids.")]) -> None:
    """Download the files of datasets and print their paths."""
    from senbench.datasets.open import dataset_info, prepare_dataset

    for name in ids:  # so that a misspelt last name is reported before a long download
        dataset_info(name)
    for name in ids:
        say(f"{name}: {prepare_dataset(name)}")


@app.command()
def pack(
    dataset: Annotated[
        str, typer.Argument(metavar="ID", help="Dataset id, folder:PATH, table:FILE, torchgeo:CLASS or hf:OWNER/NAME.")
    ],
    split: Annotated[str | None, typer.Option(help="Split, or file of tile names; default: the dataset's.")] = None,
    data_dir: options.DataDir = None,
    radiometry: Annotated[str | None, typer.Option(help="Rendering to 8-bit RGB; default: the dataset's.")] = None,
    dn_offset: Annotated[str, typer.Option(help="Own folder of DN: what to subtract, 0, 1000 or auto.")] = "auto",
    bands: Annotated[str | None, typer.Option(help="Pack digital numbers of these bands, commas between.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the store; default: where runs find it.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes; default: one per CPU.")] = None,
    on_error: Annotated[str, typer.Option(help="At a damaged tile: stop, or skip it.")] = "stop",
    verify: Annotated[bool, typer.Option("--verify", help="Check every byte of the stores there are.")] = False,
) -> None:
    """Decode a dataset once into a store from which runs read; resumes after an interruption."""
    from senbench.cli.progress_bar import Bars
    from senbench.datasets.open import open_source
    from senbench.datasets.packed import write as packing

    progress = Bars()
    if verify:
        for store in packing.verify(dataset, out, progress):
            say(f"{dataset}: {store.folder} ({len(store):,} tiles, sound)")
        return
    if bands is not None and radiometry is not None:
        raise UsageError(f"--bands packs digital numbers as they are: leave --radiometry {radiometry} out")
    names = None if bands is None else tuple(part.strip() for part in bands.split(",") if part.strip())
    if dn_offset not in ("auto", "0", "1000"):
        raise UsageError(f"--dn-offset {dn_offset}: use 0, 1000 or auto")
    tiles = open_source(dataset, split=split, data_dir=data_dir, radiometry=radiometry, dn_offset=dn_offset)
    task = packing.job(tiles, names, on_error)
    with interruptible("what was packed"):
        folder, new = packing.pack(task, out, processes=jobs, progress=progress)
    say(f"{dataset}: {folder} ({len(task.tiles.ids):,} tiles, {'packed' if new else 'there already'})")
