"""Models from elsewhere: a user's card file, and installed packages with the entry point `senbench.models`."""

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
    """What the installed packages offer.

    Attributes:
        cards: Model id -> card.
        broken: Entry point -> why it cannot be used, one line.
    """

    cards: dict[str, ModelCard] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


@cache
def installed() -> Plugins:
    """Cards of every installed package with an entry point of the group `senbench.models`.

    The entry point names a function without arguments that returns the package's cards. One that fails is
    kept with its reason, and hides neither the others nor the shipped models.
    """
    found = Plugins()
    taken = {name for card in shipped().values() for name in (card.id, *card.aliases)}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            cards = _checked(entry.load()(), taken)
        except (Exception, SystemExit) as error:  # a stranger's code may raise anything
            package = entry.dist.name if entry.dist is not None else "?"
            why = f"{type(error).__name__}: {brief(error)}"
            found.broken[entry.name] = f"package {package}, {entry.value}: {why}"
            continue
        taken.update(name for card in cards for name in (card.id, *card.aliases))
        found.cards.update({card.id: card for card in cards})
    return found


def from_file(name: str) -> ModelCard:
    """The card of a user's TOML file.

    Relative paths of weights, architecture, vocabulary and base are taken from the file's folder.

    Args:
        name: Path of the file.

    Returns:
        Its only card.

    Raises:
        UsageError: No such file, or another number of cards than one.
        ContractError: The card is malformed.
    """
    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(f"--model {name}: no such card file")
    cards = read_cards(path)
    if len(cards) != 1:
        raise UsageError(f"--model {name}: {len(cards)} cards in it, expected one; give each model a file of its own")
    (card,) = cards
    taken = {name for own in shipped().values() for name in (own.id, *own.aliases)}
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
    """Refuse the name of a plug-in that cannot be used.

    Raises:
        UnavailableError: It is one; with the reason.
    """
    if name in installed().broken:
        raise UnavailableError(f"plug-in {name} is broken ({installed().broken[name]}); mend or uninstall it")


def _checked(made: Iterable[object], taken: set[str]) -> list[ModelCard]:
    cards: list[ModelCard] = []
    own: set[str] = set()
    for card in made:
        if not isinstance(card, ModelCard):
            raise ContractError(f"it returned {type(card).__name__}, expected senbench.schema.model_card.ModelCard")
        for name in (card.id, *card.aliases):
            if name in taken | own:
                raise ContractError(f"the model name {name!r} is taken")
            own.add(name)
        cards.append(card)
    return cards
