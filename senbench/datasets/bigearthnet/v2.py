"""BigEarthNet v2 (reBEN): the table of patches, labels, splits and countries."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from senbench.datasets.bigearthnet.corine import CLASSES_19
from senbench.datasets.bigearthnet.table import PatchTable, chosen, iso_date, multi_hot
from senbench.errors import UnavailableError, brief
from senbench.io.parquet import read_parquet, texts

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.dataset import DatasetInfo

PLACE = "bigearthnet-v2"
"""Folder below `SENBENCH_HOME/data`."""
FOLDER = "BigEarthNet-S2"
TABLE = "metadata.parquet"
SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Split -> its name in the table."""

_NEEDED = ("patch_id", "labels", "split")
_OPTIONAL = ("country", "s2v1_name")
_PATCH = re.compile(r"(S2[AB]_MSIL2A_(\d{8})T\d{4,6}_N\d{4}_R\d{3}_T(\d{2}[A-Z]{3}))_\d+_\d+")
_COLUMNS: dict[str, int | None] = {name: k for k, name in enumerate(CLASSES_19)}


def listing(split: str) -> str:
    """Return the name of a split's list, for messages."""
    del split
    return TABLE


def rows(root: Path, split: str, info: DatasetInfo) -> PatchTable:
    """Read the patches of a split with their labels.

    Args:
        root: Folder with `metadata.parquet`, the only file that is read.
        split: `train`, `val`, `test`, or a file of patch names.
        info: The dataset.

    Returns:
        The patches in the order of the table.

    Raises:
        UsageError: The file names patches that are not in the table.
        UnavailableError: The table is missing, damaged, lacks a column, or has no patch of the split.
    """
    path = root / TABLE
    table = _read(path, info, SPLITS[split] if split in info.splits else None)
    if split in info.splits:
        if not table:
            raise UnavailableError(f"{path} has no patch of split {split} ({SPLITS[split]!r} in column split)")
    else:
        table = chosen(split, {str(row["patch_id"]): row for row in table}, TABLE)
    names: list[tuple[str, str, str, str]] = []
    for row in table:
        if (match := _PATCH.fullmatch(str(row["patch_id"]))) is None:
            raise UnavailableError(
                f"{path}: patch_id {str(row['patch_id'])[:80]!r} is not a name such as "
                "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_57"
            )
        names.append((match[0], f"{match[1]}/{match[0]}", match[3], iso_date(match[2])))
    ids, folders, mgrs, dates = zip(*names, strict=True)
    labels, faults = multi_hot([row["labels"] or [] for row in table], _COLUMNS, len(CLASSES_19))
    optional = {name: tuple(str(row[name]) for row in table) for name in _OPTIONAL if name in table[0]}
    return PatchTable(ids, folders, mgrs, labels, faults, {"date": dates, **optional})


def _read(path: Path, info: DatasetInfo, split: str | None) -> list[dict[str, Any]]:
    """Read the rows of one split (None: all) and the columns that are used."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import compute as pc

    fetch = f"`senbench datasets fetch {info.id}` fetches it"
    if not path.is_file():
        raise UnavailableError(f"{path} is not there; {fetch}")
    try:
        schema = pq.read_schema(path)
        if missing := [name for name in _NEEDED if name not in schema.names]:
            raise UnavailableError(
                f"{path} has no column {missing[0]!r} (it has {', '.join(schema.names) or 'none'}); {fetch}"
            )
        if not (pa.types.is_list(schema.field("labels").type) or pa.types.is_large_list(schema.field("labels").type)):
            kind = schema.field("labels").type
            raise UnavailableError(f"{path}: column 'labels' holds {kind}, expected a list of names per patch; {fetch}")
        names = [*_NEEDED, *(name for name in _OPTIONAL if name in schema.names)]
        table = read_parquet(path, names)
        rows_of: list[dict[str, Any]] = (
            table if split is None else table.filter(pc.is_in(table["split"], value_set=texts([split])))
        ).to_pylist()
        return rows_of
    except (pa.ArrowException, OSError) as error:
        raise UnavailableError(
            f"{path}: not a complete parquet file ({brief(error)}); delete it, then {fetch}"
        ) from error
