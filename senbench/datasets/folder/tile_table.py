"""A user's own tiles named by a table: a row per tile with its file, its label or labels, and what else is known."""

from __future__ import annotations

import csv
import io
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.distances import block_at
from senbench.datasets.folder.own_files import OwnFiles, check_distinct, own_info
from senbench.datasets.readers.left_out import natural
from senbench.datasets.readers.sources import NamedFiles
from senbench.datasets.tiles import Tiles
from senbench.errors import UnavailableError, UsageError, brief
from senbench.io.plain_text import composed, decode
from senbench.runtime.dataset_names import add_options, with_options
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import base_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.terms import Task

PREFIX = "table:"
SUFFIXES = (".csv", ".tsv", ".parquet", ".pq")
OPTIONS = ("image", "label")
"""What may follow the file's name: `table:tiles.csv?image=COLUMN&label=COLUMN`."""
COLUMNS = ("path", "label", "labels", "split", "lat", "lon", "cluster", "country")
"""Columns that are read."""
BETWEEN = ";"
"""Stands between the labels of a tile in a text file."""
NEVER = "all"
"""No split of a table can have this name: it is that of all rows."""


class TableRows(NamedTuple):
    """What a table tells, in the order of its rows."""

    paths: tuple[str, ...]
    """Files with forward slashes, relative to the folder."""
    classes: tuple[str, ...]
    """Class keys in natural order."""
    task: Task
    labels: NDArray[Any]
    """int64 (N,), or multi-hot, bool (N, C)."""
    splits: Mapping[str, NDArray[np.int64]]
    """Split name -> its rows; `all` last."""
    places: Callable[[], tuple[str, ...]] | None
    """Gives the spatial cluster of every tile; None: not known."""
    countries: tuple[str, ...] | None
    """Country of every tile."""


def describe(where: str, *, data_dir: str | None = None, offline: bool = False) -> DatasetInfo:
    """Facts of a table of tiles.

    Args:
        where: Path of the table, maybe with `?image=COLUMN&label=COLUMN`.
        data_dir: Folder that the paths are relative to; None: that of the table.
        offline: Nothing is fetched in any case.

    Raises:
        UsageError: No such table, a column or a value that does not fit, or files that do not tell what they are.
        UnavailableError: It cannot be read.
    """
    rows, files = _rows(where, data_dir)
    return files.describe(_info(where, rows))


def open_tiles(
    where: str,
    *,
    split: str | None,
    data_dir: str | None = None,
    radiometry: str | None = None,
    dn_offset: str = "auto",
    offline: bool = False,
) -> Tiles:
    """Open the tiles of a table: 8-bit images of any format, or GeoTIFFs of digital numbers.

    Args:
        where: As of `describe`.
        split: A value of the column `split`, or `all`; None: `test` where there is one, else `all`.
        data_dir: As of `describe`.
        radiometry: Of 8-bit images None or `native-jpeg`; of digital numbers a rendering, None: that of the level.
        dn_offset: Of digital numbers `0` or `1000`: what is subtracted; `auto`: what the metadata of each tile tell.
        offline: Nothing is fetched in any case.

    Returns:
        Tiles with their paths as ids, in the order of the rows.

    Raises:
        UsageError: As `describe`, or another split.
        UnavailableError: It cannot be read.
    """
    rows, files = _rows(where, data_dir)
    info = _info(where, rows)
    name = split or info.default_split
    if name not in rows.splits:
        raise unknown(f"split of {info.id}", name, rows.splits)
    chosen = rows.splits[name]
    own = chosen.tolist()
    places = None
    if rows.places is not None:
        every = rows.places
        places = _chosen(every, own)
    opened = files.open(info, own, places, radiometry=radiometry, dn_offset=dn_offset)
    return Tiles(
        info=opened.info,
        split=name,
        source=files.source.title,
        ids=tuple(rows.paths[i] for i in own),
        labels=rows.labels[chosen],
        reader=opened.reader,
        n_expected=len(own),
        radiometry=opened.radiometry,
        meta={} if rows.countries is None else {"country": [rows.countries[i] for i in own]},
        facts_of_source=opened.facts,
    )


