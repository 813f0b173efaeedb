"""The manifest of pairs: one row per tile and photo, as CSV or Parquet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.align.recipe import MOST_VIEWS
from senbench.align.training_set import NONE
from senbench.errors import UsageError, brief
from senbench.io.parquet import read_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

COLUMNS = ("point_id", "tile", "photo", "direction", "lat", "lon")
"""Columns that a manifest has."""
OPTIONAL = ("date", "nuts0", "split")
"""Columns that it may have."""
EUROPE = (33.0, 72.0, -32.0, 46.0)
"""Least and largest latitude and longitude of the countries that `nuts0` names, in degrees."""


@dataclass(frozen=True)
class PairList:
    """Tiles with their photos.

    Attributes:
        path: The manifest; paths in it are relative to its folder.
        sha256: Of the file.
        points: Name of each of N points, in order of their first row.
        tiles: Tile of each point, as the manifest has it.
        photos: Photo of each of R rows, a pyarrow array of texts: there may be a million.
        photo_rows: Rows of each point's photos, int64 (N, K), `NONE` at the end of a row with fewer.
        latitude: Degrees, float64 (N,); NaN where the manifest has none.
        longitude: As `latitude`.
        nuts0: Country of each row, a pyarrow array; None: not told.
        direction: Direction of each row, a pyarrow array.
        held: Points of another split than `train`, bool (N,); None: no such column.
    """

    path: Path
    sha256: str
    points: list[str]
    tiles: list[str]
    photos: Any
    photo_rows: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    nuts0: Any
    direction: Any
    held: NDArray[np.bool_] | None

    def place(self, name: str) -> Path:
        """Where a file of the manifest lies."""
        return self.path.resolve().parent / name


def read(path: Path) -> PairList:
    """Read and check a manifest.

    Args:
        path: `.csv` or `.parquet`.

    Raises:
        UsageError: It cannot be read, lacks a column, or contradicts itself; names the point.
    """
    table = _table(path)
    if missing := [name for name in COLUMNS if name not in table.column_names]:
        raise UsageError(f"{path}: no column {missing[0]!r}; a manifest has {', '.join(COLUMNS)}")
    if table.num_rows == 0:
        raise UsageError(f"{path}: it has no rows")
    texts = {name: _texts(table, name) for name in (*COLUMNS, *OPTIONAL) if name in table.column_names}
    for name in ("point_id", "tile", "photo"):
        _filled(path, texts, name)
    points, code = _coded(texts["point_id"])
    first = np.full(len(points), -1, np.int64)
    order = np.arange(len(code))
    first[code[::-1]] = order[::-1]  # the first row of each point is written last
    for name in ("tile", "lat", "lon", "split"):
        if name in texts:
            _alike(path, texts[name], name, points, code, first)
    latitude, longitude = (_numbers(path, texts[name], name, first, points) for name in ("lat", "lon"))
    _check_places(path, latitude, longitude, points, exchanged="nuts0" in texts)
    held = None
    if "split" in texts:
        held = np.array([value not in (None, "", "train") for value in texts["split"].take(first).to_pylist()])
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return PairList(
        path=path,
        sha256=sha256,
        points=points,
        tiles=texts["tile"].take(first).to_pylist(),
        photos=texts["photo"],
        photo_rows=_grouped(path, code, points),
        latitude=latitude,
        longitude=longitude,
        nuts0=texts.get("nuts0"),
        direction=texts["direction"],
        held=held,
    )


def write(path: Path, rows: Mapping[str, Sequence[Any]]) -> None:
    """Write a manifest.

    Args:
        path: `.csv` or `.parquet`, which is not there yet.
        rows: Column -> values; texts, and numbers for `lat` and `lon`.

    Raises:
        UsageError: It is there, or is to be in another format.
    """
    import pyarrow as pa
    from pyarrow import csv, parquet

    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(f"--out {path}: a manifest is .csv or .parquet")
    if path.exists():
        raise UsageError(f"--out {path} is there already; give another name, or delete it")
    kinds = {name: pa.float64() if name in ("lat", "lon") else pa.string() for name in rows}
    table = pa.table({name: pa.array(values, kinds[name]) for name, values in rows.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    (csv.write_csv if path.suffix == ".csv" else parquet.write_table)(table, part)
    part.replace(path)


def _table(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv

    if not path.is_file():
        raise UsageError(f"{path}: no such manifest; `senbench align pairs` makes one")
    try:
        if path.suffix == ".parquet":
            return read_parquet(path)
        if path.suffix != ".csv":
            raise UsageError(f"{path}: a manifest is .csv or .parquet")
        names = (*COLUMNS, *OPTIONAL)
        kinds = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
        return csv.read_csv(path, csv.ReadOptions(use_threads=False), convert_options=kinds)
    except (OSError, pa.ArrowException, KeyError) as error:
        raise UsageError(f"{path}: it cannot be read as a table: {brief(error)}") from error


def _texts(table: Any, name: str) -> Any:
    """A column as one pyarrow array of texts."""
    import pyarrow as pa

    column = table.column(name)
    return column.cast(pa.string()).combine_chunks() if column.type != pa.string() else column.combine_chunks()


def _filled(path: Path, texts: dict[str, Any], name: str) -> None:
    import pyarrow.compute as pc

    bare = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(texts[name]), ""), True)  # noqa: FBT003 - pyarrow's way
    if pc.any(bare).as_py():
        row = int(np.flatnonzero(bare.to_numpy(zero_copy_only=False))[0])
        point = texts["point_id"][row].as_py()
        what = "has no photo" if name == "photo" else f"has no {name}"
        raise UsageError(f"{path}: row {row + 1:,} (point {point}) {what}; complete it or leave the row out")


def _coded(texts: Any) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct texts in order of their first row, and which each row has."""
    encoded = texts.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)


