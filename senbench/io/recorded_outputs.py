"""Outputs of models that others recorded: scores, answers or their counts, from .npz, .csv or .parquet."""

from __future__ import annotations

import csv
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from senbench.errors import UnavailableError, UsageError, brief
from senbench.io import embeddings_npz, embeddings_table
from senbench.io.plain_text import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Kind = Literal["embeddings", "scores", "predictions", "confusion"]
MAX_BYTES = 1 << 30
"""Size in bytes of the largest table that is read."""
MAX_ROWS = 5_000_000
"""Largest number of images, and largest total of a confusion matrix."""
SCORE = "score_"
"""Beginning of the name of a column that holds the scores of a class."""
SINGULAR = {"id": "ids", "label": "labels", "prediction": "predictions", "cluster": "clusters"}
"""Column of a table -> the array that it provides."""
KNOWN = ("labels", "ids", "class_names", "clusters", "logit_scale")
"""Optional arrays next to the outputs."""


@dataclass(frozen=True)
class RecordedOutputs:
    """Recorded outputs of a model, read from a file and checked for consistency.

    Attributes:
        kind: `scores`, `predictions` or `confusion`.
        values: Scores, float32 (N, C); answers, class indices int64 (N,) or names str (N,); counts int64 (C, C), rows
            true class.
        labels: Class indices int64 (N,), names str (N,), or multi-hot bool (N, C); None: not given.
        ids: Names of the images, N, unique; None: not given.
        class_names: Names in the order of the columns or indices, C; None: not given.
        clusters: Spatial cluster per image, str (N,), or None.
        logit_scale: Multiplier that makes the scores logits; None: not given.
        dtype: Type of the scores as recorded; `not recorded` for other kinds.
        warnings: Caveats for the reader.
    """

    kind: Kind
    values: NDArray[Any]
    labels: NDArray[Any] | None
    ids: tuple[str, ...] | None
    class_names: tuple[str, ...] | None
    clusters: NDArray[Any] | None
    logit_scale: float | None
    dtype: str
    warnings: tuple[str, ...]