def _chosen(every: Callable[[], tuple[str, ...]], own: list[int]) -> Callable[[Sequence[int]], list[str]]:
    def places(indices: Sequence[int]) -> list[str]:
        all_of = every()
        return [all_of[own[i]] for i in indices]

    return places


def _info(where: str, rows: TableRows) -> DatasetInfo:
    path, options = with_options(where, OPTIONS)
    splits = {name: len(found) for name, found in rows.splits.items()}
    name = add_options(base_name(path), {key: value for key, value in options.items() if key == "label"})
    return own_info(PREFIX, name, rows.classes, splits, rows.task)


def _rows(where: str, data_dir: str | None) -> tuple[TableRows, OwnFiles]:
    """The rows of a table, read once while the file stays as it is, and the files that they name."""
    path, options = with_options(where, OPTIONS)
    title, table = f"{PREFIX}{path}", Path(path).expanduser()
    if not path or not table.is_file():
        raise UsageError(f"{title}: no such file; expected a table ({', '.join(SUFFIXES)}) with a row per tile")
    if table.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{title}: a table ends in {', '.join(SUFFIXES)}; class folders are opened by folder:PATH")
    root = table.parent if data_dir is None else Path(data_dir).expanduser()
    if not root.is_dir():
        raise UsageError(f"--data-dir {data_dir}: no such folder; paths in {base_name(path)} are relative to it")
    state = table.stat()
    rows = _read(table, root, title, tuple(sorted(options.items())), (state.st_size, state.st_mtime_ns))
    source = NamedFiles(root, rows.paths, base_name(path))
    sample = rows.paths[:: max(1, len(rows.paths) // 20)]
    if not any((root / name).exists() for name in sample):
        raise UnavailableError(
            f"{title}: none of its files looked at is there, {sample[0]} the first; paths are relative to "
            f"{'the folder of the table' if data_dir is None else f'--data-dir {data_dir}'}: correct them, or give "
            "that folder with --data-dir"
        )
    return rows, OwnFiles(source, rows.paths, title)


@lru_cache(maxsize=2)
def _read(
    table: Path, root: Path, title: str, options: tuple[tuple[str, str], ...], state: tuple[int, int]
) -> TableRows:
    columns, line = _parquet(table, title) if table.suffix.lower() in (".parquet", ".pq") else _text(table, title)
    asked = dict(options)
    of = _Columns(columns, line, title)
    n = len(next(iter(columns.values())))
    if n == 0:
        raise UsageError(f"{title}: it has no row; a row names a tile and its label")
    paths = _paths(of, of.required(asked.get("image", "path"), "image"), root)
    classes, task, labels = _labels(of, asked.get("label"))
    check_distinct(classes, f"{title}: classes")
    if len(classes) < 2:
        raise UsageError(f"{title}: {len(classes)} class, need at least 2")
    return TableRows(paths, classes, task, labels, _splits(of, n), _places(of, paths), of.texts("country"))


class _Columns(NamedTuple):
    """The columns of a table by their names in lower case, and how a row is called in messages."""

    by_name: Mapping[str, Sequence[Any]]
    line: Callable[[int], str]
    title: str

    def required(self, name: str, kind: str) -> str:
        """A column that must be there."""
        if (key := name.lower()) not in self.by_name:
            raise UsageError(
                f"{self.title}: no column {name!r}; it has {', '.join(self.by_name)}: name the right one with "
                f"--{kind}-column"
            )
        return key

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Values as texts, empty where there is none; None: no such column."""
        return _texts(self.by_name[name]) if name in self.by_name else None

    def fault(self, row: int, what: str) -> UsageError:
        return UsageError(f"{self.title}: {self.line(row)}: {what}")


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    """`_plain` of each value; most columns repeat a few."""
    every = list(values)
    plain = {value: _plain(value) for value in set(every)}
    return tuple(map(plain.__getitem__, every))


def _plain(value: Any) -> str:
    """A value as text: whole numbers without a point, nothing for null and NaN."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return composed(str(value).strip())


def _text(table: Path, title: str) -> tuple[dict[str, Sequence[Any]], Callable[[int], str]]:
    """Columns of a CSV file, whatever stands between them: a comma, a semicolon or a tab."""
    text = decode(table.read_bytes(), title)
    first = text.split("\n", 1)[0]
    between = "\t" if "\t" in first else max(",;", key=first.count)
    csv.field_size_limit(1 << 20)
    try:
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True) if row]
    except csv.Error as error:
        raise UsageError(f"{title}: not a CSV file: {brief(error)}") from error
    if not lines:
        raise UsageError(f"{title}: it is empty; expected a header with {', '.join(COLUMNS[:2])}, and a row per tile")
    header = [name.strip().lower() for name in lines[0]]
    if twice := [name for k, name in enumerate(header) if name in header[:k]]:
        raise UsageError(f"{title}: column {twice[0]!r} is there twice; rename one")
    for k, row in enumerate(lines[1:], 2):
        if len(row) != len(header):
            raise UsageError(f"{title}: row {k} has {len(row)} values, the header {len(header)}; put texts in quotes")
    columns = zip(*lines[1:], strict=True) if len(lines) > 1 else ((),) * len(header)
    return dict(zip(header, columns, strict=True)), lambda i: f"row {i + 2}"


