"""Opens one of TorchGeo's classification datasets by its class: splits, labels, files and values as TorchGeo has them.

TorchGeo finds, fetches and checks the files, and says which split and class each is of; `samples` reads them.
"""

from __future__ import annotations

import contextlib
import os
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.radiometry import NATIVE, UNDECIDED
from senbench.datasets.readers.sources import NamedFiles
from senbench.datasets.tiles import Tiles
from senbench.datasets.torchgeo.known import ALIASES, CLASSES, REFUSED, VARIANTS, KnownClass
from senbench.datasets.torchgeo.samples import FilePictures, Hdf5Samples, RasterSamples
from senbench.errors import UnavailableError, UsageError, brief
from senbench.runtime.dataset_names import with_options
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.schema.dataset import DatasetInfo

PREFIX = "torchgeo:"
_KEYS = ("num_classes", *dict.fromkeys(key for known in CLASSES.values() for key in known.options))
"""Options that a name may carry."""
WHOLE = "all"
"""Split of a class that has none."""


class _Named(NamedTuple):
    """What a name stands for."""

    name: str
    known: KnownClass
    chosen: dict[str, str]
    """Options that are not at their default."""

    @property
    def info(self) -> DatasetInfo:
        return self.known.info(self.name, self.chosen)


def alias(where: str) -> str | None:
    """Id of the dataset whose files senbench reads itself, where a class is one of these; None for others.

    Args:
        where: Name of the class, maybe with `?num_classes=43`.

    Raises:
        UsageError: An option that it does not have.
    """
    name, options = with_options(where, _KEYS)
    if name not in ALIASES:
        return None
    wanted = {"num_classes": ("19", "43")} if name == "BigEarthNet" else {}
    chosen = _checked(name, options, wanted)
    return "bigearthnet-v1-43" if chosen.get("num_classes") == "43" else ALIASES[name]


def describe(where: str, *, data_dir: str | None = None, offline: bool = False) -> DatasetInfo:
    """Facts of one of TorchGeo's datasets, without importing TorchGeo.

    Args:
        where: Name of the class, maybe with options (`So2Sat?version=3_block`).
        data_dir: Not looked at.
        offline: Nothing is fetched in any case.

    Raises:
        UsageError: No such class, or an option that it does not have.
    """
    return _named(where).info


def open_tiles(
    where: str,
    *,
    split: str | None,
    data_dir: str | None = None,
    radiometry: str | None = None,
    dn_offset: str = "auto",
    offline: bool = False,
) -> Tiles:
    """Open a split, fetched by TorchGeo where it is not here and TorchGeo can.

    Args:
        where: Name of the class, maybe with options.
        split: One of the class's; None: `test`, or the one that there is.
        data_dir: TorchGeo's `root`; None: below SENBENCH_HOME.
        radiometry: Of digital numbers a rendering; None: that of the dataset, where one is known.
        dn_offset: Does not apply.
        offline: Open no socket.

    Raises:
        UsageError: No such class, option, split or radiometry, or labels that are none of its classes.
        UnavailableError: The data are missing or damaged and cannot be fetched.
    """
    named = _named(where)
    info, known = named.info, named.known
    name = split or info.default_split
    if name not in info.splits:
        raise unknown(f"split of {info.id}", name, info.splits)
    if info.unit == "uint8":
        if radiometry not in (None, NATIVE):
            raise UsageError(f"{info.id}: radiometry {radiometry!r} does not apply to 8-bit images")
        policy = NATIVE
    else:
        policy = info.radiometry if radiometry is None else radiometries.check(radiometry)
        if info.radiometry == UNDECIDED:
            info = info.model_copy(update={"radiometry": policy})
    dataset = _dataset(named, name, _root(named, data_dir), offline=offline)
    try:
        parts = _PARTS[type(dataset).__name__](dataset)
        labels = _labels(info, parts)
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise UnavailableError(f"{info.id} {name}: its labels cannot be read: {brief(error)}") from error
    if not parts.ids:
        raise UsageError(f"{info.id} {name}: it has no tile")
    reader: FilePictures | RasterSamples | Hdf5Samples
    source = NamedFiles(Path(parts.root), parts.files or parts.ids, info.id)
    if parts.array:
        reader = Hdf5Samples(Path(parts.root), parts.array, parts.ids, known, info, policy)
    elif known.channels:
        reader = RasterSamples(source, source.names, known, info, policy)
    else:
        reader = FilePictures(source, source.names, dataset, known.side)
    return Tiles(
        info=info,
        split=name,
        source=f"TorchGeo's {named.name}",
        ids=parts.ids,
        labels=labels,
        reader=reader,
        n_expected=info.splits[name] or len(parts.ids),
        radiometry=policy,
        facts_of_source=reader.facts(),
    )


