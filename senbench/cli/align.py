"""`senbench align`: a tile tower aligned with ground-level photos, from pairs to a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from senbench.cli import options
from senbench.cli.terminal import interruptible
from senbench.errors import UsageError
from senbench.runtime import distributed
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.align.row_store import RowStore
    from senbench.align.train import Surroundings
    from senbench.runtime.progress import Progress

app = typer.Typer(no_args_is_help=True, help="Align a tile tower with ground-level photos, as SenCLIP's paper does.")
Manifest = Annotated[Path, typer.Argument(metavar="PAIRS", help="Manifest of pairs, .csv or .parquet.")]
Folder = Annotated[Path, typer.Option("--out", help="Folder to make, or to go on with.")]
Base = Annotated[str, typer.Option("--model", "--base", help="The base: id, alias or card file of plain CLIP.")]
OnError = Annotated[str, typer.Option("--on-error", help="A file that cannot be read: stop, or skip and count it.")]
STORED = "what was made"


@app.callback()
def align(context: typer.Context) -> None:
    """Align a tile tower with ground-level photos, as SenCLIP's paper does."""
    if context.invoked_subcommand != "train" and distributed.team().size > 1:
        raise UsageError(
            "torchrun serves `senbench align train` only: start `senbench align "
            f"{context.invoked_subcommand}` without it"
        )


@app.command()
def pairs(
    lucas: Annotated[Path, typer.Option(help="Folder of LUCAS photos, laid out as in 2018 or 2022.")],
    points: Annotated[Path, typer.Option(help="The survey's table of points, CSV.")],
    tiles: Annotated[Path, typer.Option(help="Folder of tiles whose names hold the point's id.")],
    out: Annotated[Path, typer.Option(help="Manifest to write, .csv or .parquet.")],
) -> None:
    """Write the manifest of a LUCAS survey: each tile with its photos to the north, east, south and west."""
    from senbench.align import lucas as survey
    from senbench.align import pairs as manifest

    found = survey.pairs(lucas, points, tiles, out.parent)
    manifest.write(out, found.rows)
    for what, n in found.counts.items():
        say(f"{n:,} {what}", err=True)
    say(str(out))


@app.command()
def pack(
    manifest: Manifest,
    out: Folder,
    crop: Annotated[int, typer.Option(min=1, help="Side of the centre that is kept, in pixels.")] = 32,
    bands: Annotated[
        str | None, typer.Option(help="Bands in file order, such as B02,B03,B04; default: each file tells.")
    ] = None,
    radiometry: Annotated[str, typer.Option(help="How digital numbers become 8-bit.")] = "minmax-per-image",
    on_error: OnError = "stop",
) -> None:
    """Render the centre of each tile once, as packed 8-bit RGB."""
    from senbench.align import pairs as listed
    from senbench.align import tile_pack

    order = tuple(options.comma_list(bands, "--bands")) if bands is not None else ()
    how = tile_pack.Rendering(crop, order, radiometry)
    skip = _skips(on_error)
    with interruptible(STORED):
        store = tile_pack.pack(listed.read(manifest), out, how, _bars(), skip=skip)
    _told(store, "tiles")


@app.command()
def embed(
    manifest: Manifest,
    out: Folder,
    model: Base = "clip-vit-b-32",
    weights: options.Weights = None,
    device: options.Device = "auto",
    on_error: OnError = "stop",
    offline: options.Offline = False,
) -> None:
    """Embed each photo once with the frozen base."""
    from senbench.align import pairs as listed
    from senbench.align import photo_embeddings
    from senbench.models.registry import find

    skip = _skips(on_error)
    with interruptible(STORED):
        where = _surroundings(weights, device, offline)
        store, encoded = photo_embeddings.embed(
            listed.read(manifest), find(model, offline=offline), out, where, skip=skip
        )
    say(f"{encoded:,} photos encoded now", err=True)
    _told(store, "photos")


@app.command("import-embeddings")
def import_embeddings(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The published dictionary: key -> (1, D).")],
    out: Folder,
) -> None:
    """Keep the authors' published embeddings of LUCAS photos, so that no photo is needed."""
    from senbench.align import published_dictionary

    with interruptible(STORED):
        store = published_dictionary.import_embeddings(file, out, _bars())
    _told(store, "photos")


