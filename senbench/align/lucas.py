"""LUCAS: folders of photos as Eurostat and others lay them out, and the table of points of the survey."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError, brief

if TYPE_CHECKING:
    from pathlib import Path

DIRECTIONS = {"N": "north", "E": "east", "S": "south", "W": "west"}
"""The four photos of a landscape; a fifth, `P`, shows the point itself and is not used."""
IN_2018 = re.compile(r"(?P<point>\d{8})(?P<direction>[NESWP])\.jpe?g", re.IGNORECASE)
"""`<nuts0>/<digits 1-3>/<digits 4-6>/<point><N/E/S/W/P>.jpg`."""
IN_2022 = re.compile(r"2022(?P<point>\d{8})LCLU_(?P<direction>North|East|South|West|Point)\.jpe?g", re.IGNORECASE)
KEY = re.compile(r"(?P<nuts0>[A-Z]{2})_(?P<point>\d{8})(?P<direction>[NESWP])")
"""How the published embeddings name a photo."""
TILES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
_POINT = re.compile(r"(?<!\d)\d{8}(?!\d)")
_NAMES = {
    "point": ("point_id", "pointid", "point", "id"),
    "lat": ("th_lat", "point_lat", "gps_lat", "lat", "latitude"),
    "lon": ("th_long", "point_long", "gps_long", "lon", "long", "longitude"),
    "nuts0": ("nuts0", "point_nuts0", "country"),
    "date": ("survey_date", "obs_date", "date"),
}
"""Columns of the survey's tables of several years, in lower case; the first that is there is taken."""


