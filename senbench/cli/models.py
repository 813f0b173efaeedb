"""`senbench models`: the zoo and its contracts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

app = typer.Typer(help="The models and their contracts.", invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def models(context: typer.Context) -> None:
    """List the models, or show one contract."""
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Cards as JSON on stdout.")] = False,
) -> None:
    """List the models."""
    from senbench.models.zoo import cards

    found = list(cards().values())
    if as_json:
        typer.echo(json.dumps([card.model_dump(mode="json") for card in found], ensure_ascii=False))
        return
    rows = [("id", "architecture", "activation", "licence", "aliases", "")]
    for card in found:
        mark = "synthetic" if card.synthetic else "" if card.verified else "unverified"
        rows.append((card.id, card.architecture, card.activation, card.licence, ", ".join(card.aliases), mark))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if any(not card.verified and not card.synthetic for card in found):
        typer.echo("unverified: nobody with the released file has verified the card yet; `senbench models show ID`")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Model id or alias.")],
    as_json: Annotated[bool, typer.Option("--json", help="The card as JSON on stdout.")] = False,
) -> None:
    """Print the contract of a model."""
    from senbench.models.weights import manifest
    from senbench.models.zoo import find

    card = find(name)
    if as_json:
        typer.echo(json.dumps(card.model_dump(mode="json"), ensure_ascii=False))
        return
    for field, value in card.model_dump(mode="json").items():
        if isinstance(value, dict):
            for inner, deep in value.items():
                typer.echo(f"{field + '.' + inner:26}{_text(deep)}")
        else:
            typer.echo(f"{field:26}{_text(value)}")
    layout = manifest(card.layout)
    typer.echo(f"{'layout.keys':26}{len(layout['keys'])} (source: {layout['source']})")


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(repr(v) if v == "" else str(v) for v in value) or "-"
    return "-" if value in (None, "") else str(value)
