"""Finds models by name: shipped cards, plug-ins, users' card files, and models that open_clip can load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import UsageError
from senbench.models import card_files, entry_points, openclip_hub
from senbench.runtime import lookup
from senbench.schema.model_card import SOURCES

if TYPE_CHECKING:
    from senbench.schema.model_card import ModelCard


def cards() -> dict[str, ModelCard]:
    """Return the shipped cards by id, in file order."""
    return card_files.shipped()


def everything() -> dict[str, ModelCard]:
    """Return the shipped cards and those of installed plug-ins, by id."""
    return {**cards(), **entry_points.installed().cards}


def broken() -> dict[str, str]:
    """Return the broken plug-ins with the reasons, one line each."""
    return entry_points.installed().broken


def find(name: str, *, offline: bool = False) -> ModelCard:
    """Return the card of a model.

    Args:
        name: Id or alias (shipped, or of an installed plug-in), case-insensitive; `FILE.toml`, a user's card;
            `openclip:ARCHITECTURE/TAG`; `hf:OWNER/NAME`, an open_clip model on the hub; or the path of a folder that
            describes its model, or of a file of weights in it, also after `local-dir:` or `hf:`.
        offline: Never open a socket.

    Returns:
        The card.

    Raises:
        UsageError: There is no such model; the message says what was looked for.
        ContractError: The user's card is malformed.
        UnavailableError: A plug-in is broken, or the hub's description of a model cannot be downloaded.
    """
    if name.endswith(".toml"):
        return entry_points.from_file(name)
    if name.startswith(("hf:", "local-dir:")):
        from senbench.models import local_folder

        if (path := local_folder.path_of(name)) is not None:
            return local_folder.describe(name, path, offline=offline)
    if name.startswith(SOURCES):
        return openclip_hub.describe(name, offline=offline)
    if (
        shipped_card := card_files.shipped_as(name)
    ) is not None:  # before plug-ins, whose lookup imports third-party code
        return shipped_card
    for card in everything().values():
        if name.lower() in (card.id.lower(), *card.aliases):
            return card
    entry_points.refuse_broken(name)
    from senbench.models import local_folder

    if (path := local_folder.path_of(name)) is not None:
        return local_folder.describe(name, path, offline=offline)
    names = [n for c in everything().values() for n in (c.id, *c.aliases)]
    raise UsageError(
        f"unknown model {name!r}.{lookup.closest(name, names)} Looked for an id or alias (`senbench models` lists "
        "them) and for a folder of that name; a card FILE.toml, a path, openclip:ARCHITECTURE/TAG and hf:OWNER/NAME "
        "are read too."
    )