def _parquet(table: Path, title: str) -> tuple[dict[str, Sequence[Any]], Callable[[int], str]]:
    import pyarrow as pa

    from senbench.io.parquet import read_parquet

    try:
        found = read_parquet(table)
    except (OSError, pa.ArrowException) as error:
        raise UnavailableError(f"{title}: cannot be read as Parquet: {brief(error)}") from error
    wanted = {name: found.column(name) for name in found.column_names}
    return {name.lower(): _Lazy(column) for name, column in wanted.items()}, lambda i: f"row {i + 1}"


class _Lazy(list[Any]):
    """Values of a column that are made when they are asked for: a table may have many others."""

    def __init__(self, column: Any) -> None:
        super().__init__()
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __iter__(self) -> Any:
        return iter(self._column.to_pylist())


def _paths(of: _Columns, name: str, root: Path) -> tuple[str, ...]:
    values = list(of.by_name[name])
    if not all(isinstance(value, str) and value.strip() for value in values):
        row = next(i for i, value in enumerate(values) if not (isinstance(value, str) and value.strip()))
        raise of.fault(row, f"column {name!r} names no file ({values[row]!r:.40})")
    paths = [value.strip().removeprefix("./") for value in values]
    if any("\\" in path or path.startswith("/") or path[1:2] == ":" for path in paths):
        paths = [_relative(path.replace("\\", "/"), root.resolve(), of, row) for row, path in enumerate(paths)]
    if len(first := dict(zip(reversed(paths), range(len(paths) - 1, -1, -1), strict=True))) < len(paths):
        row = next(i for i, path in enumerate(paths) if first[path] < i)
        raise of.fault(row, f"{paths[row]} is there already, in {of.line(first[paths[row]])}: a tile has one row")
    return tuple(paths)


def _relative(path: str, root: Path, of: _Columns, row: int) -> str:
    if not path.startswith("/") and path[1:3] != ":/":
        return path
    try:
        return Path(path).relative_to(root).as_posix()
    except ValueError as error:
        raise of.fault(
            row, f"{path} lies outside the folder of the table; give the folder that holds it with --data-dir"
        ) from error


