"""`senbench prompts matrix`: prompts by classes on one page."""

from __future__ import annotations

from typing import Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations


def matrix(
    model: options.Models,
    prompts: options.Prompts,
    dataset: options.Dataset = "eurosat",
    out: Annotated[str, typer.Option(help="HTML file to write.")] = "matrix.html",
    split: options.Split = None,
    data_dir: options.DataDir = None,
    weights: options.Weights = None,
    class_names: options.ClassNames = None,
    radiometry: options.Radiometry = None,
    limit: options.Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the subset.")] = 0,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    offline: options.Offline = False,
    no_cache: options.NoCache = False,
) -> None:
    """Write a page of prompts by classes: similarity, contribution, and the tiles a prompt ranks highest."""
    from pathlib import Path

    from senbench.cli.progress_bar import Bars
    from senbench.cli.run import comma_list, specification
    from senbench.errors import UsageError
    from senbench.report.prompt_matrix_page import write
    from senbench.studies.prompt_matrix import measure

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
