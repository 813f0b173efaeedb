"""`senbench datasets`: what there is, what it is, and fetching it ahead of a run."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List, describe and fetch data sets.")

Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the data sets."""
    from senbench.datasets.registry import list_datasets

    infos = list_datasets()
    if as_json:
        typer.echo(json.dumps([info.model_dump(mode="json") for info in infos], indent=2))
        return
    rows = [("id", "title", "splits (default first)")]
    for i in infos:
        others = [name for name in i.splits if name != i.default_split]
        rows.append((i.id, i.title, ", ".join([f"{i.default_split} {i.splits[i.default_split]:,}", *others])))
    rows.append(("folder:PATH", "Your own class folders of 8-bit RGB images", "all"))
    widths = [max(len(row[k]) for row in rows) for k in range(2)]
    for row in rows:
        typer.echo(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}")


@app.command()
def info(
    dataset: Annotated[str, typer.Argument(metavar="ID", help="Data set id or folder:PATH.")],
    as_json: Json = False,
) -> None:
    """Describe one data set."""
    from senbench.datasets.registry import dataset_info

    facts = dataset_info(dataset).model_dump(mode="json")
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        text = (
            ", ".join(f"{k} {n:,}" for k, n in value.items())
            if isinstance(value, dict)
            else ", ".join(value)
            if isinstance(value, list)
            else str(value)
        )
        typer.echo(f"{name:<14} {text}")


@app.command()
def fetch(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Data set ids.")],
) -> None:
    """Fetch what data sets need and say where it is."""
    from senbench.datasets.registry import dataset_info, prepare_dataset

    for name in ids:  # a misspelt last name must not be found out after a long fetch
        dataset_info(name)
    for name in ids:
        typer.echo(f"{name}: {prepare_dataset(name)}")
