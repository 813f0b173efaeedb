"""EuroSAT as a Hugging Face `datasets` dataset: columns `image`, `label` (ClassLabel) and `filename`."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.readers.sources import Source
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError, UsageError, brief
from senbench.io import download, hub
from senbench.runtime import parsing
from senbench.runtime.paths import home

REPO = "blanchon/EuroSAT_RGB"
"""Repository used for `hf:` without a name."""


class HubImages(Source):
    """The images of a dataset as a source: one member `<Class>/<file name>` per row.

    Labels are matched by the names of the ClassLabel, never by position, since the order of classes varies.

    Args:
        dataset: A `datasets.Dataset`, images not decoded.
        title: Description for results and messages.

    Raises:
        UsageError: A column is missing, labels have no names, or a name is not one of EuroSAT's classes.
    """

    def __init__(self, dataset: Any, title: str) -> None:
        self.title = title
        if missing := {"image", "label", "filename"} - set(dataset.column_names):
            raise UsageError(
                f"{title}: no column {sorted(missing)[0]!r}, found {', '.join(dataset.column_names)}; "
                "use a dataset with columns image, label and filename"
            )
        keys = [class_key(name, title) for name in getattr(dataset.features["label"], "names", None) or ()]
        if not keys:
            raise UsageError(f"{title}: the labels are numbers without class names and cannot be matched")
        self._dataset = dataset
        files = [PurePosixPath(f).name for f in dataset["filename"]]
        names = [f"{keys[k]}/{file}" for k, file in zip(dataset["label"], files, strict=True)]
        self._row = {name: i for i, name in enumerate(names)}
        if len(self._row) < len(names):
            raise UsageError(f"{title}: file names repeat; {len(names) - len(self._row)} rows have no unique name")
        self.names = tuple(names)

    def read(self, name: str) -> bytes:
        """Return the encoded bytes of an image; raises TileError."""
        data = self._dataset[self._row[name]]["image"]["bytes"]
        if not data:
            raise TileError(f"tile {name} in {self.title}: the row holds no image")
        return bytes(data)


def class_key(name: str, title: str) -> str:
    """Return EuroSAT's class folder for a class name: `Industrial Buildings`, `industrial` -> `Industrial`.

    Raises:
        UsageError: The name is none of the ten classes.
    """
    keys = {key.lower(): key for key in EUROSAT} | dict.fromkeys(("seaandlake", "seaorlake"), "SeaLake")
    plain = "".join(c for c in name.lower() if c.isalnum()).removesuffix("buildings")
    if plain not in keys:
        raise UsageError(f"{title}: class {name!r} is none of EuroSAT's: {', '.join(EUROSAT)}")
    return keys[plain]


def open_source(where: str, *, offline: bool) -> HubImages:
    """Open a dataset with all its splits.

    Args:
        where: Hub repository `owner/name`, a folder of parquet files, or a folder made by `save_to_disk`;
            empty: `REPO`.
        offline: Open no socket.

    Raises:
        UsageError: The dataset does not have the required layout.
        UnavailableError: The dataset is missing, unreadable, or cannot be downloaded.
    """
    where = where or REPO
    folder = Path(where).expanduser()
    if folder.is_dir():
        title = f"hf:{folder.name}"
    elif where.count("/") == 1 and not where.startswith((".", "~", "/")):
        folder, commit = _fetched(where, offline=offline)
        title = f"hf:{where}@{commit[:12]}"
    else:
        raise UnavailableError(f"--data-dir hf:{where}: no such folder, and no hub repository owner/name either")

    import datasets

    files = sorted(str(p) for p in folder.rglob("*.parquet"))
    try:
        if files:
            dataset = datasets.Dataset.from_parquet(files, cache_dir=str(home() / "cache" / "hf-datasets"))
        else:
            loaded = datasets.load_from_disk(str(folder))
            parts = list(loaded.values()) if isinstance(loaded, dict) else [loaded]
            dataset = datasets.concatenate_datasets(parts)
        if "image" in dataset.column_names:
            dataset = dataset.cast_column("image", datasets.Image(decode=False))
    except Exception as error:  # pyarrow, fsspec and datasets raise various exceptions for damaged files
        raise UnavailableError(f"--data-dir hf:{where}: cannot be read: {brief(error)}") from error
    return HubImages(dataset, title)


def _fetched(repo: str, *, offline: bool) -> tuple[Path, str]:
    """Return the folder with the repository's parquet files, and its commit."""
    dest = home() / "data" / "hf" / repo.replace("/", "--")
    listing = dest / "files.json"
    command = f"senbench run --dataset eurosat-rgb --data-dir hf:{repo}"
    if listing.is_file():
        commit, names = parsing.from_json(listing.read_text(encoding="utf-8"))
    elif offline or download.offline_by_environment():
        raise UnavailableError(
            f"--data-dir hf:{repo}: its parquet files are not in {dest}, and nothing is fetched offline; "
            f"run `{command}` on a networked machine, or download it and pass hf:FOLDER"
        )
    else:
        commit, every = hub.list_repo(repo, repo_type="dataset")
        names = [n for n in every if n.endswith(".parquet")]
        if not names:
            raise UnavailableError(f"--data-dir hf:{repo}: the repository holds no parquet files")
        dest.mkdir(parents=True, exist_ok=True)
        temporary = listing.with_suffix(".part")
        temporary.write_text(json.dumps([commit, names]), encoding="utf-8")
        temporary.replace(listing)
    for name in names:
        origin = hub.RepoFile(repo, name, "dataset", commit)
        order = download.Fetch(origin, dest / name, what=f"dataset {repo}", command=command)
        download.fetch(order, offline=offline)
    return dest, commit
