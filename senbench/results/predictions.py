"""Reads and writes `predictions.parquet`; sizes and types of untrusted files are checked before decoding."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError, brief
from senbench.io import parquet as arrow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.schema.result import RunResult

FILE = "predictions.parquet"
BETWEEN = "; "
"""Separator between the labels of a multi-label image."""
MAX_BYTES = 1 << 30
"""Size in bytes of the largest file that is opened."""
MAX_DECODED = 4 << 30
"""Largest decoded size in bytes that the file may state."""
MAX_ROWS = 5_000_000


@dataclass(frozen=True)
class Predictions:
    """One row per evaluated image.

    Attributes:
        ids: Tile ids, N.
        labels: Class index, int64 (N,), or multi-hot, bool (N, C).
        clusters: Spatial cluster per image, str (N,); None if positions are unknown.
        scores: Final scores, after post-processing, float32 (N, C).
        predicted: Class index per image, int64 (N,); None for multi-label datasets.
        countries: English name of each image's country, str (N,); None if countries are unknown, or in files of earlier
            versions.
    """

    ids: tuple[str, ...]
    labels: NDArray[Any]
    clusters: NDArray[Any] | None
    scores: NDArray[np.float32]
    predicted: NDArray[np.int64] | None
    countries: NDArray[Any] | None = None

    def label_text(self, row: int, classes: Sequence[str]) -> str:
        """Return the class key of an image; several are separated by `; `."""
        labels = self.labels[row]
        return classes[labels] if self.labels.ndim == 1 else BETWEEN.join(compress(classes, labels))


def write(folder: Path, result: RunResult, table: Predictions) -> None:
    """Write the predictions of a result.

    Args:
        folder: Folder of the result.
        result: The result, for its classes.
        table: One row per evaluated image.

    Raises:
        OSError: The file cannot be written.
    """
    import pyarrow as pa
    from pyarrow import parquet

    classes = result.dataset.classes
    scores = {f"score_{key}": arrow.floats(table.scores[:, c]) for c, key in enumerate(classes)}
    if table.predicted is None:
        truth = {"labels": arrow.lists([[*compress(classes, row)] for row in table.labels])}
    else:
        columns = {"label": table.labels, "prediction": table.predicted}
        truth = {name: arrow.texts([classes[k] for k in rows.tolist()]) for name, rows in columns.items()}
    clusters = [None] * len(table.ids) if table.clusters is None else [str(name) for name in table.clusters]
    places = {"cluster": arrow.texts(clusters)}
    if table.countries is not None:
        places["country"] = arrow.texts([str(name) for name in table.countries])
    parquet.write_table(
        pa.table({"id": arrow.texts(table.ids), **truth, **places, **scores}),
        folder / FILE,
        compression="zstd",
        use_dictionary=[name for name in (*truth, *places) if name != "labels"],
        column_encoding={"id": "DELTA_BYTE_ARRAY", **dict.fromkeys(scores, "BYTE_STREAM_SPLIT")},
    )


def read(folder: Path, result: RunResult) -> Predictions:
    """Read the predictions of a result and check them against its classes.

    Args:
        folder: Folder of the result.
        result: The result.

    Raises:
        UsageError: The file is missing, too large or no such table, or names a class that the result does not have.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / FILE
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise UsageError(f"{FILE}: {size:,} bytes, more than {MAX_BYTES:,}; not opened")
        with parquet.ParquetFile(path) as file:
            _check(file, result)
            table = file.read(use_threads=False)
        table.validate(full=True)
        return _decoded(table, result)
    except FileNotFoundError as error:
        raise UsageError(f"{FILE} is missing in {folder.name}") from error
    except (OSError, pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        raise UsageError(f"{FILE} is damaged: {brief(error)}") from error


def _check(file: Any, result: RunResult) -> None:
    """Check columns, types and sizes, reading only the footer."""
    import pyarrow as pa

    text, multi = pa.string(), result.dataset.task == "multi-label"
    wanted: dict[str, Any] = {"id": text}
    wanted |= {"labels": pa.list_(text)} if multi else {"label": text, "prediction": text}
    wanted |= {"cluster": text, **{f"score_{key}": pa.float32() for key in result.dataset.classes}}
    types = {field.name: field.type for field in file.schema_arrow}
    if len(types) != len(file.schema_arrow):
        raise UsageError(f"{FILE}: two columns have one name")
    if "country" in types:
        wanted["country"] = text
    if odd := sorted(set(types) ^ set(wanted)):
        what = "is not expected" if odd[0] in types else "is missing"
        raise UsageError(f"{FILE}: column {odd[0]!r} {what}")
    for name, kind in wanted.items():
        same = pa.types.is_list(types[name]) and types[name].value_type == text if multi and name == "labels" else None
        if not (same if same is not None else types[name] == kind):
            raise UsageError(f"{FILE}: column {name!r} is {types[name]}, expected {kind}")
    meta = file.metadata
    decoded = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    if meta.num_rows > MAX_ROWS or decoded > MAX_DECODED or not meta.num_rows:
        raise UsageError(f"{FILE}: {meta.num_rows:,} rows, {decoded:,} bytes decoded; expected 1 to {MAX_ROWS:,} rows")


def _decoded(table: Any, result: RunResult) -> Predictions:
    classes = result.dataset.classes
    of = {key: k for k, key in enumerate(classes)}

    def indices(name: str) -> NDArray[np.int64]:
        keys = table[name].to_pylist()
        if odd := next((key for key in keys if key not in of), None):
            raise UsageError(f"{FILE}: {name} {odd!r} is none of the classes of the result")
        if None in keys:
            raise UsageError(f"{FILE}: {name} is empty in row {keys.index(None)}")
        return np.array([of[key] for key in keys], np.int64)

    n, predicted = table.num_rows, None
    labels: NDArray[Any]
    if "labels" in table.column_names:
        labels = np.zeros((n, len(classes)), bool)
        for i, keys_of_row in enumerate(table["labels"].to_pylist()):
            for key in keys_of_row or ():
                if key not in of:
                    raise UsageError(f"{FILE}: label {key!r} is none of the classes of the result")
                labels[i, of[key]] = True
    else:
        labels, predicted = indices("label"), indices("prediction")
    placed = [name for name in ("country",) if name in table.column_names]
    for name in ("id", *placed, *(f"score_{key}" for key in classes)):
        if table[name].null_count:
            raise UsageError(f"{FILE}: column {name!r} has {table[name].null_count:,} empty cells")
    empty = table["cluster"].null_count
    if empty not in (0, n):
        raise UsageError(f"{FILE}: {empty:,} of {n:,} rows have no cluster; expected all or none")
    clusters = None if empty else np.array(table["cluster"].to_pylist())
    scores = np.stack([np.asarray(table[f"score_{key}"], np.float32) for key in classes], axis=1)
    countries = np.array(table["country"].to_pylist()) if placed else None
    return Predictions(tuple(table["id"].to_pylist()), labels, clusters, scores, predicted, countries)
