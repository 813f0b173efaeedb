"""`senbench prompts`: lists the shipped styles, shows rendered prompts, and downloads published ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, Any

import typer

from senbench.cli import (
    options,
    prompts_draft,
    prompts_lint,
    prompts_matrix,
    prompts_select,
    prompts_sensitivity,
    prompts_try,
)
from senbench.cli.terminal import interruptible, print_aligned, print_json
from senbench.runtime.printing import printable, say

if TYPE_CHECKING:
    from senbench.schema.prompt_set import PromptSet

app = typer.Typer(
    help="Prompt styles: list, show, fetch, lint, try, draft, select and probe them.", no_args_is_help=True
)
app.command("lint")(prompts_lint.lint)
app.command("draft")(prompts_draft.draft)
app.command("adopt")(prompts_draft.adopt)
app.command("try")(prompts_try.try_)
app.command("select")(prompts_select.select)
app.command("matrix")(prompts_matrix.matrix)
app.command("sensitivity")(prompts_sensitivity.sensitivity)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FIRST = 72
"""Number of characters of a style's first prompt shown in the list."""


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the shipped prompt styles, and since when each is frozen."""
    from senbench.prompts import list_styles, published_sets
    from senbench.prompts.senclip_release import COMMAND, STYLES, folder

    styles = list_styles()
    if as_json:
        print_json(styles, indent=2)
        return
    rows = [("style", "version", "frozen", "per class", "first prompt, for EuroSAT")]
    for style in styles:
        version = str(style.version) if style.version is not None else "-"
        first = style.first if len(style.first) <= FIRST else f"{style.first[: FIRST - 3]}..."
        rows.append((style.style, version, style.frozen or "no", str(style.prompts_per_class), first))
    print_aligned(rows)
    here = f"in {folder()}" if folder().is_dir() else f"after `{COMMAND}`"
    say(f"\n{', '.join(STYLES)}: SenCLIP's own files, {here}")
    for name, about in published_sets.SETS.items():
        here = (
            f"in {published_sets.folder(name)}"
            if published_sets.folder(name).is_dir()
            else f"after `{published_sets.command(name)}`"
        )
        say(f"{', '.join(about.files)}: {about.title}, for {about.classes}, {here}")


@app.command()
def show(
    source: Annotated[str, typer.Argument(metavar="STYLE|PATH", help="A style, or a .j2 or .json file.")],
    dataset: Annotated[str, typer.Option(help="Dataset whose classes are rendered.")] = "eurosat",
    only: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Only this class (its key or a name).")
    ] = None,
    class_names: options.ClassNames = None,
    model: Annotated[
        str | None, typer.Option(metavar="ID", help="Count tokens as this model does; without it as CLIP does.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show all prompts that a style or file renders for a dataset, by class, with their numbers of tokens."""
    from senbench.datasets.open import dataset_info
    from senbench.prompts import load_prompts, vocabulary_for
    from senbench.prompts.vocabulary import find_class

    info = dataset_info(dataset)
    vocabulary, names = vocabulary_for(info, class_names)
    prompts = load_prompts(source, info, vocabulary, names)
    tokens = _tokens(prompts, model)
    keys = [find_class(vocabulary, only)] if only else list(prompts.texts)
    if as_json:
        record = prompts.model_dump(mode="json") | {"dataset": info.id, "n": prompts.n}
        texts = {"texts": {key: prompts.texts[key] for key in keys}, "tokens": tokens.record(keys)}
        print_json(record | texts, indent=2)
        return
    version = f", version {prompts.version}" if prompts.version is not None else ""
    lines = [
        f"{prompts.id}: style {prompts.style}{version}, {prompts.n} prompts for {len(prompts.texts)} classes of"
        f" {info.id}, class names {prompts.class_names}, hash {prompts.hash}",
        tokens.summary(),
    ]
    names_of = dict(zip(prompts.texts, prompts.names, strict=True))
    for key in keys:
        lines += ["", f"{key} ({names_of[key]}), {len(prompts.texts[key])} prompts"]
        for text, count in zip_longest(prompts.texts[key], tokens.counts.get(key, ())):
            cut = "  (cut)" if count is not None and count > tokens.limit else ""
            lines.append(f"{'-' if count is None else count:>4}  {text}{cut}")
    typer.echo(printable("\n".join(lines)).encode())  # bytes: the same in every locale


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="SET", help="senclip, cupl, mpvr, dclip or waffle.")],
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; say what is missing.")] = False,
) -> None:
    """Download published prompt files, which are not shipped; print their paths and style names."""
    from senbench.prompts import published_sets, senclip_release
    from senbench.runtime.lookup import unknown

    if name not in (known := ["senclip", *published_sets.SETS]):
        raise unknown("prompt set to fetch", name, known)
    with interruptible("what arrived"):
        if name == "senclip":
            files = [(path, senclip_release.SHA256[path.name]) for path in senclip_release.fetch(offline=offline)]
            styles, classes = list(senclip_release.STYLES), "EuroSAT, BigEarthNet"
        else:
            files = published_sets.fetch(name, offline=offline)
            styles, classes = list(published_sets.SETS[name].files), published_sets.SETS[name].classes
    for path, sha256 in files:
        say(f"{path}  sha256 {sha256}")
    say(f"use: --prompts {','.join(styles)} ({classes})", err=True)


@dataclass(frozen=True)
class _Tokens:
    """Number of tokens of every prompt by one tokenizer, or why it is unknown."""

    model: str | None
    limit: int
    counts: dict[str, list[int]] = field(default_factory=dict)
    problem: str | None = None

    def extent(self) -> dict[str, int]:
        every = [count for counts in self.counts.values() for count in counts]
        return {"max": max(every), "cut": sum(count > self.limit for count in every)}

    def summary(self) -> str:
        if self.problem is not None:
            return f"tokens not counted: {self.problem}"
        most, cut = self.extent().values()
        whose = f"the tokenizer of {self.model}" if self.model else "CLIP's tokenizer"
        return f"tokens by {whose}: at most {most} of {self.limit}, {cut or 'no'} prompt{'s' * (cut != 1)} cut"

    def record(self, keys: list[str]) -> dict[str, Any]:
        head = {"model": self.model, "limit": self.limit}
        if self.problem is not None:
            return head | {"problem": self.problem}
        return head | self.extent() | {"counts": {key: self.counts[key] for key in keys}}


def _tokens(prompts: PromptSet, model: str | None) -> _Tokens:
    """Count tokens; CLIP's tokenizer needs no model, so that nothing is imported for it."""
    from senbench.errors import UnavailableError
    from senbench.models.clip import bpe

    if model is None:
        return _Tokens(None, bpe.CONTEXT, {key: bpe.counts(list(texts), None) for key, texts in prompts.texts.items()})
    from senbench.models import tokenizers
    from senbench.models.registry import find

    card = find(model)
    try:
        count = tokenizers.counter(card)
        return _Tokens(card.id, card.context_length, {key: count(texts) for key, texts in prompts.texts.items()})
    except UnavailableError as error:
        return _Tokens(card.id, card.context_length, problem=str(error))