def _labels(of: _Columns, asked: str | None) -> tuple[tuple[str, ...], Task, NDArray[Any]]:
    """Classes, task and labels; several of a tile are a list, or lie between semicolons in the column `labels`."""
    both = [name for name in ("label", "labels") if name in of.by_name]
    if asked is None and len(both) == 2:
        raise UsageError(f"{of.title}: has the columns label and labels: choose one with --label-column")
    name = of.required(asked or (both[0] if both else "label"), "label")
    values = list(of.by_name[name])
    if name != "labels" and not any(isinstance(value, list | tuple) for value in values):
        own = _texts(values)
        if "" in own:
            raise of.fault(own.index(""), f"column {name!r} has no label; leave the row out")
        classes = tuple(sorted(set(own), key=natural))
        at = {key: k for k, key in enumerate(classes)}
        return classes, "single-label", np.fromiter(map(at.__getitem__, own), np.int64, len(own))
    several = [
        [_plain(one) for one in (value if isinstance(value, list | tuple) else _plain(value).split(BETWEEN))]
        for value in values
    ]
    classes = tuple(sorted({key for keys in several for key in keys if key}, key=natural))
    at = {key: k for k, key in enumerate(classes)}
    labels = np.zeros((len(several), len(classes)), bool)
    for row, keys in enumerate(several):
        labels[row, [at[key] for key in keys if key]] = True
    return classes, "multi-label", labels


def _splits(of: _Columns, n: int) -> dict[str, NDArray[np.int64]]:
    names = of.texts("split")
    found: dict[str, NDArray[np.int64]] = {}
    if names is not None:
        if NEVER in names:
            raise of.fault(names.index(NEVER), f"a split cannot be called {NEVER!r}, which stands for all rows")
        as_array = np.array(names)
        found = {name: np.flatnonzero(as_array == name) for name in sorted(set(names)) if name}
    return {**found, NEVER: np.arange(n)}


def _places(of: _Columns, paths: tuple[str, ...]) -> Callable[[], tuple[str, ...]] | None:
    """Clusters as the table names them, else blocks of 5 km from latitude and longitude."""
    if (clusters := of.texts("cluster")) is not None:
        named = tuple(name or f"unlocated/{path}" for name, path in zip(clusters, paths, strict=True))
        return lambda: named
    if ("lat" in of.by_name) != ("lon" in of.by_name):
        raise UsageError(f"{of.title}: has one of the columns lat and lon; positions need both")
    if "lat" not in of.by_name:
        return None
    degrees = np.stack([_degrees(of, "lat", 90.0), _degrees(of, "lon", 180.0)])
    return cache(lambda: _blocks(degrees, paths))


def _degrees(of: _Columns, name: str, most: float) -> NDArray[np.float64]:
    values = list(of.by_name[name])
    try:
        found = np.fromiter(map(float, values), np.float64, len(values))
    except (ValueError, TypeError):  # one is empty, or no number
        plain = [_plain(value) for value in values]
        found = np.array([_number(of, row, name, text) for row, text in enumerate(plain)])
    if (outside := np.flatnonzero(np.abs(found) > most)).size:
        row = int(outside[0])
        raise of.fault(row, f"{name} {values[row]} is outside -{most:.0f} to {most:.0f} degrees")
    return found


def _number(of: _Columns, row: int, name: str, text: str) -> float:
    try:
        return float(text or "nan")
    except ValueError as error:
        raise of.fault(row, f"{name} {text!r} is no number of degrees") from error


def _blocks(degrees: NDArray[np.float64], paths: tuple[str, ...]) -> tuple[str, ...]:
    """The block of 5 km in which each place lies, in the UTM zone of its longitude."""
    from rasterio.warp import transform

    lat, lon = degrees
    known = np.isfinite(lat) & np.isfinite(lon)
    zone = np.clip(np.floor((np.where(known, lon, 0) + 180) / 6).astype(int) + 1, 1, 60)
    code = np.where(lat >= 0, 32600, 32700) + zone
    found = [f"unlocated/{path}" for path in paths]
    for epsg in np.unique(code[known]).tolist():
        rows = np.flatnonzero(known & (code == epsg))
        for row, x, y in zip(rows.tolist(), *transform("EPSG:4326", f"EPSG:{epsg}", lon[rows], lat[rows]), strict=True):
            found[row] = block_at(f"EPSG:{epsg}", x, y)
    return tuple(found)
