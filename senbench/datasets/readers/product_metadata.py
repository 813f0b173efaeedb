"""Reads processing level, scale and offset from the metadata of a Sentinel-2 tile.

Products of processing baseline 04.00 and later (from January 2022, and the reprocessed archive before it) store
DN + 1000, so that the date alone is not conclusive. Neither is baseline 99.99, which users who run the processor
themselves get.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from senbench.schema.terms import Level

FULL = 10_000
"""DN of reflectance 1."""
OFFSET = 1000
"""Offset in DN of products of baseline 04.00 and later."""
SHARE = 0.01
"""Share of values without data, or below the offset, from which on it is reported."""

_LEVEL = re.compile(r"MSI(L1C|L2A)")
_BASELINE = re.compile(r"MSIL(?:1C|2A)_.*?(?<![A-Z0-9])N(\d{4})(?![A-Z0-9])")
_ADD_OFFSET = re.compile(r"(BOA|RADIO)_ADD_OFFSET")
_ADD_OFFSET_KEY = re.compile(r"(?:BOA|RADIO)_ADD_OFFSET.*")
_SCALE_FACTOR, _ADD_OFFSET_OF_NETCDF = re.compile("SCALE_FACTOR"), re.compile("ADD_OFFSET")
_QUANTIFICATION = re.compile(r"(?:L2A_)?(?:BOA_|TOA_)?QUANTIFICATION_VALUE")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_CUT = re.compile(r"([A-Za-z][\w:.#-]*)=(.*)", re.DOTALL)


class ProductFacts(NamedTuple):
    """Facts from the metadata of a tile."""

    offset: int | None
    """DN to subtract after scaling; None if not stated."""
    source: str
    """Source of the offset, or why it is unknown."""
    level: Level | None
    """Processing level; None if not stated, or contradictory."""
    gain: float = 1.0
    """DN per stored unit: 10,000 times the scale, or 10,000 divided by the quantification value."""
    gain_source: str = "10,000 is reflectance 1, as Sentinel-2 has it"
    """Source of the scale."""
    doubt: str = ""
    """Why the scale is unknown; empty if it is known."""


def told(
    tags: Mapping[str, str],
    names: Iterable[str],
    scaling: Iterable[tuple[float, float]] = (),
    *,
    whole_numbers: bool = True,
) -> ProductFacts:
    """Return scale, offset and level from the metadata of a tile.

    Statements about the values take precedence over the processing baseline, since files whose offset was removed often
    keep the name of their product.

    Args:
        tags: Metadata of the file: GDAL's tags, or STAC properties (`s2:processing_baseline`), also as GDAL reads them
            back from a file: cut at the colon, `s2` -> `processing_baseline=05.11`.
        names: Names of the file and its folders, from the inside out.
        scaling: Scale and offset of each band, as in GDAL: (1, 0) if there is none.
        whole_numbers: Whether values are integers; for others the scale must be stated.

    Returns:
        The facts.
    """
    plain = _plain(tags)
    texts = [*plain.values(), *names]
    pairs = list(scaling)
    gain, gain_source, doubt = _gain(plain, pairs, whole_numbers=whole_numbers)
    offset, source = _offset(plain, texts, pairs, gain)
    levels = {match[1] for text in texts for match in _LEVEL.finditer(text)}
    for key in ("PROCESSING_LEVEL", "PRODUCT_TYPE"):
        levels |= {f"L{found}" for found in re.findall(r"1C|2A", plain.get(key, "").upper())}
    levels |= {{"BOA": "L2A", "RADIO": "L1C"}[match[1]] for key in plain if (match := _ADD_OFFSET.match(key))}
    level: Level | None = "L1C" if levels == {"L1C"} else "L2A" if levels == {"L2A"} else None
    return ProductFacts(offset, source, level, gain, gain_source, doubt)


def _plain(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags by the last part of their name, in upper case."""
    plain: dict[str, str] = {}
    for key, text in tags.items():
        name, value = key, text.strip()
        if match := _CUT.match(value):  # GDAL split `s2:product_uri` at the colon
            name, value = match[1], match[2].strip()
        plain[re.split(r"[:./#]", name)[-1].upper()] = value
    return plain


def _numbers(plain: Mapping[str, str], key: re.Pattern[str]) -> tuple[str, set[float]]:
    """Return the first tag with such a name, and the numbers in all of them."""
    names = sorted(name for name in plain if key.fullmatch(name))
    return (names or [""])[0], {float(n) for name in names for n in _NUMBER.findall(plain[name])}


def _stac(plain: Mapping[str, str], field: str) -> set[float]:
    """Return the values of a field in STAC's `raster:bands` or `bands`."""
    pattern = rf"""["'](?:raster:)?{field}["']\s*:\s*({_NUMBER.pattern})"""
    return {float(n) for key in ("BANDS", "RASTER") for n in re.findall(pattern, plain.get(key, ""))}


