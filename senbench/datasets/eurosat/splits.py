"""EuroSAT's tiles by class and number, and the lists that split them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.readers.left_out import beside, left_out
from senbench.datasets.tiles import Tiles
from senbench.errors import UnavailableError, UsageError
from senbench.io import download, hub
from senbench.io.plain_text import composed, decode, name_fault
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from senbench.datasets.readers.sources import Source
    from senbench.datasets.tiles import Reader
    from senbench.schema.blocks import LeftOut
    from senbench.schema.dataset import DatasetInfo

REPO = "torchgeo/eurosat"
REVISION = "1ce6f1bfb56db63fd91b6ecc466ea67f2509774c"
"""Commit of `REPO` that TorchGeo 0.8 pins; a test compares both with its classes."""


@dataclass(frozen=True)
class SplitList:
    """One published list of tile names: its file, md5 and number of names."""

    file: str
    md5: str
    n: int


LISTS = {
    "random-train": SplitList("eurosat-train.txt", "908f142e73d6acdf3f482c5e80d851b1", 16200),
    "random-val": SplitList("eurosat-val.txt", "95de90f2aa998f70a3b2416bfe0687b4", 5400),
    "random-test": SplitList("eurosat-test.txt", "7ae5ab94471417b6e315763121e67c5f", 5400),
    "spatial-train": SplitList("eurosat-spatial-train.txt", "7be3254be39f23ce4d4d144290c93292", 16200),
    "spatial-val": SplitList("eurosat-spatial-val.txt", "acf392290050bb3df790dc8fc0ebf193", 5400),
    "spatial-test": SplitList("eurosat-spatial-test.txt", "5ec1733f9c16116bf0aa2d921fc613ef", 5400),
    "100-train": SplitList("eurosat-100-train.txt", "033d0c23e3a75e3fa79618b0e35fe1c7", 60),
    "100-val": SplitList("eurosat-100-val.txt", "3e3f8b3c344182b8d126c4cc88f3f215", 20),
    "100-test": SplitList("eurosat-100-test.txt", "f908f151b950f270ad18e61153579794", 20),
}
"""TorchGeo's lists, repeated here because its import takes 3 to 12 s."""


class Listed(NamedTuple):
    """The names of a split."""

    ids: tuple[str, ...]
    n: int
    """Tiles that the split must have to be complete."""


class NamedTile(NamedTuple):
    """One tile of a source."""

    id: str
    """`<Class>_<n>`, the same for the JPEG and the TIFF of a tile."""
    label: int
    """Index into `EUROSAT`."""
    name: str
    """Member name in the source."""


def find_tiles(source: Source, suffixes: Collection[str]) -> list[NamedTile]:
    """Find the tiles of a source, sorted by class and then number.

    A tile is a file with one of the suffixes in a folder with the name of a class; the location of that folder does not
    matter, so that `2750/`, `EuroSAT_RGB/` and TorchGeo's long path can all be read.

    Args:
        source: Folder or archive.
        suffixes: Accepted suffixes, lower case, with dot.

    Returns:
        The tiles; empty if there is none.

    Raises:
        UsageError: A file in a class folder is not named `<Class>_<n>`.
        UnavailableError: A tile occurs twice.
    """
    label = {key: i for i, key in enumerate(EUROSAT)}
    by_stem: dict[str, tuple[int, int, str]] = {}
    for name in source.names:  # tens of thousands: plain strings take a tenth of the time of paths
        path, dot, suffix = name.rpartition(".")
        folder, _, stem = path.rpartition("/")
        key = folder.rpartition("/")[2]
        if key not in label or not stem or f"{dot}{suffix}".lower() not in suffixes:
            continue
        number = stem.removeprefix(f"{key}_")
        if not (number.isascii() and number.isdigit()) or number == stem:
            raise UsageError(
                f"{source.title}: {name} is not named {key}_<number>.{suffix}, as EuroSAT's "
                "tiles are; your own images are run with --dataset folder:PATH"
            )
        if stem in by_stem:
            raise UnavailableError(f"{source.title}: tile {stem} occurs twice: {by_stem[stem][2]} and {name}")
        by_stem[stem] = label[key], int(number), name
    return [NamedTile(stem, k, name) for stem, (k, _, name) in sorted(by_stem.items(), key=itemgetter(1))]


