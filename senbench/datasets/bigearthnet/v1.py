"""BigEarthNet v1: the split lists (CSV) and the labels (one JSON per patch)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from senbench.datasets.bigearthnet.corine import columns
from senbench.datasets.bigearthnet.table import PatchTable, chosen, iso_date, multi_hot
from senbench.errors import UnavailableError, brief
from senbench.io.download import digest
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from senbench.schema.dataset import DatasetInfo

PLACE = "bigearthnet-v1"
"""Folder below `SENBENCH_HOME/data`."""
FOLDER = "BigEarthNet-v1.0"
SPLITS = ("train", "val", "test")
MD5 = {
    "train": "623e501b38ab7b12fe44f0083c00986d",
    "val": "22efe8ed9cbd71fa10742ff7df2b7978",
    "test": "697fb90677e30571b9ac7699b7e5b432",
}
"""md5 of the published lists, repeated here to avoid importing TorchGeo; a test compares them with its class."""

_PATCH = re.compile(r"S2[AB]_MSIL2A_(\d{8})T\d{4,6}_\d+_\d+")
_RADAR = re.compile(r"S1[AB]_IW_GRDH_1SDV_\w+_(\d{2}[A-Z]{3})_\d+_\d+")


def listing(split: str) -> str:
    """Return the name of a split's list, for messages."""
    return f"bigearthnet-{split}.csv"


def rows(root: Path, split: str, info: DatasetInfo) -> PatchTable:
    """Read the patches of a split with their labels.

    The Sentinel-2 names do not contain the MGRS tile, which is in the names of the Sentinel-1 patches.

    Args:
        root: Folder with the lists and `BigEarthNet-v1.0/`.
        split: `train`, `val`, `test`, or a file of patch names.
        info: The dataset; its classes are the 43 or the 19.

    Returns:
        The patches in the order of the list; those without readable labels are among the faults.

    Raises:
        UsageError: The file names patches that are in none of the lists.
        UnavailableError: A list is missing, empty, malformed, or has the length but not the content of the published
            one.
    """
    if split in info.splits:
        lines = _lines(root, split)
        if len(lines) == info.splits[split] and digest(root / listing(split), "md5") != MD5[split]:
            raise UnavailableError(
                f"{root / listing(split)} has the {len(lines):,} lines of the published list and is another one (its "
                f"md5 is not {MD5[split]}); delete it and run `senbench datasets fetch {info.id}`"
            )
    else:
        every = [line for part in SPLITS if (root / listing(part)).is_file() for line in _lines(root, part)]
        lines = chosen(split, {line[0]: line for line in every}, "the split lists")
    patches, dates, mgrs = zip(*lines, strict=True)
    labels, faults = read_labels(root / FOLDER, patches, info.classes)
    return PatchTable(patches, patches, mgrs, labels, faults, {"date": dates})


def read_labels(
    folder: Path, patches: Sequence[str], classes: tuple[str, ...]
) -> tuple[NDArray[np.bool_], dict[int, str]]:
    """Read the labels of v1 patches.

    Args:
        folder: `BigEarthNet-v1.0/`.
        patches: Patch names, N.
        classes: The 43 classes or the 19, C.

    Returns:
        Multi-hot, bool (N, C), all False if they cannot be read, and position -> why they cannot be read.
    """

    def read(patch: str) -> list[str] | str:
        file = folder / patch / f"{patch}_labels_metadata.json"
        try:
            named = parsing.from_json(file.read_bytes())["labels"]
            if isinstance(named, list) and all(isinstance(name, str) for name in named):
                return named
            return f"{file.name} has no list of labels"
        except FileNotFoundError:
            gone = file.name if file.parent.is_dir() else "its folder"
            return f"listed, but {gone} is not there"
        except OSError as error:
            return f"{file.name} cannot be read: {error.strerror}"
        except (ValueError, KeyError, TypeError):
            return f"{file.name} is damaged, or has no `labels`"

    with ThreadPoolExecutor(8) as pool:  # on a cold disk most of the time is spent waiting for files
        labels_of = list(pool.map(read, patches, chunksize=256))
    named = [names if isinstance(names, list) else [] for names in labels_of]
    labels, faults = multi_hot(named, columns(classes), len(classes))
    return labels, faults | {i: why for i, why in enumerate(labels_of) if isinstance(why, str)}


def _lines(root: Path, split: str) -> list[tuple[str, str, str]]:
    """Return patch, date and MGRS tile of each line of a list."""
    path = root / listing(split)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UnavailableError(
            f"{path} is not there; `senbench datasets fetch bigearthnet-v1` fetches the split lists"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"{path}: cannot be read as text: {brief(error)}") from error
    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        first, _, second = (part.strip() for part in line.partition(","))
        patch, radar = _PATCH.fullmatch(first), _RADAR.fullmatch(second)
        if patch is None or radar is None:
            raise UnavailableError(
                f"{path}: line {number} is {line.strip()[:100]!r}, expected SENTINEL-2 PATCH,SENTINEL-1 PATCH as in "
                "S2A_MSIL2A_20170613T101031_87_48,S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48"
            )
        lines.append((first, iso_date(patch[1]), radar[1]))
    if not lines:
        raise UnavailableError(f"{path} lists no patch: split {split} is empty here; choose another --split")
    return lines
