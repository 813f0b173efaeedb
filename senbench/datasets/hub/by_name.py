"""Opens an image classification dataset of the hub by its name, at a pinned commit, through the `datasets` library."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.datasets import radiometry as radiometries
from senbench.datasets.hub.features import ImageColumn, LabelColumn, class_keys, image_column, label_column, labels_of
from senbench.datasets.hub.rows import ArrayReader, RowImages
from senbench.datasets.hub.snapshot import PREFIX, Named, fetched, parse, pin
from senbench.datasets.radiometry import NATIVE, UNDECIDED
from senbench.datasets.readers.image import PictureReader
from senbench.datasets.readers.pixel_rules import band_name
from senbench.datasets.tiles import Tiles
from senbench.errors import UnavailableError, UsageError, brief
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import home
from senbench.schema.dataset import DatasetInfo

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = ("test", "validation", "val")
"""Splits in the order in which the default is looked for; else it is the first."""


class _Opened(NamedTuple):
    """A dataset of the hub."""

    splits: dict[str, Any]
    """Split -> `datasets.Dataset`, images not decoded."""
    image: ImageColumn
    label: LabelColumn
    classes: tuple[str, ...]
    bands: tuple[str, ...]
    """Named bands of digital numbers; empty: 8-bit."""


def describe(where: str, *, data_dir: str | None = None, offline: bool = False) -> DatasetInfo:
    """Facts of a hub dataset, which is fetched where it is not here.

    Args:
        where: `OWNER/NAME[@REVISION][/CONFIG]`, maybe with options.
        data_dir: Does not apply.
        offline: Open no socket.

    Raises:
        UsageError: No such name, configuration or column, or labels that are none.
        UnavailableError: It cannot be fetched or read.
    """
    if data_dir is not None:
        raise UsageError(f"--data-dir {data_dir} does not apply to {PREFIX}{where}: it is kept below SENBENCH_HOME")
    named = parse(pin(where, offline=offline))
    return _info(named, _opened(named, offline=offline))


def open_tiles(
    where: str,
    *,
    split: str | None,
    data_dir: str | None = None,
    radiometry: str | None = None,
    dn_offset: str = "auto",
    offline: bool = False,
) -> Tiles:
    """Open a split of a hub dataset.

    Args:
        where: As of `describe`.
        split: One of the dataset's; None: `test`, `validation`, or the first.
        data_dir: Does not apply.
        radiometry: Of digital numbers a rendering; of 8-bit images None or `native-jpeg`.
        dn_offset: Does not apply.
        offline: Open no socket.

    Raises:
        UsageError: As `describe`, or another split or radiometry.
        UnavailableError: It cannot be fetched or read.
    """
    info = describe(where, data_dir=data_dir, offline=offline)
    named = parse(pin(where, offline=offline))
    found = _opened(named, offline=offline)
    name = split or info.default_split
    if name not in found.splits:
        raise unknown(f"split of {info.id}", name, found.splits)
    policy = NATIVE
    if found.bands:
        policy = info.radiometry if radiometry is None else radiometries.check(radiometry)
        info = info.model_copy(update={"radiometry": policy})
    elif radiometry not in (None, NATIVE):
        raise UsageError(f"{info.id}: radiometry {radiometry!r} does not apply to 8-bit images")
    rows = found.splits[name]
    if not len(rows):
        raise UsageError(f"{info.id} {name}: it has no tile")
    ids = tuple(f"{name}/{i:06d}" for i in range(len(rows)))
    pixels = rows.data.column(found.image.name)
    reader: PictureReader | ArrayReader
    if found.image.encoded:
        reader = PictureReader(RowImages(pixels, ids, info.id), ids)
    else:
        reader = ArrayReader(pixels, ids, info.id, found.bands, policy)
    values = rows.data.column(found.label.name).to_pylist()
    return Tiles(
        info=info,
        split=name,
        source=f"hub dataset {named.repo} at {named.revision}",
        ids=ids,
        labels=labels_of(found.label, values, found.classes, f"{info.id} {name}"),
        reader=reader,
        n_expected=len(rows),
        radiometry=policy,
        facts_of_source=dict(reader.facts()),
    )


def prepare(where: str, *, offline: bool = False) -> Path:
    """Fetch all files, unless they are here.

    Args:
        where: As of `describe`.
        offline: Open no socket.

    Returns:
        The folder.

    Raises:
        UsageError: No such name.
        UnavailableError: It cannot be fetched.
    """
    named = parse(pin(where, offline=offline))
    return fetched(named.repo, named.revision or "", offline=offline)


def _info(named: Named, found: _Opened) -> DatasetInfo:
    commit = (named.revision or "")[:12]
    label = f"?label={named.options['label']}" if "label" in named.options else ""
    config = f"/{named.config}" if named.config else ""
    splits = {name: len(rows) for name, rows in found.splits.items()}
    return DatasetInfo(
        id=f"{PREFIX}{named.repo}@{commit}{config}{label}",
        title=f"{named.repo}{config}",
        collection=f"{PREFIX}{named.repo}",
        task=found.label.task,
        classes=found.classes,
        vocabulary="",
        splits=splits,
        default_split=next((name for name in DEFAULTS if name in splits), next(iter(splits))),
        bands=found.bands or ("B04", "B03", "B02"),
        unit="dn" if found.bands else "uint8",
        tile_size=None,
        radiometry=UNDECIDED if found.bands else NATIVE,
        licence="as its page on the hub states",
        citation=f"huggingface.co/datasets/{named.repo} at {commit}",
    )


def _opened(named: Named, *, offline: bool) -> _Opened:
    folder = fetched(named.repo, named.revision or "", offline=offline)
    return _loaded(folder, named.repo, named.config, tuple(sorted(named.options.items())))


@lru_cache(maxsize=4)
def _loaded(folder: Path, repo: str, config: str | None, options: tuple[tuple[str, str], ...]) -> _Opened:
    import datasets

    title, asked = f"{PREFIX}{repo}", dict(options)
    datasets.disable_progress_bars()
    try:
        configs = datasets.get_dataset_config_names(str(folder))
        if config is not None and config not in configs:
            raise unknown(f"configuration of {title}", config, configs)
        if config is None and len(configs) > 1 and "default" not in configs:
            raise UsageError(f"{title}: has the configurations {', '.join(configs)}: name one, {title}/{configs[0]}")
        loaded = datasets.load_dataset(str(folder), config, cache_dir=str(home() / "cache" / "hf-datasets"))
    except UsageError:
        raise
    except Exception as error:  # datasets, pyarrow and fsspec raise many kinds
        said = error.__cause__ or error
        raise UnavailableError(f"{title}: the datasets library cannot read it: {brief(said)}") from error
    splits = {str(name): rows for name, rows in loaded.items()}
    if not splits:
        raise UsageError(f"{title}: it has no split")
    types = next(iter(splits.values())).features
    image = image_column(types, asked.get("image"), title)
    label = label_column(types, asked.get("label"), title)
    keys = class_keys(label, (rows.data.column(label.name).to_pylist() for rows in splits.values()))
    if len(keys) < 2:
        raise UsageError(f"{title}: column {label.name!r} has {len(keys)} classes, need at least 2")
    return _Opened(splits, image, label, keys, _bands(asked.get("bands"), image, title))


def _bands(text: str | None, image: ImageColumn, title: str) -> tuple[str, ...]:
    if text is None:
        return ()
    if image.encoded:
        raise UsageError(f"{title}: ?bands= names the channels of arrays, and column {image.name!r} holds files")
    names = [part.strip() for part in text.split(",") if part.strip()]
    found = tuple(map(band_name, names))
    if not found or "" in found or len(set(found)) < len(found):
        raise UsageError(f"{title}: ?bands={text} must name each channel once, such as B02,B03,B04,B08")
    return found