def open_split(
    info: DatasetInfo,
    split: str,
    listed: Listed | None,
    source: Source,
    tiles: list[NamedTile],
    reader: Callable[[tuple[str, ...]], Reader],
    rules: tuple[str, Callable[[Any], dict[str, Any]]],
) -> Tiles:
    """Return the existing tiles of a split, in the order of the source.

    Args:
        info: The dataset.
        split: A named split, or a file of tile names.
        listed: The names of the split, if there is a published list.
        source: The source of the tiles.
        tiles: Tiles of the source.
        reader: Makes the reader of the members with these names.
        rules: Rendering that it applies, and reader -> facts about the pixels for results (`Tiles.facts_of_source`).

    Raises:
        UsageError: `split` is neither a split nor a file, or the file names tiles that do not exist.
        UnavailableError: No tile of the split exists, or more than the split has.
    """
    radiometry, told = rules
    if split not in info.splits:
        path = Path(split).expanduser()
        if not path.is_file():
            raise unknown(f"split of {info.id} (and no such file)", split, info.splits)
        ids, known = read_names(path), {tile.id for tile in tiles}
        if missing := [i for i in ids if i not in known]:
            raise UsageError(
                f"--split {path.name}: {len(missing)} of {len(ids)} names are not in the data, the first is "
                f"{missing[0]!r}; names look like {EUROSAT[0]}_1.jpg"
            )
        listed, split = Listed(ids, len(ids)), f"file:{composed(path.name)}"
    expected = info.splits[split] if listed is None else listed.n
    wanted = None if listed is None else set(listed.ids)
    chosen = [tile for tile in tiles if wanted is None or tile.id in wanted]
    if not chosen:
        raise UnavailableError(f"{source.title}: none of the {expected:,} tiles of split {split} is in it")
    if len(chosen) > expected:
        raise UnavailableError(
            f"{source.title}: holds {len(chosen):,} tiles, split {split} has {expected:,}; this is another dataset, "
            "or pass the names to use as --split FILE"
        )
    opened = reader(tuple(tile.name for tile in chosen))
    facts = told(opened)
    if len(chosen) < expected and (unread := _left_out(source, {tile.name for tile in tiles}, wanted)):
        facts["pixels"]["left_out"] = [one.model_dump(mode="json") for one in unread]
    return Tiles(
        info=info,
        split=split,
        source=source.title,
        ids=tuple(tile.id for tile in chosen),
        labels=np.array([tile.label for tile in chosen], dtype=np.int64),
        reader=opened,
        n_expected=expected,
        radiometry=radiometry,
        facts_of_source=facts,
    )


def _left_out(source: Source, read: Collection[str], wanted: Collection[str] | None) -> tuple[LeftOut, ...]:
    """Return files in class folders whose suffix is not that of tiles, if the split is incomplete."""
    names = []
    for name in source.names:
        folder, _, file = name.rpartition("/")
        a_tile = folder.rpartition("/")[2] in EUROSAT and name not in read and not beside(name, read)
        if a_tile and (wanted is None or file.partition(".")[0] in wanted):
            names.append(name)
    return left_out(names)


def parse_names(text: str, where: str) -> tuple[str, ...]:
    """Parse a list of tile names to tile ids.

    Args:
        text: One name per line, with or without class folder and suffix (`.jpg`, `.jpeg`, `.tif`, `.tiff`);
            empty lines are skipped.
        where: The file, for messages.

    Returns:
        Ids in the order of the list, letters and their accents composed (NFC).

    Raises:
        UsageError: The list is empty or names a tile twice.
    """
    ids = []
    for line in composed(text).replace("\r", "\n").split("\n"):
        base = line.strip().replace("\\", "/").rsplit("/", 1)[-1]
        if base:
            ids.append(re.sub(r"\.(jpe?g|jpe|jfif|tiff?)$", "", base, flags=re.IGNORECASE))
    if not ids:
        raise UsageError(f"--split {where}: the file names no tile; write one name per line")
    if len(set(ids)) < len(ids):
        twice = next(name for name, n in Counter(ids).items() if n > 1)
        raise UsageError(f"--split {where}: {twice} is named twice; write every tile once")
    return tuple(ids)


def read_names(path: Path) -> tuple[str, ...]:
    """Read the tile ids of a list file; UsageError if it is empty or not text, UnavailableError if unreadable."""
    if fault := name_fault(path.name):
        raise UsageError(f"--split: the file name {fault}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnavailableError(f"split list {path}: cannot be read: {error.strerror}") from error
    return parse_names(decode(data, f"--split {path.name}"), path.name)


def published(
    spec: SplitList,
    *,
    look_in: Iterable[Path],
    place: str,
    offline: bool,
    dataset: str,
) -> Listed:
    """Read the tile ids of a published list from the given folders, SENBENCH_HOME, or the hub.

    Args:
        spec: The list.
        look_in: Folders to search first.
        place: Folder below `SENBENCH_HOME/data` for the downloaded list.
        offline: Open no socket.
        dataset: Dataset id, for the message that names the command.

    Raises:
        UnavailableError: The list does not exist and cannot be downloaded, or the existing file is another list.
    """
    home_file = home() / "data" / place / spec.file
    path = next((path for folder in look_in if (path := folder / spec.file).is_file()), home_file)
    if not path.is_file():
        order = download.Fetch(
            hub.RepoFile(REPO, spec.file, "dataset", REVISION),
            home_file,
            what="EuroSAT split list",
            md5=spec.md5,
            command=f"senbench datasets fetch {dataset}",
        )
        download.fetch(order, offline=offline)
    elif download.digest(path, "md5") != spec.md5:
        raise UnavailableError(
            f"{path} is not the published list (its md5 is not {spec.md5}); delete it, or rename "
            "it and pass it as --split FILE"
        )
    return Listed(read_names(path), spec.n)
