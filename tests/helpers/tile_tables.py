"""Tables of tiles with the tiles beside them: tools of the tests."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from eurosat_files import jpeg

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CLASSES = ("bare soil", "orchard", "pond")
PLACES = ((45.0, 9.0), (45.001, 9.001), (45.5, 9.7), (-12.0, -77.1))
"""Latitude and longitude: the first two are neighbours in one block."""


def rows(n: int = 9) -> list[dict[str, Any]]:
    """Rows of a whole table: three classes in turn, two splits."""
    return [
        {
            "path": f"img/t{i}.jpg",
            "label": CLASSES[i % 3],
            "split": "test" if i % 2 else "train",
            "lat": PLACES[i % 4][0],
            "lon": PLACES[i % 4][1],
            "country": "IT" if i % 4 < 3 else "PE",
        }
        for i in range(n)
    ]


def tiles_of(root: Path, table: Sequence[dict[str, Any]]) -> None:
    """Write a JPEG for every row."""
    for i, row in enumerate(table):
        path = root / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(i, (40, 30)))


def write(path: Path, table: Sequence[dict[str, Any]], between: str = ",", encoding: str = "utf-8") -> Path:
    """Write the table, as CSV or Parquet by its suffix, and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow.parquet import write_table

        write_table(pa.Table.from_pylist(list(table)), path)
        return path
    with path.open("w", newline="", encoding=encoding) as stream:
        writer = csv.DictWriter(stream, list(table[0]), delimiter=between)
        writer.writeheader()
        writer.writerows(table)
    return path


def whole(root: Path, name: str = "tiles.csv", n: int = 9) -> Path:
    """A table and its tiles."""
    table = rows(n)
    tiles_of(root, table)
    return write(root / name, table)
