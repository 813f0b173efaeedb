"""The patches of a split, independent of the format of their list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from senbench.datasets.eurosat.splits import read_names
from senbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

T = TypeVar("T")


@dataclass(frozen=True)
class PatchTable:
    """Patches with their labels, in the order of their list.

    Attributes:
        ids: Patch names, unique.
        folders: Folder of each patch below the folder of all.
        mgrs: MGRS tile of each patch, e.g. `33UUP`.
        labels: Multi-hot, bool (N, C).
        faults: Position -> why that listed patch cannot be scored.
        meta: Facts by name, one text per patch: `date` (ISO); v2 also `country` and `s2v1_name`, if the table has
            them.
    """

    ids: tuple[str, ...]
    folders: tuple[str, ...]
    mgrs: tuple[str, ...]
    labels: NDArray[np.bool_]
    faults: dict[int, str] = field(default_factory=dict)
    meta: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.ids)) < len(self.ids):
            twice = next(name for name, n in Counter(self.ids).items() if n > 1)
            raise UnavailableError(f"patch {twice} is listed twice; write every patch once")


def chosen(file: str, known: Mapping[str, T], where: str) -> list[T]:
    """Return the entries named in a user's `--split FILE`, in the order of the source.

    Args:
        file: The file: one patch name per line.
        known: Patch name -> entry, in the order of the source.
        where: Description of the source, for messages.

    Raises:
        UsageError: The file is empty, or names patches that do not exist.
    """
    path = Path(file).expanduser()
    names = read_names(path)
    if missing := [name for name in names if name not in known]:
        raise UsageError(
            f"--split {path.name}: {len(missing):,} of {len(names):,} patches are not in {where}, the first is "
            f"{missing[0]!r}"
        )
    wanted = set(names)
    return [entry for name, entry in known.items() if name in wanted]


def multi_hot(
    named: Sequence[Sequence[str]], columns: Mapping[str, int | None], n: int
) -> tuple[NDArray[np.bool_], dict[int, str]]:
    """Convert labels by name to a matrix.

    Args:
        named: Label names of each patch.
        columns: Name -> column, None for names that are ignored.
        n: Number of columns.

    Returns:
        bool (N, n), and for each row with a name that is not among `columns` a message about the first.
    """
    labels = np.zeros((len(named), n), dtype=bool)
    faults: dict[int, str] = {}
    for row, names in enumerate(named):
        for name in names:
            if name not in columns:
                faults.setdefault(row, f"label {name!r} is not one of the {len(columns)} classes")
            elif (column := columns[name]) is not None:
                labels[row, column] = True
    return labels, faults


def iso_date(digits: str) -> str:
    """`20170613` as `2017-06-13`."""
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
