"""The datasets by name: what is known of each, and how it is opened. Cheap to import."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from senbench.datasets.catalog import BUILTIN
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.lookup import resolve, unknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from senbench.datasets.tiles import Tiles
    from senbench.schema.dataset import DatasetInfo

_FOLDER = "folder:"


def list_datasets() -> list[DatasetInfo]:
    """Static facts of every named dataset; `folder:PATH` comes on top of these."""
    return [info for _, info in BUILTIN.values()]


def dataset_info(name: str) -> DatasetInfo:
    """Static facts of one dataset.

    Args:
        name: Id, or `folder:PATH`, which is looked at.

    Raises:
        UsageError: Unknown, with the closest match; or the folder holds no class folders.
    """
    if name.startswith(_FOLDER):
        from pathlib import Path

        from senbench.datasets.folder import images
        from senbench.datasets.packed import format as packed

        where = name.removeprefix(_FOLDER)
        if not where:
            raise UsageError(f"data set {name!r} lacks the path of a folder")
        path = Path(where).expanduser()
        return packed.read_header(path).dataset if packed.is_store(path) else images.describe(where)
    return _find(name)[1]


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
        name: Id, or `folder:PATH`.
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
    from pathlib import Path

    from senbench.datasets.packed import attach
    from senbench.datasets.packed.format import PackedStore, is_store

    info = dataset_info(name)
    where = name.removeprefix(_FOLDER) if name.startswith(_FOLDER) and data_dir is None else data_dir
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
        name: Id, or `folder:PATH`.
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
    if dn_offset != "auto" and ((info := dataset_info(name)).collection != "user" or info.unit != "dn"):
        raise UsageError(
            f"--dn-offset {dn_offset} is for a user's own folder of digital numbers; it does not apply to {info.id}"
        )
    if name.startswith(_FOLDER):
        from senbench.datasets.folder import images

        if data_dir is not None:
            raise UsageError(f"--data-dir {data_dir} does not apply to {name}: the path is in its name")
        return images.open_tiles(name.removeprefix(_FOLDER), split=split, radiometry=radiometry, dn_offset=dn_offset)
    module, info = _find(name)
    if info.synthetic and data_dir is not None:
        raise UsageError(f"--data-dir {data_dir} does not apply to {name}: its scenes are generated")
    tiles: Tiles = resolve(f"{module}:open_tiles")(
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
        UsageError: Unknown, or a `folder:`.
        UnavailableError: It cannot be fetched.
    """
    if name.startswith(_FOLDER):
        raise UsageError(f"{name} is your own folder: there is nothing to fetch")
    module, info = _find(name)
    path: Path = resolve(f"{module}:prepare")(info, offline=offline)
    return path


def _find(name: str) -> tuple[str, DatasetInfo]:
    if name not in BUILTIN:
        raise unknown("data set", name, [*BUILTIN, "folder:PATH"])
    return BUILTIN[name]
