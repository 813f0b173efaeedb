"""`senbench prompts matrix`: prompts by classes on one page."""

from __future__ import annotations

from typing import Annotated

import typer


def matrix(
    model: Annotated[str, typer.Option(help="Model id, or a comma-separated list.")],
    prompts: Annotated[str, typer.Option(metavar="STYLE|PATH", help="Prompt style, or a .j2 or .json file.")],
    dataset: Annotated[str, typer.Option(help="Dataset id or folder:PATH.")] = "eurosat",
    out: Annotated[str, typer.Option(help="HTML file to write.")] = "matrix.html",
    split: Annotated[str | None, typer.Option(help="Split name, or a file of tile names.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder that holds the data.")] = None,
    weights: Annotated[str | None, typer.Option(help="Local checkpoint file, for a single model.")] = None,
    class_names: Annotated[str | None, typer.Option(help="Class-name set, or a YAML file.")] = None,
    radiometry: Annotated[str | None, typer.Option(help="How DN become 8-bit, or native.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use a class-stratified subset of N tiles.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the subset.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, bf16 or fp16.")] = "float32",
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep embeddings.")] = False,
) -> None:
    """Write a page of prompts by classes: similarity, contribution, and the tiles a prompt ranks highest."""
    from pathlib import Path

    from senbench.cli.progress import Bars
    from senbench.cli.run import comma_list, specification
    from senbench.errors import UsageError
    from senbench.matrix import measure
    from senbench.report.matrix import write

    models = comma_list(model, "--model")
    if weights is not None and len(models) > 1:
        raise UsageError(f"--weights gives one file, but {len(models)} models are asked for")
    spec = specification(
        models=models,
        prompts=(prompts,),
        datasets=(dataset,),
        split=split,
        data_dir=data_dir,
        weights=weights,
        class_names=class_names,
        radiometry=radiometry,
        limit=limit,
        seed=seed,
        device=device,
        dtype=dtype,
        offline=offline,
        cache=not no_cache,
        results=None,
    )
    page = write(measure(spec, Bars()), Path(out).expanduser())
    typer.echo(f"{page}: it shows what labels say of each prompt; a set edited by it is access level 3")