@app.command()
def train(
    pairs: Annotated[Path, typer.Option("--pairs", help="Manifest of pairs.")],
    tiles: Annotated[Path, typer.Option(help="Folder of `align pack`.")],
    ground: Annotated[Path, typer.Option(help="Folder of `align embed` or `align import-embeddings`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same command goes on with it.")],
    base: Base = "clip-vit-b-32",
    weights: options.Weights = None,
    recipe: Annotated[str, typer.Option(help="senbench, senclip-paper or senclip-release.")] = "senbench",
    pool: Annotated[str | None, typer.Option(help="Photos to one target: avg, att-image or att-dim.")] = None,
    train: Annotated[
        str | None, typer.Option("--train", help="last-block, visual, or prefixes of parameters, comma-separated.")
    ] = None,
    queue: Annotated[int | None, typer.Option(help="Targets kept as negatives.")] = None,
    negatives: Annotated[str | None, typer.Option(help="queue, batch or both.")] = None,
    head: Annotated[bool | None, typer.Option("--head/--no-head", help="Projection head while training.")] = None,
    views: Annotated[int | None, typer.Option(help="Photos used of each tile, the first of them.")] = None,
    batch: Annotated[int | None, typer.Option(help="Tiles of a step.")] = None,
    micro_batches: Annotated[
        int | None, typer.Option(help="Parts of a batch; a multiple of the processes of torchrun.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the tiles.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of AdamW.")] = None,
    augmentation: Annotated[str | None, typer.Option(help="flips, randaugment or none.")] = None,
    crop: Annotated[int | None, typer.Option(help="Side of the centre that is shown, in pixels.")] = None,
    hold_out: Annotated[
        str | None, typer.Option(help="spatial:SHARE, random:SHARE, split (the manifest's) or none.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32 or bf16.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of order, augmentation and first values.")] = None,
    probe: Annotated[str | None, typer.Option(help="Dataset on which each epoch is evaluated zero-shot.")] = None,
    probe_prompts: Annotated[str, typer.Option(help="Prompts of the probe.")] = "ground",
    data_dir: options.DataDir = None,
    device: options.Device = "auto",
    offline: options.Offline = False,
) -> None:
    """Align the tile tower; a run that was ended goes on where it was, to the same bits."""
    from senbench.align import stored_set
    from senbench.align.train import train as aligned
    from senbench.align.zero_shot_probe import Probe

    given = {
        "pool": pool,
        "train": None if train is None else options.comma_list(train, "--train"),
        "queue": queue,
        "negatives": negatives,
        "head": head,
        "views": views,
        "batch": batch,
        "micro_batches": micro_batches,
        "epochs": epochs,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "augmentation": augmentation,
        "crop": crop,
        "hold_out": hold_out,
        "dtype": dtype,
        "seed": seed,
    }
    wanted = None if probe is None else Probe(probe, probe_prompts, data_dir)
    where = _surroundings(weights, device, offline, probe=wanted)
    data, notes = stored_set.assemble(pairs, tiles, ground)
    for note in notes:
        where.progress.say(note)
    with interruptible("the last state that was kept"):
        done = aligned(
            data, base, out, recipe, where, **{name: value for name, value in given.items() if value is not None}
        )
    if where.team.rank == 0:
        say(f"state {done.state_sha256}", err=True)
        say(f"{out}: `senbench align export {out} --base {base} --out FILE.safetensors` writes the model", err=True)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of `align train`.")],
    out: Annotated[Path, typer.Option(help="File to write, .safetensors; the card lies beside it.")],
    base: Base = "clip-vit-b-32",
    weights: options.Weights = None,
    against: Annotated[
        str | None,
        typer.Option(help="Datasets with positions; the card says how near the training points come to their tiles."),
    ] = None,
    data_dir: options.DataDir = None,
    offline: options.Offline = False,
) -> None:
    """Write the aligned model in the layout of its base's release, and a card."""
    from senbench.align import exported_model
    from senbench.datasets.open import open_dataset

    names = () if against is None else options.comma_list(against, "--against")
    opened = [open_dataset(name, split=None, data_dir=data_dir, offline=offline) for name in names]
    made = exported_model.export(run, out, base, _surroundings(weights, "cpu", offline), opened)
    say(f"{made.weights}: {made.trained:,} tensors of the trained part, {made.frozen:,} are the base's", err=True)
    say(f"{made.card}: `senbench run --model {made.card} ...` evaluates it, `senbench models verify` checks it")


def _bars() -> Progress:
    from senbench.cli.progress_bar import Bars
    from senbench.runtime.progress import Silent

    return Silent() if distributed.team().rank else Bars()


def _surroundings(weights: str | None, device: str, offline: bool, **more: Any) -> Surroundings:
    from senbench.align.train import Surroundings
    from senbench.runtime.access import Access

    access = Access(offline=offline, weights=weights, device=device)
    return Surroundings(access=access, team=distributed.team(), progress=_bars(), **more)


def _skips(on_error: str) -> bool:
    if on_error not in ("stop", "skip"):
        raise UsageError(f"--on-error {on_error}: it is stop or skip")
    return on_error == "skip"


def _told(store: RowStore, what: str) -> None:
    left_out = len(store.index["left_out"])
    say(f"{store.folder}: {store.shape[0] - left_out:,} {what}" + f", {left_out:,} left out" * bool(left_out))
