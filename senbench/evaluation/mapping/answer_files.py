"""Classified tiles as a file: Parquet, CSV with its metadata beside it, or GeoJSON."""

from __future__ import annotations

import csv
import io
import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UnavailableError, UsageError
from senbench.io import parquet as arrow
from senbench.io.plain_text import guarded
from senbench.results.predictions import BETWEEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from senbench.datasets.readers.footprint import Footprint
    from senbench.evaluation.mapping.tile_answers import TileAnswers

METADATA = "-metadata.json"
"""Ending of the file beside a CSV that says how it was made (W3C's Model for Tabular Data)."""
CORNERS = (("left", "bottom"), ("right", "bottom"), ("right", "top"), ("left", "top"), ("left", "bottom"))
"""Counterclockwise, as RFC 7946 wants it; the first one closes the ring."""


def checked(out: str) -> Path:
    """The file to be written, whose format is known and whose folder can be written to.

    Raises:
        UsageError: Another suffix, a file that is there already, or a folder.
        UnavailableError: The folder is not there.
    """
    path = Path(out).expanduser()
    if path.suffix.lower() not in WRITERS:
        raise UsageError(f"--out {out}: end it in {', '.join(WRITERS)}")
    if path.exists():
        raise UsageError(f"--out {out} exists: give another name, or remove it")
    if not path.parent.is_dir():
        raise UnavailableError(f"--out {out}: there is no folder {path.parent}")
    return path


def write(found: TileAnswers, path: Path) -> list[Path]:
    """Write classified tiles, whole or not at all.

    Args:
        found: The tiles.
        path: The file; its suffix is a key of `WRITERS`.

    Returns:
        The files that were written.

    Raises:
        UsageError: GeoJSON of tiles none of which has a position.
        UnavailableError: The disk refuses.
    """
    files = {path.with_name(name): data for name, data in WRITERS[path.suffix.lower()](found, path.name).items()}
    temporary = {place: place.with_name(f".{place.name}.{secrets.token_hex(4)}") for place in files}
    try:
        for place, data in files.items():
            temporary[place].write_bytes(data)
        for place, other in temporary.items():
            other.replace(place)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        for other in temporary.values():
            with suppress(OSError):
                other.unlink(missing_ok=True)
    return list(files)


def _columns(found: TileAnswers) -> dict[str, Any]:
    """The columns of a table, in order: texts are lists of str, figures float arrays."""
    answers, keys = found.answers, found.settled.classes
    columns: dict[str, Any] = {
        "id": list(found.ids),
        "class": [keys[k] for k in answers.best.tolist()],
        "margin": answers.margin,
    }
    if (labels := _labels(found)) is not None:
        columns["labels"] = labels
    columns |= {f"score_{key}": answers.scores[:, k] for k, key in enumerate(keys)}
    if any(found.places):
        rings = outlines(found.places)
        centres = [None if ring is None else np.mean(ring[:4], axis=0).tolist() for ring in rings]
        for k, name in enumerate(("lon", "lat")):
            columns[name] = np.array([np.nan if at is None else at[k] for at in centres])
    elif found.clusters is not None:
        columns["cluster"] = list(found.clusters)
    return columns


def _labels(found: TileAnswers) -> list[str] | None:
    """Labels that are predicted for each tile; None where a tile has one class."""
    rows = found.settled.labels(found.answers.scores)
    if rows is None:
        return None
    return [BETWEEN.join(found.settled.classes[k] for k in np.flatnonzero(row)) for row in rows]


def outlines(places: Sequence[Footprint | None]) -> list[list[tuple[float, float]] | None]:
    """Corners of tiles as longitude and latitude (WGS 84), closed and counterclockwise; None: not known.

    Args:
        places: Where the tiles lie.
    """
    from rasterio.warp import transform

    by_crs: dict[str, list[int]] = {}
    for i, place in enumerate(places):
        if place is not None:
            by_crs.setdefault(place.crs, []).append(i)
    found: list[list[tuple[float, float]] | None] = [None] * len(places)
    for crs, rows in by_crs.items():
        own = [(i, place) for i in rows if (place := places[i]) is not None]
        xs = [getattr(place, x) for _, place in own for x, _ in CORNERS]
        ys = [getattr(place, y) for _, place in own for _, y in CORNERS]
        lon, lat = transform(crs, "EPSG:4326", xs, ys)
        ring = list(zip(lon, lat, strict=True))
        for k, (i, _) in enumerate(own):
            found[i] = ring[k * len(CORNERS) : (k + 1) * len(CORNERS)]
    return found


def _parquet(found: TileAnswers, name: str) -> dict[str, bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    columns = _columns(found)
    made = {
        key: arrow.texts(values) if isinstance(values, list) else arrow.floats(np.asarray(values, np.float32))
        for key, values in columns.items()
        if key not in ("lon", "lat")
    }
    made |= {
        key: pa.Array.from_buffers(pa.float64(), len(columns[key]), [None, pa.py_buffer(columns[key])])
        for key in ("lon", "lat")
        if key in columns
    }
    table = pa.table(made).replace_schema_metadata({"senbench": json.dumps(found.about(), ensure_ascii=False)})
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return {name: out.getvalue()}


def _csv(found: TileAnswers, name: str) -> dict[str, bytes]:
    columns, out = _columns(found), io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(guarded, columns))
    texts = [values if isinstance(values, list) else [_number(v) for v in values] for values in columns.values()]
    writer.writerows([guarded(cell) for cell in row] for row in zip(*texts, strict=True))
    about = json.dumps(found.about(), indent=1, ensure_ascii=False) + "\n"
    return {name: out.getvalue().encode(), f"{name}{METADATA}": about.encode()}


def _number(value: Any) -> float | str:
    """The shortest number that reads back as the same; empty for NaN."""
    return "" if value != value else float(str(value))


def _geojson(found: TileAnswers, name: str) -> dict[str, bytes]:
    if not any(found.places):
        raise UsageError(f"{found.source}: no position is known of any tile; write .parquet or .csv")
    columns = {key: values for key, values in _columns(found).items() if key not in ("lon", "lat")}
    features = []
    for i, ring in enumerate(outlines(found.places)):
        properties = {key: v[i] if isinstance(v, list) else float(str(v[i])) for key, v in columns.items()}
        shape = None if ring is None else {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "geometry": shape, "properties": properties})
    whole = {"type": "FeatureCollection", "senbench": found.about(), "features": features}
    return {name: json.dumps(whole, ensure_ascii=False, allow_nan=False).encode() + b"\n"}


WRITERS: dict[str, Callable[[TileAnswers, str], dict[str, bytes]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".geojson": _geojson,
}
"""Suffix -> what makes the files, name -> bytes, of classified tiles and the name of the file."""