def prepare(where: str, *, offline: bool = False) -> Path:
    """Have TorchGeo fetch every split, unless it is here.

    Args:
        where: Name of the class, maybe with options.
        offline: Open no socket: only look whether all is here.

    Returns:
        The folder.

    Raises:
        UsageError: No such class or option.
        UnavailableError: It cannot be fetched.
    """
    named = _named(where)
    for split in named.info.splits:
        _dataset(named, split, _root(named, None), offline=offline)
    return _root(named, None)


def _named(where: str) -> _Named:
    name, options = with_options(where, _KEYS)
    if name in REFUSED:
        raise UsageError(f"{PREFIX}{name} cannot be run: {REFUSED[name]}")
    if name not in CLASSES:
        raise unknown("classification dataset of TorchGeo", name, [*CLASSES, *ALIASES])
    chosen = _checked(name, options, CLASSES[name].options)
    known = CLASSES[name]
    for key, value in chosen.items():
        known = VARIANTS.get((name, key, value), known)
    return _Named(name, known, chosen)


def _checked(name: str, options: dict[str, str], wanted: Any) -> dict[str, str]:
    """Options that are not at their default."""
    for key, value in options.items():
        if key not in wanted:
            has = f"it has {', '.join(wanted)}" if wanted else "it has none"
            raise UsageError(f"{PREFIX}{name}: no option {key!r}; {has}")
        if value not in wanted[key]:
            raise unknown(f"{key} of {PREFIX}{name}", value, wanted[key])
    return {key: value for key, value in options.items() if value != wanted[key][0]}


def _root(named: _Named, data_dir: str | None) -> Path:
    return home() / "data" / f"torchgeo-{named.name}" if data_dir is None else Path(data_dir).expanduser()


def _dataset(named: _Named, split: str, root: Path, *, offline: bool) -> Any:
    """TorchGeo's dataset; what it prints goes to stderr, what it raises becomes one line."""
    import torchgeo.datasets as torchgeo
    from torchgeo.datasets.errors import DatasetNotFoundError, DependencyNotFoundError

    kind = getattr(torchgeo, named.name)
    defaults = {key: values[0] for key, values in named.known.options.items()}
    arguments: dict[str, Any] = defaults | named.chosen | dict(named.known.arguments)
    if "sensors" in arguments:
        arguments["sensors"] = (arguments["sensors"],)
    if split != WHOLE:
        arguments["split"] = split
    fetches = "download" in kind.__init__.__code__.co_varnames
    title = f"{PREFIX}{named.name} {split}"
    make = partial(kind, root=str(root), **arguments)
    with contextlib.redirect_stdout(sys.stderr):
        try:
            return make()
        except DependencyNotFoundError as error:
            raise UnavailableError(f"{title}: {brief(error)}") from error
        except DatasetNotFoundError as error:
            if offline or not fetches:
                how = "and --offline forbids to fetch it" if offline and fetches else "and TorchGeo cannot fetch it"
                raise UnavailableError(
                    f"{title}: not in {root} as TorchGeo keeps it, {how}; put it there, or give its folder with "
                    "--data-dir"
                ) from error
        except Exception as error:
            raise UnavailableError(f"{title}: TorchGeo cannot open {root}: {brief(error)}") from error
        root.mkdir(parents=True, exist_ok=True)
        try:
            return make(download=True, checksum=True)
        except Exception as error:
            raise UnavailableError(f"{title}: TorchGeo cannot fetch it: {brief(error)}; try again") from error


class _Parts(NamedTuple):
    """What a dataset of TorchGeo holds, without opening an image."""

    ids: tuple[str, ...]
    """Id of each tile."""
    keys: Sequence[Any] | NDArray[np.int64]
    """Class key of each, or several; or an array of indices or of hot ones."""
    root: str
    """Folder of the files, or the one file that holds all."""
    files: tuple[str, ...] = ()
    """File of each tile below it; empty: named as the tiles."""
    array: str = ""
    """Array in an HDF5 file."""


def _image_folder(dataset: Any) -> _Parts:
    root = str(dataset.root)
    paths = tuple(os.path.relpath(path, root).replace(os.sep, "/") for path, _ in dataset.samples)
    return _Parts(paths, [str(dataset.classes[label]) for label in dataset.targets], root)