def _alike(
    path: Path, texts: Any, name: str, points: list[str], code: NDArray[np.int64], first: NDArray[np.int64]
) -> None:
    """Refuse points whose rows differ in what a point has once."""
    import pyarrow.compute as pc

    values = pc.fill_null(texts, "").dictionary_encode().indices.to_numpy()
    if (other := np.flatnonzero(values != values[first[code]])).size:
        row, start = int(other[0]), int(first[code[other[0]]])
        raise UsageError(
            f"{path}: point {points[code[row]]} has {name} {texts[start].as_py()!r} in row {start + 1:,} and "
            f"{texts[row].as_py()!r} in row {row + 1:,}; a point has one"
        )


def _numbers(path: Path, texts: Any, name: str, first: NDArray[np.int64], points: list[str]) -> NDArray[np.float64]:
    found = np.full(len(first), np.nan)
    for i, text in enumerate(texts.take(first).to_pylist()):
        if text not in (None, ""):
            try:
                found[i] = float(text)
            except ValueError as error:
                raise UsageError(f"{path}: point {points[i]} has {name} {text!r}, which is no number") from error
    return found


def _check_places(
    path: Path, latitude: NDArray[np.float64], longitude: NDArray[np.float64], points: list[str], *, exchanged: bool
) -> None:
    """Refuse degrees that cannot be, and points of European countries that lie there only with exchanged columns."""
    for name, values, most in (("lat", latitude, 90), ("lon", longitude, 180)):
        if (wrong := np.flatnonzero(np.abs(values) > most)).size:
            raise UsageError(
                f"{path}: point {points[wrong[0]]} has {name} {values[wrong[0]]:g}, beyond {most} degrees; are the "
                "columns lat and lon exchanged?"
            )
    known = np.isfinite(latitude) & np.isfinite(longitude)
    if exchanged and known.any():
        here, turned = _in_europe(latitude, longitude), _in_europe(longitude, latitude)
        if here[known].mean() < 0.5 < turned[known].mean():
            raise UsageError(
                f"{path}: nuts0 names European countries, where these points lie only if lat and lon are exchanged; "
                "exchange the columns"
            )


def _in_europe(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.bool_]:
    south, north, west, east = EUROPE
    return (latitude >= south) & (latitude <= north) & (longitude >= west) & (longitude <= east)


def _grouped(path: Path, code: NDArray[np.int64], points: list[str]) -> NDArray[np.int64]:
    """Rows of each point, in their order, (N, K)."""
    counts = np.bincount(code, minlength=len(points))
    if (most := int(counts.max())) > MOST_VIEWS:
        raise UsageError(
            f"{path}: point {points[int(counts.argmax())]} has {most} photos; a tile takes 1 to {MOST_VIEWS}"
        )
    rows = np.full((len(points), most), NONE, np.int64)
    order = np.argsort(code, kind="stable")
    place = np.arange(len(code)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows[code[order], place] = order
    return rows
