"""What the metadata of a Sentinel-2 tile tell of its product: processing level, and the offset of its values.

Products of processing baseline 04.00 and later (from January 2022, and the reprocessed archive before it) keep
DN + 1000, so the date alone tells nothing. Baseline 99.99 is written by whoever runs the processor at home: it tells
nothing either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from senbench.schema.terms import Level

OFFSET = 1000
"""DN that products of baseline 04.00 and later have on top."""
SHARE = 0.01
"""Share of values without data, or below the offset, from which a reader must know."""

_LEVEL = re.compile(r"MSI(L1C|L2A)")
_BASELINE = re.compile(r"MSIL(?:1C|2A)_.*?(?<![A-Z0-9])N(\d{4})(?![A-Z0-9])")
_ADD_OFFSET = re.compile(r"(BOA|RADIO)_ADD_OFFSET")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class ProductFacts(NamedTuple):
    """What the metadata of a tile tell."""

    offset: int | None
    """DN to be subtracted; None: not told."""
    source: str
    """Where that is written, or why it is not told."""
    level: Level | None
    """Processing level; None: not told, or two at once."""


def told(tags: Mapping[str, str], names: Iterable[str], scaling: Iterable[tuple[float, float]] = ()) -> ProductFacts:
    """Offset and level from the metadata of a tile.

    What is said about the values themselves comes before what follows from the processing baseline: files whose
    offset was removed often keep the name of their product.

    Args:
        tags: Metadata of the file: GDAL's tags, or STAC properties (`s2:processing_baseline`).
        names: Names of the file and its folders, from the inside.
        scaling: Scale and offset of each band, as GDAL has them: (1, 0) where there is none.

    Returns:
        What they tell.
    """
    plain = {re.split(r"[:./#]", key)[-1].upper(): value.strip() for key, value in tags.items()}
    texts = [*plain.values(), *names]
    offset, source = _offset(plain, texts, list(scaling))
    levels = {match[1] for text in texts for match in _LEVEL.finditer(text)}
    for key in ("PROCESSING_LEVEL", "PRODUCT_TYPE"):
        levels |= {f"L{found}" for found in re.findall(r"1C|2A", plain.get(key, "").upper())}
    levels |= {{"BOA": "L2A", "RADIO": "L1C"}[match[1]] for key in plain if (match := _ADD_OFFSET.match(key))}
    level: Level | None = "L1C" if levels == {"L1C"} else "L2A" if levels == {"L2A"} else None
    return ProductFacts(offset, source, level)


def _offset(
    plain: Mapping[str, str], texts: Iterable[str], scaling: list[tuple[float, float]]
) -> tuple[int | None, str]:
    if plain.get("BOA_OFFSET_APPLIED", "").lower() in ("true", "1", "yes"):
        return 0, "tag BOA_OFFSET_APPLIED"
    said = {abs(float(n)) for key, text in plain.items() if _ADD_OFFSET.match(key) for n in _NUMBER.findall(text)}
    if said:
        return _one(said, f"tag {min(key for key in plain if _ADD_OFFSET.match(key))}")
    if scaling and all(scale and offset for scale, offset in scaling):
        return _one({round(abs(offset / scale), 3) for scale, offset in scaling}, "scale and offset of the bands")
    if (baseline := _baseline(plain.get("PROCESSING_BASELINE", ""))) is not None:
        return _of(baseline), f"tag PROCESSING_BASELINE, {baseline:05.2f}"
    for text in texts:
        if (match := _BASELINE.search(text)) and (baseline := _baseline(match[1])) is not None:
            return _of(baseline), f"product name, baseline {baseline:05.2f}"
    return None, "no metadata of it"


def _one(values: set[float], where: str) -> tuple[int | None, str]:
    """The offset that all bands have."""
    value = min(values)
    if len(values) > 1 or value != int(value):
        return None, f"{where}: {', '.join(f'{v:g}' for v in sorted(values))}, not one whole number"
    return int(value), where


def _baseline(text: str) -> float | None:
    """`04.00`, `0400` or `N0400` as 4.0; None where it is none of ESA's."""
    match = re.fullmatch(r"N?(\d{1,2})\.?(\d{2})", text.strip())
    number = float(f"{match[1]}.{match[2]}") if match else 0.0
    return number if 1 <= number < 10 else None


def _of(baseline: float) -> int:
    return OFFSET if baseline >= 4 else 0


def notes(facts: Mapping[str, Any]) -> list[str]:
    """What a reader of a result must know of the tiles' values.

    Args:
        facts: `Tiles.facts_of_source` of a folder of digital numbers; of other tiles it is empty.
    """
    found = []
    if offset := facts.get("dn_offset"):
        how = f"{offset:,} DN" if isinstance(offset, int) else "the DN that each tile's metadata tell"
        found.append(f"an offset of {how} was subtracted from the tiles ({facts['dn_offset_from']})")
    elif ", against " in facts.get("dn_offset_from", ""):
        found.append(f"no offset was subtracted from the tiles ({facts['dn_offset_from']})")
    if (share := facts.get("nodata_share", 0)) > SHARE:
        found.append(f"{100 * share:.1f} % of the tiles' values are no data, shown as 0 (black)")
    return found
