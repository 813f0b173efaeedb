"""Models of users: card files, and installed packages with the entry point `senbench.models`."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.errors import ContractError, UnavailableError, UsageError, brief
from senbench.models.card_files import read_cards, shipped
from senbench.schema.model_card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUP = "senbench.models"


@dataclass(frozen=True)
class Plugins:
    """The models of installed packages.

    Attributes:
        cards: Model id -> card.
        broken: Entry point -> why it cannot be used, one line.
    """

    cards: dict[str, ModelCard] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@cache
def installed() -> Plugins:
    """Return the cards of every installed package with an entry point of the group `senbench.models`.

    The entry point names a function without arguments that returns the package's cards. One that fails is listed with
    the reason, and does not affect the others or the shipped models.
    """
    plugins = Plugins()
    taken = {name for card in shipped().values() for name in (card.id, *card.aliases)}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            cards = _checked(entry.load()(), taken)
        except (Exception, SystemExit) as error:  # third-party code may raise anything
            package = entry.dist.name if entry.dist is not None else "?"
            why = f"{type(error).__name__}: {brief(error)}"
            plugins.broken[entry.name] = f"package {package}, {entry.value}: {why}"
            continue
        taken.update(name for card in cards for name in (card.id, *card.aliases))
        plugins.cards.update({card.id: card for card in cards})
    return plugins


def from_file(name: str) -> ModelCard:
    """Read the card of a user's TOML file.

    Relative paths of weights, architecture, vocabulary and base are taken from the file's folder.

    Args:
        name: Path of the file.

    Returns:
        Its only card.

    Raises:
        UsageError: The file does not exist, or does not contain exactly one card.
        ContractError: The card is malformed.
    """
    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(f"--model {name}: no such card file")
    cards = read_cards(path)
    if len(cards) != 1:
        raise UsageError(f"--model {name}: {len(cards)} cards in it, expected one; give each model its own file")
    (card,) = cards
    taken = {name for shipped_card in shipped().values() for name in (shipped_card.id, *shipped_card.aliases)}
    if known := taken & {card.id.lower(), *card.aliases}:
        raise ContractError(f"{path.name}: {min(known)!r} is the name of a shipped model; give the card another id")
    folder = path.resolve().parent
    change: dict[str, object] = {}
    if card.weights.path is not None:
        local = str(folder / Path(card.weights.path).expanduser())
        change["weights"] = card.weights.model_copy(update={"path": local})
    if card.architecture.endswith(".json"):
        change["architecture"] = str(folder / Path(card.architecture).expanduser())
    if card.derived_from.endswith(".toml"):
        change["derived_from"] = str(folder / Path(card.derived_from).expanduser())
    if (vocabulary := folder / Path(card.tokenizer).expanduser()).is_file():
        change["tokenizer"] = str(vocabulary)
    return card.model_copy(update=change)


def refuse_broken(name: str) -> None:
    """Raise an error if a name is that of a broken plug-in.

    Raises:
        UnavailableError: The plug-in cannot be used; the message states the reason.
    """
    if name in installed().broken:
        raise UnavailableError(f"plug-in {name} is broken ({installed().broken[name]}); repair or uninstall it")


def _checked(made: Iterable[object], taken: set[str]) -> list[ModelCard]:
    cards: list[ModelCard] = []
    names: set[str] = set()
    for card in made:
        if not isinstance(card, ModelCard):
            raise ContractError(f"it returned {type(card).__name__}, expected senbench.schema.model_card.ModelCard")
        for name in (card.id, *card.aliases):
            if name in taken | names:
                raise ContractError(f"the model name {name!r} is taken")
            names.add(name)
        cards.append(card)
    return cards
