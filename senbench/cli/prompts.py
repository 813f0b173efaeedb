"""`senbench prompts`: list the shipped styles, show what a style or file renders."""

from __future__ import annotations

from typing import Annotated

import typer

from senbench.cli import prompts_matrix, prompts_select, prompts_sensitivity

app = typer.Typer(help="Prompt styles: list them, show what they render.", no_args_is_help=True)
app.command("select")(prompts_select.select)
app.command("matrix")(prompts_matrix.matrix)
app.command("sensitivity")(prompts_sensitivity.sensitivity)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the shipped prompt styles."""
    import json
    from dataclasses import asdict

    from senbench.prompting import list_styles

    styles = list_styles()
    if as_json:
        typer.echo(json.dumps([asdict(style) for style in styles], indent=2))
        return
    typer.echo(f"{'style':<10}{'file':<16}{'prompts per class':<20}first, for EuroSAT")
    for style in styles:
        typer.echo(f"{style.style:<10}{style.file:<16}{style.prompts_per_class:<20}{style.first}")


@app.command()
def show(
    source: Annotated[str, typer.Argument(metavar="STYLE|PATH", help="A style, or a .j2 or .json file.")],
    dataset: Annotated[str, typer.Option(help="Dataset whose classes are rendered.")] = "eurosat",
    only: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Only this class (its key or a name).")
    ] = None,
    class_names: Annotated[
        str | None, typer.Option(metavar="SET|FILE", help="Class-name set, or a YAML file with the classes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show every prompt that a style or a file renders for a dataset, by class."""
    import json

    from senbench.datasets.registry import dataset_info
    from senbench.prompting import load_prompts, vocabulary_for
    from senbench.prompting.vocabulary import find_class

    info = dataset_info(dataset)
    vocabulary, names = vocabulary_for(info, class_names)
    prompts = load_prompts(source, info, vocabulary, names)
    keys = [find_class(vocabulary, only)] if only else list(prompts.texts)
    texts = {key: prompts.texts[key] for key in keys}
    if as_json:
        record = prompts.model_dump(mode="json") | {"dataset": info.id, "n": prompts.n, "texts": texts}
        typer.echo(json.dumps(record, indent=2))
        return
    typer.echo(
        f"{prompts.id}: style {prompts.style}, {prompts.n} prompts for {len(prompts.texts)} classes of"
        f" {info.id}, class names {prompts.class_names}, hash {prompts.hash}"
    )
    names_of = dict(zip(prompts.texts, prompts.names, strict=True))
    for key, lines in texts.items():
        typer.echo(f"\n{key} ({names_of[key]}), {len(lines)} prompts")
        for line in lines:
            typer.echo(f"  {line}")
