"""The shipped model cards, read from TOML: one file per family, nothing imported from torch."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from senbench import registry
from senbench.errors import ContractError
from senbench.paths import PACKAGE
from senbench.spec import ModelCard

if TYPE_CHECKING:
    from pathlib import Path

CARDS = PACKAGE / "models" / "cards"


@cache
def cards() -> dict[str, ModelCard]:
    """All shipped cards by id, in file order.

    Raises:
        ContractError: A card is malformed, or two share a name.
    """
    found: dict[str, ModelCard] = {}
    names: set[str] = set()
    for path in sorted(CARDS.glob("*.toml")):
        for card in read_cards(path):
            for name in (card.id, *card.aliases):
                if name in names:
                    raise ContractError(f"{path.name}: the model name {name!r} is used twice")
                names.add(name)
            found[card.id] = card
    return found


def read_cards(path: Path) -> list[ModelCard]:
    """Cards of one TOML file (tables `[[model]]`).

    Args:
        path: The file.

    Returns:
        Its cards, in order.

    Raises:
        ContractError: The TOML or a card is malformed; the message names file, card and field.
    """
    try:
        tables: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
    except (tomllib.TOMLDecodeError, KeyError, UnicodeDecodeError, OSError) as error:
        raise ContractError(f"card file {path.name} cannot be read: {error}") from error
    found = []
    for table in tables:
        # a TOML table cannot say null: an absent bias means that there is none
        table.setdefault("logit_bias", None)
        try:
            found.append(ModelCard.model_validate(table))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ContractError(f"{path.name}, card {table.get('id', '?')!r}, {where}: {first['msg']}") from error
    return found


def find(name: str, *, offline: bool = False) -> ModelCard:
    """Card by id or alias, case-insensitive.

    Args:
        name: Id or alias.
        offline: Never open a socket.

    Raises:
        UsageError: There is none; the message lists what there is.
    """
    for card in cards().values():
        if name.lower() in (card.id, *card.aliases):
            return card
    raise registry.unknown("model", name, [n for c in cards().values() for n in (c.id, *c.aliases)])
