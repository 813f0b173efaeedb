"""The models by name: shipped cards, plug-ins, a user's card files, and whatever open_clip can load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench import registry
from senbench.models import cardfiles, dynamic, plugins
from senbench.spec import SOURCES

if TYPE_CHECKING:
    from senbench.spec import ModelCard


def cards() -> dict[str, ModelCard]:
    """The shipped cards by id, in file order."""
    return cardfiles.shipped()


def everything() -> dict[str, ModelCard]:
    """Shipped cards and those of installed plug-ins, by id."""
    return {**cards(), **plugins.installed().cards}


def broken() -> dict[str, str]:
    """Plug-ins that cannot be used -> why, one line each."""
    return plugins.installed().broken


def find(name: str, *, offline: bool = False) -> ModelCard:
    """Card of a model.

    Args:
        name: Id or alias (shipped, or of an installed plug-in), case-insensitive; `FILE.toml`, a user's card;
            `openclip:ARCHITECTURE/TAG`; or `hf:OWNER/NAME`, an open_clip model on the hub.
        offline: Never open a socket.

    Returns:
        The card.

    Raises:
        UsageError: There is none; the message lists what there is.
        ContractError: The user's card is malformed.
        UnavailableError: A broken plug-in, or the hub's description of a model cannot be fetched.
    """
    if name.endswith(".toml"):
        return plugins.from_file(name)
    if name.startswith(SOURCES):
        return dynamic.describe(name, offline=offline)
    if (own := cardfiles.shipped_as(name)) is not None:  # before plug-ins: looking at those imports strangers' code
        return own
    for card in everything().values():
        if name.lower() in (card.id.lower(), *card.aliases):
            return card
    plugins.refuse_broken(name)
    names = [n for c in everything().values() for n in (c.id, *c.aliases)]
    raise registry.unknown("model", name, names)
