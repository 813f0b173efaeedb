"""Downloads BigEarthNet's Sentinel-2 archives and split lists from the addresses that TorchGeo pins."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from senbench.datasets.bigearthnet import v1, v2
from senbench.datasets.readers import tar_stream
from senbench.errors import UnavailableError
from senbench.io import http, hub
from senbench.io.download import Fetch, Origin, fetch, megabytes, one_at_a_time, verify
from senbench.runtime.paths import home
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from senbench.schema.dataset import DatasetInfo

_HUB = re.compile(r"https://(?:hf\.co|huggingface\.co)/datasets/([^/]+/[^/]+)/resolve/([0-9a-f]{40})/(.+)")

EVERY = 30.0
"""Seconds between two progress lines while unpacking."""


@dataclass(frozen=True)
class PinnedFile:
    """One file at its pinned address."""

    url: str
    name: str
    md5: str


@dataclass(frozen=True)
class Parcel:
    """The files of one version of BigEarthNet.

    Attributes:
        lists: Small files next to the patches.
        parts: The archive of patches, or its parts in order.
        folder: Top folder of the archive.
        wanted: Names of the members to unpack.
        patches: Pattern of files whose number is that of the patches.
        packed: Approximate bytes of all parts.
        unpacked: Approximate bytes on a disk with blocks of 4 KiB.
    """

    lists: tuple[PinnedFile, ...]
    parts: tuple[PinnedFile, ...]
    folder: str
    wanted: re.Pattern[str]
    patches: str
    packed: int
    unpacked: int


PATCH = 4 * 32768 + 6 * 8192 + 2 * 4096 + 4096
"""Bytes of one patch on disk in blocks of 4 KiB, its folder included: 4, 6 and 2 files of 29,192, 7,560 and 1,160."""


def version_1() -> Parcel:
    """Return v1: one archive of 590,326 patches; its size is approximate until the server states it."""
    from torchgeo.datasets import BigEarthNet

    archive = BigEarthNet.metadata["s2"]
    return Parcel(
        lists=tuple(PinnedFile(m["url"], m["filename"], m["md5"]) for m in BigEarthNet.splits_metadata.values()),
        parts=(PinnedFile(archive["url"], archive["filename"], archive["md5"]),),
        folder=v1.FOLDER,
        wanted=re.compile(
            r"BigEarthNet-v1\.0/(S2[AB]_MSIL2A_\w+)/\1_(?:B(?:0[1-9]|8A|1[12])\.tif|labels_metadata\.json)"
        ),
        patches="*",
        packed=66_000_000_000,
        unpacked=590_326 * (PATCH + 4096),
    )


def version_2() -> Parcel:
    """Return v2: an archive in two parts, 59 GiB, of 549,488 patches (the table lists those without snow and cloud)."""
    from torchgeo.datasets import BigEarthNetV2

    files = {
        key: tuple(PinnedFile(BigEarthNetV2.url.format(name), name, md5) for name, md5 in at["files"].items())
        for key, at in BigEarthNetV2.metadata_locs.items()
    }
    return Parcel(
        lists=files["metadata"],
        parts=files["s2"],
        folder=v2.FOLDER,
        wanted=re.compile(r"BigEarthNet-S2/(S2[AB]_MSIL2A_\w+)/(\1_\d+_\d+)/\2_B(?:0[1-9]|8A|1[12])\.tif"),
        patches="*/*",
        packed=63_400_000_000,
        unpacked=549_488 * PATCH,
    )


def bring(info: DatasetInfo, parcel: Parcel, place: str, *, offline: bool) -> Path:
    """Download what is missing, first the lists, then the archive, and unpack it.

    All parts are downloaded and their md5 checked before the first is opened. If the disk has no space for both, each
    part is deleted after it was unpacked; after an interruption it must then be downloaded again. The folder appears
    under its name only when it is complete.

    Args:
        info: The dataset.
        parcel: The files of its version.
        place: Folder below `SENBENCH_HOME/data`.
        offline: Open no socket; only check that everything exists.

    Returns:
        The folder of lists and patches.

    Raises:
        UnavailableError: A file cannot be downloaded or is damaged, or there is no disk space.
    """
    root = home() / "data" / place
    settled = offline or all(
        (root / name).exists() for name in (parcel.folder, *(one_list.name for one_list in parcel.lists))
    )
    try:
        with nullcontext() if settled else one_at_a_time(root / "fetching.lock", info.id):
            return _bring(info, parcel, root, offline=offline)
    except OSError as error:
        raise UnavailableError(
            f"{info.id}: {root} cannot be written: {error.strerror or error}; set SENBENCH_HOME elsewhere"
        ) from error


def _bring(info: DatasetInfo, parcel: Parcel, root: Path, *, offline: bool) -> Path:
    store, making = root / "parts", root / "unpacking"
    there = (root / parcel.folder).is_dir()
    done = PATCH * sum(1 for _ in (making / parcel.folder).glob(parcel.patches))
    if not there and not offline:
        _announce(info, parcel, root, store, done)
    for listed in parcel.lists:
        if not (root / listed.name).is_file():
            _fetch(info, listed, store, None, offline=offline).replace(root / listed.name)
    if not there:
        share = parcel.packed // len(parcel.parts)
        parts = [_fetch(info, part, store, share, offline=offline) for part in parcel.parts]
        try:
            _unpack(info, parcel, root, making, parts, done)
        except OSError as error:
            raise UnavailableError(
                f"{info.id}: {making} cannot be written: {error.strerror or error}; make room or set SENBENCH_HOME "
                "elsewhere, then run again to continue"
            ) from error
        shutil.rmtree(making, ignore_errors=True)
    shutil.rmtree(store, ignore_errors=True)
    return root


def _fetch(info: DatasetInfo, remote: PinnedFile, store: Path, size: int | None, *, offline: bool) -> Path:
    """Return the file below `store` after checking its md5, whether it was downloaded or put there by hand."""
    pinned = _HUB.fullmatch(remote.url)
    origin: Origin = hub.RepoFile(pinned[1], pinned[3], "dataset", pinned[2]) if pinned else http.Address(remote.url)
    order = Fetch(
        origin,
        store / (origin.name if pinned else remote.name),
        what=f"dataset {info.id}",
        md5=remote.md5,
        size_hint=size,
        command=f"senbench datasets fetch {info.id}",
    )
    here = order.target.is_file()
    fetch(order, offline=offline)
    if here:
        verify(order.target, f"{order.what}: {order.target}", md5=remote.md5)
    return order.target


def _announce(info: DatasetInfo, parcel: Parcel, root: Path, store: Path, done: int) -> None:
    """Announce the download, and raise an error at once if the disk space is insufficient."""
    free = shutil.disk_usage(root).free
    here = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    begun = f", {megabytes(here)} of it already downloaded" if here else ""
    say(
        f"{info.id}: about {megabytes(parcel.packed)} to fetch{begun}, about {megabytes(parcel.unpacked)} unpacked "
        f"({len(parcel.parts)} archive file(s), deleted afterwards); {megabytes(free)} free in {root}",
        err=True,
    )
    even = [parcel.packed // len(parcel.parts)] * len(parcel.parts)
    need = sum(even) - here + _peak(even, parcel.unpacked - done)
    if free < need:
        raise UnavailableError(
            f"{info.id} needs about {megabytes(need)} of disk while it is unpacked, {root} has {megabytes(free)} free; "
            "make room, set SENBENCH_HOME to another disk, or pass --data-dir with a part of the data"
        )


def _peak(parts: list[int], unpacked: int) -> int:
    """Return the bytes needed in addition to the parts if each is deleted after unpacking."""
    whole = sum(parts) or 1
    return max(unpacked * sum(parts[: k + 1]) // whole - sum(parts[:k]) for k in range(len(parts)))


def _unpack(info: DatasetInfo, parcel: Parcel, root: Path, making: Path, parts: list[Path], done: int) -> None:
    sizes = [path.stat().st_size for path in parts]
    free, left = shutil.disk_usage(root).free, parcel.unpacked - done
    if free < _peak(sizes, left):
        raise UnavailableError(
            f"{info.id}: unpacking needs about {megabytes(_peak(sizes, left))} more, {root} has {megabytes(free)} "
            "free; make room, then run again: what was fetched is kept"
        )
    keep = free > left or len(parts) == 1
    note = "" if keep else "; no room for both: each archive file is deleted when unpacked"
    say(f"unpacking {info.id} into {root}{note}", err=True)
    n_unpacked = tar_stream.unpack(
        parts, making, wanted=parcel.wanted, title=f"dataset {info.id}", keep=keep, advance=_lines(sum(sizes))
    )
    if not n_unpacked:
        raise UnavailableError(
            f"dataset {info.id}: no patch in {', '.join(p.name for p in parts)}; is it another archive?"
        )
    (making / parcel.folder).replace(root / parcel.folder)


def _lines(total: int) -> Callable[[int, int], None]:
    """Return a function that prints progress on stderr every half minute."""
    last = time.monotonic()

    def advance(files: int, consumed: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            say(f"{files:,} files, {consumed / total:.0%} of {megabytes(total)}", err=True)

    return advance
