"""Files that a model needs beside its weights: all here, and known by their hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import UnavailableError
from senbench.models.checkpoints import fetch
from senbench.models.checkpoints.hashes import compare

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.model_card import HubFile, ModelCard


def present(card: ModelCard) -> dict[HubFile, Path]:
    """Companion files of a card and where they are.

    Args:
        card: The model.

    Returns:
        Companion -> its path, in the card's order.

    Raises:
        UnavailableError: One is not here; the message says where it belongs.
    """
    found = {one: fetch.companions(card, one.repo) / one.file for one in card.companions}
    for one, path in found.items():
        if not path.is_file():
            raise UnavailableError(
                f"model {card.id}: {one.file} of {one.repo}, needed beside the weights, is not in {path.parent}; run "
                f"`senbench models fetch {card.id}` or copy it there"
            )
    return found


def hashes(card: ModelCard) -> dict[str, str]:
    """sha256 of every companion file of a card, as results record them; `files.identify` judges them.

    Args:
        card: The model.

    Returns:
        `owner/name/file` -> sha256, hex.

    Raises:
        UnavailableError: One is not here or cannot be read.
    """
    return {f"{one.repo}/{one.file}": compare(path)[1].sha256 for one, path in present(card).items()}
