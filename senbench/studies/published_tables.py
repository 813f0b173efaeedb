"""Published tables that can be run here, with their declared settings and a name for every cell."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from senbench.errors import UnavailableError
from senbench.results import published
from senbench.runtime import lookup
from senbench.runtime.paths import shipped
from senbench.schema.record import Record

SEPARATOR = ":"
"""Separator between a recipe and its cell, as in `senclip-table1:eurosat/vit-b-32/ground/avgpool`."""


class Standard(Record):
    """The second configuration of the attribution: the same experiment with the protocol `standard`."""

    dataset: str
    """Dataset id."""
    styles: dict[str, str]
    """Published prompts -> shipped style."""


class Part(Record):
    """The cells of a table that are run with the same settings."""

    part: str
    """Part of the cell's name."""
    published: str
    """Dataset as named in `published.csv`."""
    dataset: str
    """Dataset id."""
    data_mb: float
    """Approximate download of the data."""
    split: str
    """The evaluated split."""
    protocol: str
    """Protocol."""
    class_names: str | None = None
    """Class-name set where the protocol leaves it open."""
    names: tuple[str, ...] = ()
    """Class names in label order, where they are no set of the vocabulary."""
    rows: dict[str, str] = Field(default_factory=dict)
    """What further columns of `published.csv` hold in its rows."""
    tiles: str | None = None
    """The publication's list of tiles that is not shipped; pass it with `--split FILE`."""
    population: int | None = None
    """Number of tiles from which both the publication's list and `split` were drawn."""
    numeric: float
    """Points that versions, devices and half precision may move a figure on the same images."""
    cosine: float = 1e-4
    """Change of a cosine that versions, devices and precision explain."""
    matrix: str = ""
    """Its recorded confusion matrix; empty: none."""
    again: str = ""
    """A second recorded matrix of the same prompts; empty: none."""
    metrics: dict[str, tuple[str, ...]]
    """Published metric -> senbench's metrics."""
    styles: dict[str, str]
    """Published prompts -> style."""
    templates: dict[str, str] = Field(default_factory=dict)
    """Published prompts -> one template; `{}` stands for the class name."""
    standard: Standard
    """The second configuration of the attribution."""
    unlike: tuple[str, ...] = ()
    """Parts of the published protocol that are not known to be equal."""
    quirks: tuple[str, ...] = ()
    """Unexpected details that are reproduced as published."""


class Recipe(Record):
    """One published table."""

    name: str
    """Name on the command line."""
    title: str
    """One-line description."""
    source: str
    """Source as named in `published.csv`."""
    path: str
    """Pattern of the cells' names."""
    also: dict[str, str] = Field(default_factory=dict)
    """Model -> a second card for the same file, which is run too."""
    part: tuple[Part, ...]
    """Its parts."""


class PublishedCell(NamedTuple):
    """One model with one prompt set, and its published figures."""

    name: str
    """Full name."""
    recipe: Recipe
    """The table."""
    part: Part
    """Settings of the run."""
    model: str
    """Model id."""
    prompts: str
    """Prompts as published."""
    rows: tuple[dict[str, str], ...]
    """Rows of `published.csv`, one per metric."""


@cache
def recipes() -> dict[str, Recipe]:
    """Return all recipes by name."""
    raw = tomllib.loads(Path(__file__).with_name("published_tables.toml").read_text(encoding="utf-8"))
    return {recipe.name: recipe for recipe in (Recipe.model_validate(one) for one in raw["recipe"])}


def cells(recipe: Recipe) -> list[PublishedCell]:
    """Return every cell of a table whose model has a card, in the order of the publication."""
    figures = published.read()
    by_name: dict[str, PublishedCell] = {}
    for row in figures.rows:
        model = figures.model_of(row)
        if row["source"] != recipe.source or model is None:
            continue
        for part, one in product((p for p in recipe.part if _of(p, row)), (model, recipe.also.get(model))):
            if one is not None:
                slug = row["model"].lower().removeprefix("senclip-")
                fields = {"part": part.part, "arch": row["arch"].lower(), "prompts": row["prompts"], "model": slug}
                name = f"{recipe.name}{SEPARATOR}{recipe.path.format(**fields, id=one)}"
                before = by_name[name].rows if name in by_name else ()
                by_name[name] = PublishedCell(name, recipe, part, one, row["prompts"], (*before, row))
    return list(by_name.values())


def _of(part: Part, row: dict[str, str]) -> bool:
    """Whether a row of `published.csv` is a figure of a part."""
    stated = {"dataset": part.published, **part.rows}
    known = not part.rows or row["prompts"] in part.styles or row["prompts"] in part.templates
    return known and row["metric"] in part.metrics and all(row[name] == value for name, value in stated.items())


def matrices() -> dict[str, tuple[tuple[int, ...], ...]]:
    """Recorded confusion matrices by name, rows true class, in label order.

    Raises:
        UnavailableError: The file is missing.
    """
    path = shipped("leaderboard") / "recorded_matrices.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnavailableError(f"recorded matrices {path}: {error.strerror}; install senbench again") from error
    return {name: tuple(map(tuple, rows)) for name, rows in held["matrices"].items()}


def of_model(model: str, dataset: str) -> list[PublishedCell]:
    """Every cell of a model on a dataset."""
    return [c for r in recipes().values() for c in cells(r) if (c.model, c.part.dataset) == (model, dataset)]


def select(name: str) -> list[PublishedCell]:
    """Return the cells of a name: a whole table, one cell, or all below a part of its path.

    Raises:
        UsageError: There is no such cell.
    """
    table, _, path = name.partition(SEPARATOR)
    if table not in recipes():
        raise lookup.unknown("table", table, recipes())
    every = cells(recipes()[table])
    full = f"{table}{SEPARATOR}{path}".rstrip("/" + SEPARATOR)
    chosen = [cell for cell in every if not path or cell.name == full or cell.name.startswith(f"{full}/")]
    if not chosen:
        raise lookup.unknown("cell", name, [cell.name for cell in every])
    return chosen
