"""Embeddings as a table, CSV or Parquet: one row per image and per prompt."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError, brief

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

NUMBERED = re.compile(r"embedding_(0|[1-9][0-9]*)")
"""Name of a column with one number of each embedding."""
LISTED = "embedding"
"""Name of a column (Parquet) with whole embeddings."""
KNOWN = ("id", "label", "text", "cluster", "logit_scale")
"""Columns that may stand beside them."""


def holds_embeddings(head: Sequence[str]) -> bool:
    """Whether a table with these columns holds embeddings."""
    return any(name == LISTED or NUMBERED.fullmatch(name) for name in head)


def names_of(text: str) -> list[str]:
    """Names of the columns of a CSV."""
    line = text.split("\n", 1)[0].strip()
    return [name.strip() for name in next(csv.reader([line]), [])]


def from_csv(text: str, file: str) -> dict[str, NDArray[Any]]:
    """Arrays of a CSV with embeddings; see `from_table`.

    Args:
        text: The table.
        file: Its name, for messages.

    Raises:
        UsageError: A row of another length, or a cell that is no number.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    head = names_of(text)
    types = {name: pa.float32() if NUMBERED.fullmatch(name) else pa.string() for name in head}
    read = arrow.ReadOptions(use_threads=False, column_names=head, skip_rows=1)
    parse = arrow.ParseOptions(newlines_in_values=True)
    kinds = arrow.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    try:
        return from_table(arrow.read_csv(io.BytesIO(text.encode()), read, parse, kinds), file)
    except pa.ArrowInvalid as error:
        raise UsageError(f"{file}: {brief(error)}") from error


def from_table(table: pa.Table, file: str) -> dict[str, NDArray[Any]]:
    """Arrays as an .npz with embeddings has them (`embeddings_npz.check`).

    A row with a `text` is a prompt, and its `label` the class that it speaks of; every other row is an image, with its
    `label` and perhaps `id` and `cluster`. Classes are indices, or names in the order in which prompts name them first.
    The embedding is in the columns `embedding_0`, `embedding_1`, ..., or in one column `embedding` of lists.
    `logit_scale` is the same in every row that has it. Without any prompt, `texts` and `text_class` are missing.

    Args:
        table: The table.
        file: Its name, for messages.

    Raises:
        UsageError: A column is missing or there twice, or a cell does not fit; names its row, the head is row 1.
    """
    head = table.column_names
    if len(set(head)) < len(head):
        raise UsageError(f"{file}: two columns have one name")
    if odd := [name for name in head if name not in (*KNOWN, LISTED) and not NUMBERED.fullmatch(name)]:
        raise UsageError(f"{file}: column {odd[0]!r} is unknown; beside embeddings: {', '.join(KNOWN)}")
    if "label" not in head:
        raise UsageError(f"{file}: no column 'label'; every image and every prompt has its class")
    rows = _embeddings(table, file)
    text, label = _cells(table, "text"), _cells(table, "label")
    if empty := [k for k, cell in enumerate(label) if cell is None]:
        raise UsageError(f"{file}: column 'label' is empty in row {empty[0] + 2}")
    prompt = np.array([cell is not None for cell in text], bool)
    found = {"images": rows[~prompt]}
    places = np.flatnonzero(prompt).tolist(), np.flatnonzero(~prompt).tolist()
    own = [label[k] for k in places[1]]
    found["labels"], classes = _classes(file, [label[k] for k in places[0]], own, places[1])
    if prompt.any():
        found |= {"texts": rows[prompt], **classes}
    for name, array in (("id", "ids"), ("cluster", "clusters")):
        cells = [_cells(table, name)[k] for k in places[1]] if name in head else []
        if name == "cluster" and not any(cells):
            continue
        if None in cells:
            raise UsageError(f"{file}: column {name!r} is empty in row {places[1][cells.index(None)] + 2}")
        if cells:
            found[array] = np.array(cells)
    if scales := {cell for cell in _cells(table, "logit_scale") if cell is not None}:
        try:
            (scale,) = map(float, scales)
        except ValueError:
            raise UsageError(
                f"{file}: column 'logit_scale' holds {', '.join(sorted(scales)[:3])}: one number"
            ) from None
        found["logit_scale"] = np.float64(scale)
    return found


def _embeddings(table: pa.Table, file: str) -> NDArray[np.float32]:
    """Embeddings of all rows, float32 (N, D)."""
    numbers = sorted(int(found[1]) for name in table.column_names if (found := NUMBERED.fullmatch(name)))
    if (LISTED in table.column_names) is bool(numbers):
        raise UsageError(
            f"{file}: give the embedding as columns embedding_0, embedding_1, ..., or as one column of lists"
        )
    if not table.num_rows:
        raise UsageError(f"{file}: no row below the names of the columns")
    if numbers != list(range(len(numbers))):
        gap = next(k for k, number in enumerate(numbers) if k != number)
        raise UsageError(f"{file}: column 'embedding_{gap}' is missing; its columns go to embedding_{numbers[-1]}")
    try:
        if numbers:
            columns = [table[f"embedding_{k}"].to_numpy() for k in numbers]
            rows = np.stack(columns, axis=1).astype(np.float32)
        else:
            cells = table[LISTED].to_pylist()
            widths = {0 if cell is None else len(cell) for cell in cells}
            if len(widths) > 1 or 0 in widths:
                raise UsageError(f"{file}: the lists of column 'embedding' have lengths {sorted(widths)[:3]}")
            rows = np.array(cells, np.float32)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file}: an embedding holds something else than numbers ({brief(error)})") from error
    if len(bad := np.flatnonzero(~np.isfinite(rows).all(axis=1))):
        raise UsageError(f"{file}: the embedding of row {bad[0] + 2} is empty or not finite")
    return rows


def _cells(table: pa.Table, name: str) -> list[str | None]:
    """Texts of a column; None where a cell is empty, or there is no such column."""
    if name not in table.column_names:
        return [None] * table.num_rows
    return [None if cell is None or str(cell).strip() == "" else str(cell).strip() for cell in table[name].to_pylist()]


def _classes(
    file: str, prompted: list[Any], own: list[Any], rows: list[int]
) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Labels of the images, and `text_class` and perhaps `class_names`."""
    if all(str(cell).isascii() and str(cell).isdecimal() for cell in (*prompted, *own)):
        return np.array(own, np.int64), {"text_class": np.array(prompted, np.int64)}
    names = list(dict.fromkeys(prompted))
    if not names:
        return np.array(own), {}
    of = {name: k for k, name in enumerate(names)}
    if lost := [k for k, cell in zip(rows, own, strict=True) if cell not in of]:
        cell = own[rows.index(lost[0])]
        raise UsageError(f"{file}: label {cell!r} of row {lost[0] + 2} is no class that a prompt has")
    return np.array([of[cell] for cell in own], np.int64), {
        "text_class": np.array([of[cell] for cell in prompted], np.int64),
        "class_names": np.array(names),
    }