def _million_aid(dataset: Any) -> _Parts:
    root = str(Path(dataset.root) / dataset.split)
    files = sorted(dataset.files, key=lambda file: str(file["image"]))  # TorchGeo's order is that of the file system
    paths = tuple(os.path.relpath(file["image"], root).replace(os.sep, "/") for file in files)
    several = [list(file["label"]) for file in files]
    return _Parts(paths, several if dataset.task == "multi-label" else [one for (one,) in several], root)


def _advance(dataset: Any) -> _Parts:
    root = str(Path(dataset.root) / "vision")
    paths = tuple(os.path.relpath(file["image"], root).replace(os.sep, "/") for file in dataset.files)
    return _Parts(paths, [file["cls"] for file in dataset.files], root)


def _cowc(dataset: Any) -> _Parts:
    return _Parts(
        tuple(dataset.images), np.array([int(target) for target in dataset.targets], np.int64), str(dataset.root)
    )


def _so2sat(dataset: Any) -> _Parts:
    import h5py

    with h5py.File(dataset.fn, "r") as file:
        hot = file["label"][:]
    ids = tuple(f"{dataset.split}/{i:06d}" for i in range(len(hot)))
    return _Parts(ids, hot.argmax(axis=1).astype(np.int64), str(dataset.fn), array="sen2")


def _bench_lcz(dataset: Any) -> _Parts:
    import h5py

    with h5py.File(dataset.filepath, "r") as file:
        hot = file["label"][:]
    ids = tuple(f"{dataset.split}/{i:06d}" for i in range(len(hot)))
    return _Parts(ids, hot.argmax(axis=1).astype(np.int64), str(dataset.filepath), array="sen2")


def _bench_eurosat(dataset: Any) -> _Parts:
    names = tuple(name.replace(".jpg", ".tif") for name in dataset.files)
    keys = [name.split("_")[0] for name in names]
    files = tuple(f"all_imgs/{key}/{name}" for key, name in zip(keys, names, strict=True))
    return _Parts(names, keys, str(Path(dataset.root) / dataset.directory), files)


def _bench_bigearthnet(dataset: Any) -> _Parts:
    table = dataset.files
    hot = table.iloc[:, 2:].to_numpy() != 0
    if hot.shape[1] != len(dataset.classes):
        raise ValueError(f"{hot.shape[1]} columns of labels, expected {len(dataset.classes)}")
    ids = tuple(table.iloc[:, 1])
    keys = [[dataset.classes[k] for k in np.flatnonzero(row)] for row in hot]
    return _Parts(ids, keys, str(Path(dataset.root) / dataset.directory / "BigEarthNet-S2-5%"))


def _treesatai(dataset: Any) -> _Parts:
    (sensor,), files = dataset.sensors, tuple(dataset.files)
    keys = [[genus for genus, _ in dataset.labels[file]] for file in files]
    return _Parts(files, keys, str(dataset.root), tuple(f"{sensor}/60m/{file}" for file in files))


_PARTS = {
    **dict.fromkeys(("UCMerced", "RESISC45", "PatternNet", "FireRisk"), _image_folder),
    "MillionAID": _million_aid,
    "ADVANCE": _advance,
    "COWCDetection": _cowc,
    "So2Sat": _so2sat,
    "TreeSatAI": _treesatai,
    "CopernicusBenchEuroSATS2": _bench_eurosat,
    "CopernicusBenchBigEarthNetS2": _bench_bigearthnet,
    "CopernicusBenchLCZS2": _bench_lcz,
}
"""Class -> what its objects hold."""


def _labels(info: DatasetInfo, parts: _Parts) -> NDArray[Any]:
    """Labels by the names of the classes, whatever numbers TorchGeo gives those that it found."""
    if isinstance(parts.keys, np.ndarray):
        found = parts.keys
        if found.size and not (found.min() >= 0 and found.max() < len(info.classes)):
            raise UsageError(
                f"{info.id}: labels go from {found.min()} to {found.max()}, of {len(info.classes)} classes"
            )
        return found
    at = _positions(info.classes)
    several = info.task == "multi-label"
    every = (key for keys in parts.keys for key in (keys if several else (keys,)))
    if foreign := next((key for key in every if key not in at), None):
        raise UsageError(f"{info.id}: label {foreign!r} is none of its {len(info.classes)} classes")
    if not several:
        return np.array([at[key] for key in parts.keys], np.int64)
    labels = np.zeros((len(parts.keys), len(info.classes)), bool)
    for row, keys in enumerate(parts.keys):
        labels[row, [at[key] for key in keys]] = True
    return labels


@lru_cache
def _positions(classes: tuple[str, ...]) -> dict[str, int]:
    return {key: k for k, key in enumerate(classes)}
