"""Pairs the bands of a model and a dataset by name, never by position, before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from senbench.datasets.radiometry import DIGITAL, POLICIES, UNDECIDED
from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.blocks import DatasetBlock
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.model_card import ModelCard

RGB = ("B04", "B03", "B02")
"""Bands of 8-bit tiles, in their order."""


class Pairing(NamedTuple):
    """The bands of a dataset that a model gets."""

    bands: tuple[str, ...]
    """Band names in the model's order."""
    native: bool
    """Whether digital numbers are passed unchanged; otherwise 8-bit values, rendered by a radiometry if necessary."""


def pair(card: ModelCard | None, info: DatasetInfo, radiometry: str | None = None) -> Pairing:
    """Pair the bands that a model needs with those of a dataset.

    Args:
        card: The model; None for a user's object, which takes 8-bit RGB.
        info: The dataset.
        radiometry: `--radiometry` as passed.

    Returns:
        The bands that the model gets, and whether as digital numbers.

    Raises:
        UsageError: Model and dataset are incompatible; the message names the missing bands.
    """
    if card is None or card.unit == "uint8":
        return _rendered(card, info, radiometry)
    wants = f"model {card.id} takes digital numbers (DN) of {', '.join(card.bands)}"
    if radiometry not in (None, DIGITAL):
        raise UsageError(
            f"--radiometry {radiometry} renders 8-bit RGB, but {wants}: leave the option out (or pass {DIGITAL})"
        )
    advice = "use a multispectral dataset that has them (eurosat), or an RGB model"
    if missing := [band for band in card.bands if band not in info.bands]:
        has = f"{'DN' if info.unit == 'dn' else '8-bit'} {', '.join(info.bands)}"
        raise UsageError(f"{wants}; dataset {info.id} ({has}) lacks {', '.join(missing)}: {advice}")
    if info.unit != "dn":
        raise UsageError(f"{wants}; dataset {info.id} has 8-bit values, which cannot be turned back: {advice}")
    return Pairing(card.bands, native=True)


def _rendered(card: ModelCard | None, info: DatasetInfo, radiometry: str | None) -> Pairing:
    """Pair a model with 8-bit input."""
    wanted = RGB if card is None else card.bands
    wants = f"model {'of your own' if card is None else card.id} takes 8-bit {', '.join(wanted)}"
    if radiometry == DIGITAL:
        rather = f"one of {', '.join(POLICIES)}" if info.unit == "dn" else f"nothing, {info.id} is 8-bit already"
        raise UsageError(f"--radiometry {DIGITAL} hands over digital numbers, but {wants}: pass {rather}")
    has = tuple(band for band in RGB if band in info.bands)  # a rendering needs these bands
    if missing := [band for band in wanted if band not in has]:
        raise UsageError(
            f"{wants}; 8-bit tiles of dataset {info.id} have {', '.join(has) or 'none of these'} and lack "
            f"{', '.join(missing)}: use a dataset or a model that fits"
        )
    if info.radiometry == UNDECIDED and radiometry is None:
        raise UsageError(
            f"{wants}; the processing level of dataset {info.id} is not known, and so no rendering: pass --radiometry, "
            "such as eurosat-jpeg for L1C or dn2000 for L2A"
        )
    return Pairing(wanted, native=False)


def positions(have: Sequence[str], want: Sequence[str]) -> list[int]:
    """Return the position of each wanted band among the existing ones, which must contain all of them."""
    return [have.index(band) for band in want]


def level_note(card: ModelCard | None, info: DatasetInfo | DatasetBlock) -> str | None:
    """Return a warning if a model gets another processing level than it was trained on.

    Args:
        card: The model; None for a user's object.
        info: The dataset, or its block in a result.

    Returns:
        One line; None for models with 8-bit RGB input, or if the levels agree.
    """
    if card is None or card.level is None or card.level == info.level:
        return None
    has = f"are {info.level}" if info.level else "have no known processing level"
    return (
        f"digital numbers of {info.id} {has}, {card.id} was trained on {card.level}: another input than the model "
        f"knows, not comparable with figures on {card.level} data"
    )