@dataclass
class Found:
    """What a manifest is made of, and what was left out.

    Attributes:
        rows: Columns of the manifest.
        counts: What was found and left out, for people.
    """

    rows: dict[str, list[Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def pairs(photos: Path, survey: Path, tiles: Path, base: Path) -> Found:
    """Pair photos and tiles by the id of their point.

    Args:
        photos: Folder of photos, laid out as in 2018 or 2022.
        survey: CSV of points: id, latitude, longitude, and where there are country and date.
        tiles: Folder of tiles whose names hold the point's id.
        base: Folder of the manifest, from which its paths are told.

    Raises:
        UsageError: A folder or file is missing or holds nothing of the kind, or two files are the same point's.
    """
    points, seen, of_point = read_survey(survey), photos_of(photos), tiles_of(tiles)
    columns = ("point_id", "tile", "photo", "direction", "lat", "lon", "date", "nuts0")
    rows: dict[str, list[Any]] = {name: [] for name in columns}
    usable = [point for point in points if point in seen and point in of_point]
    for point in usable:
        about = points[point]
        for direction in (d for d in DIRECTIONS if d in seen[point]):
            photo = _relative(seen[point][direction], base)
            tile = _relative(of_point[point], base)
            values = (
                point,
                tile,
                photo,
                DIRECTIONS[direction],
                about["lat"],
                about["lon"],
                about["date"],
                about["nuts0"],
            )
            for name, value in zip(columns, values, strict=True):
                rows[name].append(value)
    counts = {
        "points of the survey": len(points),
        "points with a tile": len(of_point),
        "points with photos": len(seen),
        "points paired": len(usable),
        "pairs": len(rows["point_id"]),
        "points with a tile and photos that the survey does not list": len(
            (seen.keys() & of_point.keys()) - points.keys()
        ),
    }
    if not usable:
        told = ", ".join(f"{n:,} {what}" for what, n in counts.items())
        raise UsageError(f"no point has a row, a tile and a photo: {told}")
    return Found(rows, counts)


def photos_of(folder: Path) -> dict[str, dict[str, Path]]:
    """Photos by point and direction (`N`, `E`, `S`, `W`), wherever they lie below a folder.

    Raises:
        UsageError: No such folder, no such photo, or two of the same point and direction.
    """
    found: dict[str, dict[str, Path]] = {}
    kinds: Counter[str] = Counter()
    for path in _files(folder, "--lucas"):
        match = IN_2018.fullmatch(path.name) or IN_2022.fullmatch(path.name)
        if match is None:
            kinds["other"] += 1
            continue
        direction = match["direction"][0].upper()
        if direction not in DIRECTIONS:
            continue
        before = found.setdefault(match["point"], {}).setdefault(direction, path)
        if before != path:
            raise UsageError(f"--lucas: {before} and {path} are the same point's photo; leave one of them out")
    if not found:
        raise UsageError(
            f"--lucas {folder}: no photo named as in 2018 (45802814N.jpg) or 2022 (202245802814LCLU_North.jpg) among "
            f"{kinds['other']:,} other files"
        )
    return found


def tiles_of(folder: Path) -> dict[str, Path]:
    """Tiles by the point whose id of eight digits their name holds.

    Raises:
        UsageError: No such folder, no such tile, or two of one point.
    """
    found: dict[str, Path] = {}
    for path in _files(folder, "--tiles"):
        if path.suffix.lower() not in TILES:
            continue
        for point in set(_POINT.findall(path.stem)):
            if found.setdefault(point, path) != path:
                raise UsageError(f"--tiles: {found[point]} and {path} are both of point {point}; leave one out")
    if not found:
        raise UsageError(f"--tiles {folder}: no image whose name holds a point's id of eight digits, as 45802814.tif")
    return found


def read_survey(path: Path) -> dict[str, dict[str, Any]]:
    """Points of the survey's table.

    Args:
        path: CSV; columns are found by the names that Eurostat's tables have.

    Returns:
        Id -> `lat` and `lon` in degrees, `nuts0` and `date`, None where they are not told.

    Raises:
        UsageError: It cannot be read, lacks a column, or holds a position that is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=";" if head.count(";") > head.count(",") else ",")
            names = {name.strip().lower(): name for name in reader.fieldnames or ()}
            columns = {what: next((names[n] for n in known if n in names), None) for what, known in _NAMES.items()}
            for what in ("point", "lat", "lon"):
                if columns[what] is None:
                    raise UsageError(
                        f"--points {path}: no column of the point's {what}; it may be named {', '.join(_NAMES[what])}"
                    )
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--points {path}: cannot be read as a table: {brief(error)}") from error
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, 2):
        point = str(row[columns["point"]] or "").strip().removesuffix(".0")  # as a spreadsheet writes whole numbers
        told: dict[str, Any] = {}
        for what in ("lat", "lon"):
            text = str(row[columns[what]] or "").strip()
            try:
                told[what] = float(text)
            except ValueError as error:
                raise UsageError(f"--points {path}: line {number} has {what} {text!r}, which is no number") from error
        told |= {
            what: (row[columns[what]] or "").strip() or None if columns[what] else None for what in ("nuts0", "date")
        }
        found[point] = told
    if not found:
        raise UsageError(f"--points {path}: it has no rows")
    return found


def keys_of(photos: Any, nuts0: Any, direction: Any) -> list[str | None]:
    """Keys of photos as the published embeddings name them, `<nuts0>_<point><direction>`.

    Args:
        photos: Names of R photos, as a manifest has them: a key itself, or a file of 2018 or 2022.
        nuts0: Country of each; None: not told, then the folders of 2018 tell.
        direction: Of each, not used where the name tells.

    Returns:
        The key of each; None: it cannot be told.
    """
    countries = nuts0.to_pylist() if nuts0 is not None else [None] * len(photos)
    found: list[str | None] = []
    for name, country in zip(photos.to_pylist(), countries, strict=True):
        *folders, last = re.split(r"[/\\]", name)
        if (key := KEY.fullmatch(last.rpartition(".")[0] or last)) is not None:
            found.append(key[0])
            continue
        match = IN_2018.fullmatch(last) or IN_2022.fullmatch(last)
        own = country or next((part for part in reversed(folders) if re.fullmatch("[A-Z]{2}", part)), None)
        found.append(f"{own}_{match['point']}{match['direction'][0].upper()}" if match and own else None)
    return found


def _files(folder: Path, option: str) -> list[Path]:
    if not folder.is_dir():
        raise UsageError(f"{option} {folder}: no such folder")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _relative(path: Path, base: Path) -> str:
    """A path as the manifest tells it: from its folder where it lies below, else in full."""
    whole, start = path.resolve(), base.resolve()
    return whole.relative_to(start).as_posix() if whole.is_relative_to(start) else whole.as_posix()
