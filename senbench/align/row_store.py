"""Rows that are made one after the other and kept in a file: what was killed goes on where it was.

A folder with `rows.npy`, `ids.parquet` and `index.json`. The index is replaced as a whole after rows are on the disk,
so that what it counts is there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.align.training_set import StoredRows
from senbench.errors import UnavailableError, UsageError, brief
from senbench.io.parquet import read_parquet
from senbench.runtime import parsing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

ROWS, IDS, INDEX = "rows.npy", "ids.parquet", "index.json"


@dataclass
class RowStore:
    """Rows that are being made.

    Attributes:
        folder: Where.
        shape: Of all rows, (N, ...).
        dtype: Of the values.
        index: What `index.json` holds: settings, `done`, `left_out` (numbers of rows that could not be made).
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    index: dict[str, Any]

    @classmethod
    def begin(cls, folder: Path, ids: Any, settings: dict[str, Any], shape: tuple[int, ...], dtype: Any) -> RowStore:
        """Make a store, or go on with the one that is there.

        Args:
            folder: Where.
            ids: Name of each row, a pyarrow array of texts.
            settings: What decides the rows, JSON-able.
            shape: Of all rows, (N, ...).
            dtype: Of the values.

        Raises:
            UsageError: The folder holds rows of other settings or names, or other files.
            UnavailableError: Its index is damaged.
        """
        settings = {**settings, "ids_sha256": ids_sha256(ids), "shape": list(shape), "dtype": np.dtype(dtype).name}
        settings = parsing.from_json(json.dumps(settings))
        if (folder / INDEX).is_file():
            index = _index(folder)
            if index["settings"] != settings:
                other = next(k for k in settings if index["settings"].get(k) != settings[k])
                raise UsageError(
                    f"--out {folder}: it was made with another {other} ({index['settings'].get(other)}, now "
                    f"{settings[other]}); give another folder"
                )
            return cls(folder, shape, np.dtype(dtype), index)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"--out {folder}: it holds other files; give a folder of its own")
        folder.mkdir(parents=True, exist_ok=True)
        _write_ids(folder / IDS, ids)
        np.lib.format.open_memmap(folder / ROWS, "w+", dtype, shape).flush()
        made = cls(folder, shape, np.dtype(dtype), {"settings": settings, "done": 0, "left_out": []})
        made._note()
        return made

    @property
    def done(self) -> int:
        """Rows that are made, or were left out."""
        return int(self.index["done"])

    @property
    def complete(self) -> bool:
        """Whether all are."""
        return "sha256" in self.index

    def add(self, rows: NDArray[Any], left_out: list[int]) -> None:
        """Keep the next rows.

        Args:
            rows: (n, ...); zeros for those that could not be made.
            left_out: Numbers of these, from 0 among all rows.
        """
        mapped = np.lib.format.open_memmap(self.folder / ROWS, "r+")
        mapped[self.done : self.done + len(rows)] = rows
        mapped.flush()
        self.index |= {"done": self.done + len(rows), "left_out": [*self.index["left_out"], *left_out]}
        self._note()

    def finish(self, **facts: Any) -> None:
        """State that all rows are there, with the hash of their file and further facts."""
        with (self.folder / ROWS).open("rb") as stream:
            self.index |= {**facts, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
        self._note()

    def _note(self) -> None:
        part = self.folder / f".{INDEX}.part"
        part.write_text(json.dumps(self.index, indent=1) + "\n", encoding="utf-8")
        part.replace(self.folder / INDEX)


def opened(folder: Path, maker: str) -> tuple[Any, StoredRows, dict[str, Any]]:
    """A store that is complete.

    Args:
        folder: Where.
        maker: The command that makes it, for messages.

    Returns:
        Names, a pyarrow array; rows; and what the index holds.

    Raises:
        UsageError: There is none, or it is not complete.
        UnavailableError: It is damaged.
    """
    if not (folder / INDEX).is_file():
        raise UsageError(f"{folder}: no such folder of rows; `senbench align {maker}` makes it")
    index = _index(folder)
    if "sha256" not in index:
        n = index["settings"]["shape"][0]
        raise UsageError(f"{folder}: {index['done']:,} of {n:,} rows are made; give `senbench align {maker}` again")
    try:
        ids = read_parquet(folder / IDS).column("id").combine_chunks()
        rows = StoredRows(folder / ROWS, index["sha256"])
        if list(rows.shape) != index["settings"]["shape"] or len(ids) != rows.shape[0]:
            raise ValueError(f"rows {rows.shape}, names {len(ids)}, index {index['settings']['shape']}")
    except Exception as error:  # numpy and pyarrow raise many kinds on damage
        raise UnavailableError(f"{folder}: its files are damaged ({brief(error)}); make it anew") from error
    return ids, rows, index


def ids_sha256(ids: Any) -> str:
    """Hash of names, a pyarrow array of texts."""
    digest = hashlib.sha256()
    for start in range(0, len(ids), 65536):
        digest.update("\n".join(ids[start : start + 65536].to_pylist()).encode() + b"\n")
    return digest.hexdigest()


def _index(folder: Path) -> dict[str, Any]:
    try:
        index: dict[str, Any] = parsing.from_json((folder / INDEX).read_text(encoding="utf-8"))
        if not isinstance(index, dict) or not {"settings", "done", "left_out"} <= index.keys():
            raise ValueError("entries are missing")
    except (OSError, ValueError) as error:
        raise UnavailableError(f"{folder}: {INDEX} is damaged ({brief(error)}); make it anew") from error
    return index


def _write_ids(path: Path, ids: Any) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"id": ids}), path)