def load(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays or columns of a file, by name; nothing is unpickled.

    Columns `score_<class>` become `scores` and `class_names`; a table of counts (first column `confusion`, the true
    class, then a column for each answer) becomes `confusion` and `class_names`; one with embeddings becomes what an
    .npz of embeddings holds (`embeddings_table`).

    Raises:
        UsageError: Missing, of another kind, or malformed.
        UnavailableError: Unreadable or damaged.
    """
    read = {".csv": _csv, ".parquet": _parquet}.get(file.suffix.lower())
    if read is None:
        return embeddings_npz.load(file)  # decided by the first bytes, not by the name
    if not file.is_file():
        raise UsageError(f"{file}: no such file; give an .npz, .csv or .parquet")
    if (size := file.stat().st_size) > MAX_BYTES:
        raise UsageError(f"{file.name} has {size:,} bytes, more than {MAX_BYTES:,}; not opened")
    try:
        return read(file)
    except OSError as error:
        raise UnavailableError(f"{file.name} cannot be read: {error.strerror or brief(error)}") from error


def _csv(file: Path) -> dict[str, NDArray[Any]]:
    text = decode(file.read_bytes(), file.name)
    lines = text.splitlines()
    if embeddings_table.holds_embeddings(embeddings_table.names_of(text)):
        return embeddings_table.from_csv(text, file.name)
    try:
        head, *rows = [row for row in csv.reader(lines, strict=True) if row] or [[]]
    except csv.Error as error:
        raise UsageError(f"{file.name}: no table with commas ({error})") from error
    head = [name.strip() for name in head]
    if odd := next((k for k, row in enumerate(rows, 2) if len(row) != len(head)), None):
        raise UsageError(f"{file.name}: row {odd} has {len(rows[odd - 2])} cells, the first row names {len(head)}")
    if not rows:
        raise UsageError(f"{file.name}: no row below the names of the columns")
    columns = {name: [row[k].strip() for row in rows] for k, name in enumerate(head)}
    return _arrays(file.name, head, columns)


def _parquet(file: Path) -> dict[str, NDArray[Any]]:
    import pyarrow as pa

    from senbench.io.parquet import read_parquet

    try:
        table = read_parquet(file)
        if embeddings_table.holds_embeddings(table.column_names):
            return embeddings_table.from_table(table, file.name)
        columns = {name: table[name].to_pylist() for name in table.column_names}
    except (pa.ArrowException, ValueError, MemoryError) as error:
        raise UnavailableError(f"{file.name} is damaged: {brief(error)}") from error
    return _arrays(file.name, list(table.column_names), columns)


def _arrays(file: str, head: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> dict[str, NDArray[Any]]:
    """Convert the columns of a table to the arrays that they provide."""
    if len(set(head)) < len(head):
        raise UsageError(f"{file}: two columns have one name")
    if head and head[0] == "confusion":
        names = head[1:]
        if list(columns["confusion"]) != names:
            raise UsageError(f"{file}: the rows of the counts are not the classes of its columns, in the same order")
        counts = [[_number(file, name, cell) for cell in columns[name]] for name in names]
        return {"confusion": np.array(counts, np.float64).T, "class_names": np.array(names)}
    arrays: dict[str, NDArray[Any]] = {}
    scores = [name for name in head if name.startswith(SCORE)]
    for name in head:
        if name in scores:
            continue
        cells = columns[name]
        if empty := next((k for k, cell in enumerate(cells, 2) if cell in (None, "")), None):
            if name == "cluster" and all(cell in (None, "") for cell in cells):
                continue
            raise UsageError(f"{file}: column {name!r} is empty in row {empty}")
        arrays[SINGULAR.get(name, name)] = _column(cells)
    if scores:
        rows = [[_number(file, name, cell) for cell in columns[name]] for name in scores]
        arrays["scores"] = np.array(rows, np.float64).T
        arrays["class_names"] = np.array([name.removeprefix(SCORE) for name in scores])
    return arrays


def _column(cells: Sequence[Any]) -> NDArray[Any]:
    """Return integers if every cell is one, otherwise texts."""
    texts = [str(cell) for cell in cells]
    if all(text.removeprefix("-").isdecimal() and text.isascii() for text in texts):
        return np.array([int(text) for text in texts])
    return np.array(texts)


def _number(file: str, column: str, cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise UsageError(f"{file}: column {column!r} holds {cell!r}, which is not a number") from None


def kind(arrays: Mapping[str, NDArray[Any]]) -> Kind:
    """Return which kind of outputs a file contains.

    Raises:
        UsageError: The file contains none of the four kinds, or several that cannot be combined.
    """
    kinds = [name for name in ("images", "scores", "predictions", "confusion") if name in arrays]
    if kinds == ["scores", "predictions"]:
        kinds = ["scores"]  # senbench's own predictions contain both
    if len(kinds) != 1:
        has = ", ".join(arrays) or "nothing"
        which = f"both {kinds[0]} and {kinds[1]}" if kinds else "neither images, scores, predictions nor confusion"
        raise UsageError(f"the file holds {which} (arrays: {has[:200]}); give one of the four")
    return "embeddings" if kinds == ["images"] else kinds[0]  # type: ignore[return-value]


def check(arrays: Mapping[str, NDArray[Any]]) -> RecordedOutputs:
    """Check scores, answers or counts against the arrays next to them.

    Args:
        arrays: `scores`, `predictions` or `confusion`, and any of `KNOWN`, by name.

    Raises:
        UsageError: A shape, type or value is wrong; the message names it.
    """
    what = kind(arrays)
    values = arrays[what]
    checked = {"scores": _scores, "predictions": _predictions, "confusion": _confusion}[what](values)
    names = _texts(arrays, "class_names")
    n = len(checked)
    if what != "predictions" and names is not None and len(names) != checked.shape[1]:
        raise UsageError(f"class_names are {len(names)}, {what} have {checked.shape[1]} columns; expected one each")
    if names is not None and len(set(names)) < len(names):
        raise UsageError("class_names holds a name twice")
    labels = arrays.get("labels")
    if what == "confusion":
        _totals(labels, checked)
        labels = None
    elif labels is not None:
        labels = _labels(labels, n)
    ids = None if what == "confusion" else _texts(arrays, "ids")
    if ids is not None:
        if len(ids) != n:
            raise UsageError(f"ids are {len(ids):,}, {what} have {n:,} rows; expected one each")
        if len(set(ids)) < n:
            twice = next(name for name, times in Counter(ids).items() if times > 1)
            raise UsageError(f"ids are not unique, {twice} the first: an image would count twice")
    clusters = None if what == "confusion" else _texts(arrays, "clusters")
    if clusters is not None and len(clusters) != n:
        raise UsageError(f"clusters are {len(clusters):,}, {what} have {n:,} rows; expected one each")
    if what == "scores" and "predictions" in arrays:
        _same_answers(arrays["predictions"], checked, names)
    unknown = [name for name in arrays if name not in (*KNOWN, what, "predictions")]
    return RecordedOutputs(
        kind=what,
        values=checked,
        labels=labels,
        ids=ids,
        class_names=names,
        clusters=None if clusters is None else np.array(clusters),
        logit_scale=embeddings_npz.number(arrays, "logit_scale"),
        dtype=values.dtype.name if what == "scores" else "not recorded",
        warnings=tuple(f"array {name!r} is unknown and ignored" for name in unknown),
    )


def _scores(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim != 2 or not values.size or values.dtype.kind not in "fiu" or values.shape[1] < 2:
        raise UsageError(f"scores is {_described(values)}; expected real numbers (N, C), C at least 2")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise UsageError(f"scores of row {row} are not finite: {values[row][~np.isfinite(values[row])][0]}")
    _few(len(values))
    return values.astype(np.float32)


def _predictions(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iuU":
        raise UsageError(f"predictions is {_described(values)}; expected one class index or name per image, (N,)")
    _few(len(values))
    return _composed(values)


def _confusion(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim != 2 or values.shape[0] != values.shape[1] or len(values) < 2 or values.dtype.kind not in "fiu":
        raise UsageError(f"confusion is {_described(values)}; expected counts (C, C), rows true class, C at least 2")
    if not np.isfinite(values).all() or (values < 0).any() or (values != np.round(values)).any():
        raise UsageError("confusion holds something other than counts: give whole numbers from 0, not shares")
    if not (total := int(values.sum())):
        raise UsageError("confusion counts no image")
    _few(total)
    return values.astype(np.int64)


def _few(n: int) -> None:
    if n > MAX_ROWS:
        raise UsageError(f"{n:,} images; at most {MAX_ROWS:,} are evaluated")


def _labels(labels: NDArray[Any], n: int) -> NDArray[Any]:
    if labels.ndim == 2 and len(labels) == n and labels.dtype.kind in "biuf" and np.isin(labels, (0, 1)).all():
        return labels.astype(bool)
    if labels.shape != (n,) or labels.dtype.kind not in "iuU":
        raise UsageError(f"labels is {_described(labels)}; expected {n:,} class indices or names, or 0 and 1 (N, C)")
    return _composed(labels)


def _totals(labels: NDArray[Any] | None, confusion: NDArray[np.int64]) -> None:
    """Check that labels given with a confusion matrix agree with the totals of its rows."""
    if labels is None:
        return
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(confusion):
        raise UsageError(f"labels is {_described(labels)}; beside a confusion matrix, class indices 0..C-1")
    totals = np.bincount(labels, minlength=len(confusion))
    if len(odd := np.flatnonzero(totals != confusion.sum(axis=1))):
        c = int(odd[0])
        raise UsageError(f"confusion counts {int(confusion[c].sum()):,} images of class {c}, labels have {totals[c]:,}")


def _same_answers(answers: NDArray[Any], scores: NDArray[Any], names: tuple[str, ...] | None) -> None:
    best = scores.argmax(axis=1)
    best_of = best if answers.dtype.kind in "iu" else np.array(names or ())[best] if names else None
    if best_of is None or answers.shape != best_of.shape or (odd := np.flatnonzero(best_of != answers)).size:
        row = "" if best_of is None or answers.shape != best_of.shape else f", row {odd[0]} the first"
        raise UsageError(f"predictions are not the classes with the best scores{row}: leave one of the two out")


def _texts(arrays: Mapping[str, NDArray[Any]], name: str) -> tuple[str, ...] | None:
    if name not in arrays:
        return None
    values = arrays[name]
    if values.ndim != 1 or values.dtype.kind not in "Uiu":
        raise UsageError(f"{name} is {_described(values)}; expected texts, (N,)")
    return tuple(unicodedata.normalize("NFC", str(value)) for value in values.tolist())


def _composed(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind != "U":
        return values.astype(np.int64)
    return np.array([unicodedata.normalize("NFC", value) for value in values.tolist()])


def _described(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
