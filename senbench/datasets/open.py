"""The datasets by name: what is known of each, and how it is opened. Cheap to import."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.datasets.catalog import BUILTIN
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.dataset_names import LOCAL
from senbench.runtime.lookup import resolve, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from senbench.datasets.tiles import Tiles
    from senbench.schema.dataset import DatasetInfo

OPENERS = {
    "folder:": "senbench.datasets.folder.images",
    "table:": "senbench.datasets.folder.tile_table",
    "torchgeo:": "senbench.datasets.torchgeo.by_class",
    "hf:": "senbench.datasets.hub.by_name",
}
"""Prefix of a name -> the module that describes and opens what follows it."""
FORMS = ("folder:PATH", "table:FILE", "torchgeo:CLASS", "hf:OWNER/NAME")
"""Names with a prefix, for lists and messages."""


def list_datasets() -> list[DatasetInfo]:
    """Static facts of every named dataset; names with a prefix (`FORMS`) come on top of these."""
    return [info for _, info in BUILTIN.values()]


def dataset_info(name: str, *, data_dir: str | None = None, offline: bool = False) -> DatasetInfo:
    """Facts of one dataset.

    Args:
        name: Id, or one of `FORMS`, which is looked at.
        data_dir: Folder that holds the data; None: as the name says, or below SENBENCH_HOME.
        offline: Open no socket.

    Raises:
        UsageError: Unknown, with the closest match; or what the name says is no such dataset.
        UnavailableError: It cannot be looked at.
    """
    name = _own_name(name)
    if (found := _opener(name)) is None:
        return _find(name)[1]
    from senbench.datasets.packed import format as packed

    module, where = found
    if not where:
        raise UsageError(f"dataset {name!r} lacks what follows the colon: {', '.join(FORMS)}")
    if name.startswith("folder:") and packed.is_store(path := Path(where).expanduser()):
        return packed.read_header(path).dataset
    info: DatasetInfo = resolve(f"{module}:describe")(where, data_dir=data_dir, offline=offline)
    return info


def pinned(name: str, *, offline: bool = False) -> str:
    """The name of a dataset with the commit that it stands for, where it is one of the hub; others as they are.

    Args:
        name: As passed.
        offline: Open no socket.

    Raises:
        UsageError: No name of a hub dataset.
        UnavailableError: Its commit is not known and cannot be asked for.
    """
    if not name.startswith("hf:"):
        return name
    from senbench.datasets.hub.snapshot import pin

    return f"hf:{pin(name.removeprefix('hf:'), offline=offline)}"


def _own_name(name: str) -> str:
    """The id under which senbench reads the files of a class of TorchGeo itself; other names as they are."""
    if not name.startswith("torchgeo:"):
        return name
    from senbench.datasets.torchgeo.by_class import alias

    return alias(name.removeprefix("torchgeo:")) or name


def _opener(name: str) -> tuple[str, str] | None:
    """The module that opens a name with a prefix, and what follows it; None for an id."""
    for prefix, module in OPENERS.items():
        if name.startswith(prefix):
            return module, name.removeprefix(prefix)
    return None


def open_dataset(
    name: str,
    *,
    split: str | None,
    data_dir: str | None,
    radiometry: str | None = None,
    dn_offset: str = "auto",
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Tiles:
    """Open a dataset, from its packed stores where there are any, else from its source.

    Args:
        name: Id, or one of `FORMS`.
        split: Split name or a file of tile names; None: the dataset's default.
        data_dir: Folder that holds the data, or a packed store; None: below SENBENCH_HOME.
        radiometry: Rendering of DN; None: the dataset's default.
        dn_offset: DN to subtract from tiles of a user's own folder, `0` or `1000`; `auto`: what their metadata tell.
        offline: Open no socket.
        say: Shows a line: which packed store is read, or why one is not.

    Returns:
        The tiles of the split that are there.

    Raises:
        UsageError: An unknown name, split or radiometry, or an option that does not apply.
        UnavailableError: The data are missing or damaged and cannot be fetched; a packed store is damaged.
    """
    from senbench.datasets.packed import attach
    from senbench.datasets.packed.format import PackedStore, is_store

    name = _own_name(name)
    info = dataset_info(name, data_dir=data_dir, offline=offline)
    where = name.removeprefix("folder:") if name.startswith("folder:") and data_dir is None else data_dir
    given = None if where is None else Path(where).expanduser()
    source = partial(open_source, name, split=split, data_dir=data_dir, radiometry=radiometry, dn_offset=dn_offset)
    how = ""
    if given is not None and is_store(given):
        if dn_offset != "auto":
            raise UsageError(
                f"--dn-offset {dn_offset}: in the packed store {where} that is settled already; leave it out"
            )
        tiles = attach.named(PackedStore(given), info, split, radiometry)
    elif not (stores := [PackedStore(folder) for folder in attach.find(info)]) or given is not None:
        tiles = attach.attach(source(offline=offline), stores, say)
    else:
        try:  # a source that is here decides ids, labels and order; else a store of that split is enough
            tiles = attach.attach(source(offline=True), stores, say)
        except UnavailableError:
            found = attach.without_source(info, stores, split, radiometry)
            how = "" if found is None else ", without the source"
            tiles = found or attach.attach(source(offline=offline), stores, say)
    if isinstance(tiles.reader, attach.StoreReader):
        names = [view.store.folder.name for view in tiles.reader.views]
        say(f"{info.id}: read from the packed store{'s' * (len(names) > 1)} {' and '.join(names)}{how}")
    return tiles


def open_source(
    name: str,
    *,
    split: str | None,
    data_dir: str | None,
    radiometry: str | None = None,
    dn_offset: str = "auto",
    offline: bool = False,
) -> Tiles:
    """Open a dataset from its source, fetching what is missing.

    Args:
        name: Id, or one of `FORMS`.
        split: Split name or a file of tile names; None: the dataset's default.
        data_dir: Folder that holds the data; None: below SENBENCH_HOME.
        radiometry: Rendering of DN; None: the dataset's default.
        dn_offset: DN to subtract from tiles of a user's own folder, `0` or `1000`; `auto`: what their metadata tell.
        offline: Open no socket.

    Returns:
        The tiles of the split that are there.

    Raises:
        UsageError: An unknown name, split or radiometry, or an option that does not apply.
        UnavailableError: The data are missing or damaged and cannot be fetched.
    """
    name = _own_name(name)
    if dn_offset != "auto" and (
        (info := dataset_info(name, data_dir=data_dir, offline=offline)).collection != "user" or info.unit != "dn"
    ):
        raise UsageError(
            f"--dn-offset {dn_offset} is for a user's own tiles of digital numbers; it does not apply to {info.id}"
        )
    tiles: Tiles
    if (found := _opener(name)) is not None:
        open_own = resolve(f"{found[0]}:open_tiles")
        tiles = open_own(
            found[1], split=split, data_dir=data_dir, radiometry=radiometry, dn_offset=dn_offset, offline=offline
        )
        return tiles
    module, info = _find(name)
    if info.synthetic and data_dir is not None:
        raise UsageError(f"--data-dir {data_dir} does not apply to {name}: its scenes are generated")
    tiles = resolve(f"{module}:open_tiles")(
        info, split=split, data_dir=data_dir, radiometry=radiometry, offline=offline
    )
    return tiles


def prepare_dataset(name: str, *, offline: bool = False) -> Path:
    """Fetch (or generate) what a dataset needs, unless it is here.

    Args:
        name: Id.
        offline: Open no socket: only look whether all is here.

    Returns:
        The folder that holds the data.

    Raises:
        UsageError: Unknown, or a user's own.
        UnavailableError: It cannot be fetched.
    """
    if name.startswith(LOCAL):
        raise UsageError(f"{name} is your own: there is nothing to fetch")
    name = _own_name(name)
    path: Path
    if (found := _opener(name)) is not None:
        path = resolve(f"{found[0]}:prepare")(found[1], offline=offline)
        return path
    module, info = _find(name)
    path = resolve(f"{module}:prepare")(info, offline=offline)
    return path


def _find(name: str) -> tuple[str, DatasetInfo]:
    if name not in BUILTIN:
        raise unknown("dataset", name, [*BUILTIN, *FORMS])
    return BUILTIN[name]