def _gain(
    plain: Mapping[str, str], scaling: list[tuple[float, float]], *, whole_numbers: bool
) -> tuple[float, str, str]:
    """Return the DN per stored unit, its source, and why it is unknown."""
    key, quantification = _numbers(plain, _QUANTIFICATION)
    written = [
        *((FULL / q if q > 0 else 0.0, f"tag {key}, {q:g}") for q in quantification),
        *((_dn_of(s), f"scale of the bands, {s:g}") for s in sorted({scale for scale, _ in scaling} - {1.0})),
        *((_dn_of(s), f"raster:bands, scale {s:g}") for s in sorted(_stac(plain, "scale") - {1.0})),
        *((_dn_of(s), f"tag scale_factor, {s:g}") for s in sorted(_numbers(plain, _SCALE_FACTOR)[1] - {1.0})),
    ]
    if not written:
        if whole_numbers:
            return 1.0, ProductFacts._field_defaults["gain_source"], ""
        return (
            1.0,
            "",
            (
                "has values that are not integers and does not state their scale: give uint16 digital numbers, or "
                "write the tag QUANTIFICATION_VALUE into it (10000 for digital numbers, 1 for reflectance 0..1)"
            ),
        )
    for gain, source in written:
        if not 0 < gain <= FULL:
            return (
                1.0,
                "",
                (
                    f"states a scale that is impossible for reflectance ({source}): write scale 1 into it, and the tag "
                    "QUANTIFICATION_VALUE (10000 for digital numbers)"
                ),
            )
    (first, source), last = written[0], max(written, key=lambda one: abs(one[0] - written[0][0]))
    if abs(last[0] - first) > 1e-4 * first:
        return (
            1.0,
            "",
            (f"states two scales: {source}, and {last[1]}: write the one that holds into it, and remove the other"),
        )
    exact = round(first)
    return (float(exact) if abs(first - exact) < 1e-6 * first else first), source, ""


def _dn_of(scale: float) -> float:
    """Return the DN per stored unit for a scale to reflectance; 0 if it is not such a scale."""
    return scale * FULL if 0 < scale <= 1 else 0.0


def _offset(
    plain: Mapping[str, str], texts: Iterable[str], scaling: list[tuple[float, float]], gain: float
) -> tuple[int | None, str]:
    if plain.get("BOA_OFFSET_APPLIED", "").lower() in ("true", "1", "yes"):
        return 0, "tag BOA_OFFSET_APPLIED"
    key, said = _numbers(plain, _ADD_OFFSET_KEY)
    if said:
        return _one({-value * gain for value in said}, f"tag {key}", said)
    if scaling and all(offset for _, offset in scaling):
        said = {offset for _, offset in scaling}
        scaled = {scale for scale, _ in scaling}
        unit = 1.0 if scaled == {1.0} else float(FULL)
        where = "scale and offset of the bands"
        return _one({-offset * unit for offset in said}, where, said)
    if said := _numbers(plain, _ADD_OFFSET_OF_NETCDF)[1] - {0.0}:
        unit = float(FULL) if _numbers(plain, _SCALE_FACTOR)[1] - {1.0} else 1.0
        return _one({-offset * unit for offset in said}, "tag add_offset", said)
    if said := _stac(plain, "offset") - {0.0}:
        unit = float(FULL) if _stac(plain, "scale") - {1.0} else 1.0
        return _one({-offset * unit for offset in said}, "raster:bands", said)
    if (baseline := _baseline(plain.get("PROCESSING_BASELINE", ""))) is not None:
        return _of(baseline), f"tag PROCESSING_BASELINE, {baseline:05.2f}"
    for text in texts:
        if (match := _BASELINE.search(text)) and (baseline := _baseline(match[1])) is not None:
            return _of(baseline), f"product name, baseline {baseline:05.2f}"
    return None, "no metadata of it"


def _one(offsets: set[float], where: str, written: set[float]) -> tuple[int | None, str]:
    """Return the common offset of all bands, if it is one of those of Sentinel-2 products."""
    values = {round(offset, 3) for offset in offsets}
    text = ", ".join(f"{w:g}" for w in sorted(written))
    if len(values) > 1:
        return None, f"{where}: {text}, not one whole number"
    value = values.pop()
    if value in (0, OFFSET):
        return int(value), where
    verb, size = ("added to", -value) if value < 0 else ("subtracted from", value)
    return None, (
        f"{where} say {text}, by which {size:,.0f} DN would be {verb} its values, and Sentinel-2 has no such offset; "
        f"or it means that {abs(written.copy().pop()):,g} was added to them"
    )


def _baseline(text: str) -> float | None:
    """Parse `04.00`, `0400` or `N0400` as 4.0; None if it is not one of ESA's baselines."""
    match = re.fullmatch(r"N?(\d{1,2})\.?(\d{2})", text.strip())
    number = float(f"{match[1]}.{match[2]}") if match else 0.0
    return number if 1 <= number < 10 else None


def _of(baseline: float) -> int:
    return OFFSET if baseline >= 4 else 0


def notes(facts: Mapping[str, Any]) -> list[str]:
    """Return caveats about the tiles' values.

    Args:
        facts: `Tiles.facts_of_source`.
    """
    sentences = []
    for one in facts.get("pixels", {}).get("left_out", ()):
        names = ", ".join(one["names"]) + (", ..." if one["n"] > len(one["names"]) else "")
        sentences.append(f"{one['n']:,} file{'s' * (one['n'] != 1)} not read, {one['reason']}: {names}")
    if offset := facts.get("dn_offset"):
        offset_text = f"{offset:,} DN" if isinstance(offset, int) else "the DN that each tile's metadata tell"
        sentences.append(f"an offset of {offset_text} was subtracted from the tiles ({facts['dn_offset_from']})")
    elif ", against " in facts.get("dn_offset_from", ""):
        sentences.append(f"no offset was subtracted from the tiles ({facts['dn_offset_from']})")
    if (share := facts.get("nodata_share", 0)) > SHARE:
        sentences.append(f"{100 * share:.1f} % of the tiles' values are no data, shown as 0 (black)")
    return sentences
