"""`senbench prompts select`: selects prompts without using the evaluated images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from senbench.cli import options
from senbench.errors import UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.run_spec import RunSpec


@options.takes_run_spec(
    "model prompts k out by dataset split evaluated on_evaluated min_distance drop_near data_dir weights class_names "
    "radiometry limit seed device dtype accept_pixels offline no_cache",
    model={"help": "Model that judges the prompts: an id, card file, openclip:... or hf:..."},
    prompts={"help": "Prompts to choose from: a style, or a .j2 or .json file.", "metavar": None},
    dataset={"default": "eurosat-spatial"},
    split={"help": "Tiles to select on: a split, or a file of tile names; default: the train split."},
    limit={"help": "Select on N tiles, drawn at random."},
    seed={"help": "Seed of that draw."},
)
def select(
    spec: RunSpec,
    k: Annotated[int, typer.Option("--k", min=1, help="Prompts to keep of each class.")],
    out: Annotated[str, typer.Option(help="Pack to write, .json: what `run --prompts` takes.")],
    by: Annotated[
        str, typer.Option(help="mean, tfidf, hhi or redundancy, which need no labels; or labels (level 3).")
    ] = "hhi",
    evaluated: Annotated[
        str | None,
        typer.Option("--for", metavar="SPLIT", help="Split that will be evaluated; default: the test split."),
    ] = None,
    on_evaluated: Annotated[
        bool,
        typer.Option("--on-evaluated", help="Select on the evaluated images, or without proof of distance: level 2."),
    ] = False,
    min_distance: Annotated[float, typer.Option(help="Least distance between the two splits, km.")] = 5.0,
    drop_near: Annotated[
        bool, typer.Option("--drop-near", help="Leave out tiles that are nearer instead of failing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The pack as JSON on stdout.")] = False,
) -> None:
    """Select K prompts of each class on tiles that are spatially apart from those that will be evaluated."""
    from senbench.cli.progress_bar import Bars
    from senbench.studies.prompt_selection import Selection, select_prompts

    pack, (dataset,) = check_out(out, "--out"), spec.datasets
    wanted = Selection(k, by, evaluated, on_evaluated=on_evaluated, least_km=min_distance, drop_near=drop_near)
    chosen = select_prompts(spec, wanted, Bars())
    written = write_pack(pack, chosen, dataset, "--out")
    if as_json:
        say(written, nl=False)
    _tell(chosen, out, err=as_json)


def check_out(name: str, option: str) -> Path:
    """Check the path of a pack to write: the suffix that `run` expects, in an existing folder.

    Raises:
        UsageError: The suffix is wrong, or the folder does not exist.
    """
    path = Path(name).expanduser()
    if path.suffix != ".json":
        raise UsageError(f"{option} {name}: a pack's name ends in .json")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {name}: its folder does not exist; make it first")
    return path


def write_pack(path: Path, prompts: PromptSet, dataset: str, option: str) -> str:
    """Write a pack atomically and return its text; `option` is named in errors.

    Raises:
        UnavailableError: The file cannot be written.
    """
    import json

    from senbench.prompts.packs import as_json
    from senbench.results.store import write_text

    text = json.dumps(as_json(prompts, dataset), indent=1, ensure_ascii=False) + "\n"
    write_text(path, text, option)
    return text


def _tell(chosen: PromptSet, out: str, *, err: bool) -> None:
    about: dict[str, Any] = chosen.provenance
    used, source = about["selected_on"], about["source"]
    lines = [line for key, texts in chosen.texts.items() for line in ("", key, *(f"  {text}" for text in texts))]
    lines += [
        f"\n{about['k']} of {source['n'] / len(chosen.texts):.0f} prompts per class of {source['id']} by "
        f"{about['score']}, on {used['n']:,} tiles of {used['dataset']} {used['split']} with {about['model']['id']}"
    ]
    held = about["held_out"]
    apart = f"distance to {held['dataset']} {held['split']}: " if held else ""
    dropped = about.get("left_out_near")
    apart += about["distance"] + (f" ({dropped:,} nearer tiles left out)" if dropped else "")
    level = f"access level {chosen.access_level}; {out} is what `senbench run --prompts {out}` takes"
    say("\n".join([*lines, apart, level]), err=err)
