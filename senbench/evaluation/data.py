"""Opens a dataset of the grid: its evaluated tiles, their labels and their clusters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets import open as datasets
from senbench.datasets.distances import by_size
from senbench.datasets.radiometry import DIGITAL
from senbench.datasets.tiles import Tiles, stratified
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation import pixels
from senbench.evaluation.embed import paired
from senbench.runtime.paths import home
from senbench.scoring.sample import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.protocols import Protocol
    from senbench.runtime.progress import Progress
    from senbench.schema.model_card import ModelCard
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.run_spec import RunSpec


@dataclass(frozen=True)
class EvalData:
    """A dataset of the grid, with everything that does not depend on the model.

    Attributes:
        given: Dataset as passed.
        tiles: The evaluated tiles.
        prompts: One rendered set per entry of the spec, in order.
        clusters: Spatial cluster per tile, or None.
        tuning: Tiles whose labels are used to tune thresholds, or None.
        anchors: Tiles whose labels are used to train supervised anchors, or None.
        pixel_check: Statistics of a sample of the tiles, as the model gets them.
    """

    given: str
    tiles: Tiles
    prompts: tuple[PromptSet, ...]
    clusters: NDArray[np.str_] | None
    tuning: Tiles | None = None
    anchors: Tiles | None = None
    pixel_check: pixels.PixelCheck = field(default_factory=pixels.PixelCheck)

    @cached_property
    def sample(self) -> Sample:
        """Return labels and clusters of all tiles, for figures and intervals."""
        countries = self.tiles.facts("country")
        named = None if countries is None else np.array(countries)
        sizes = None if self.clusters is None else by_size(self.clusters, self.tiles.tile_ids)
        return Sample(self.tiles.tile_labels, self.tiles.info.classes, self.clusters, named, sizes)

    def paired(self, card: ModelCard | None, radiometry: str | None, order: tuple[str, ...] | None) -> EvalData:
        """Return the dataset in a model's bands and unit; arguments and errors as in `embed.paired`."""
        tiles, tuning, anchors = (
            None if part is None else paired(part, card, radiometry, order)
            for part in (self.tiles, self.tuning, self.anchors)
        )
        assert tiles is not None
        return replace(self, tiles=tiles, tuning=tuning, anchors=anchors)

    def checked(self, spec: RunSpec, progress: Progress, *, kept: bool) -> EvalData:
        """Return the paired dataset with the statistics of its tiles; arguments and errors as in `pixels.checked`."""
        for other in (self.tuning, self.anchors):
            if other is not None:
                pixels.checked(other, spec, progress, kept=kept)
        return replace(self, pixel_check=pixels.checked(self.tiles, spec, progress, kept=kept))


def open_data(
    spec: RunSpec,
    dataset: str | Tiles,
    protocol: Protocol,
    packs: tuple[PromptSet, ...],
    progress: Progress,
    *,
    located: bool = True,
) -> EvalData:
    """Open a dataset as a run and its protocol require.

    Args:
        spec: The run.
        dataset: Dataset id, or opened tiles.
        protocol: The protocol: its split, rendering and sample.
        packs: Rendered prompts.
        progress: Displays progress.
        located: Whether clusters are needed, for which positions may have to be read tile by tile.

    Returns:
        The opened dataset.

    Raises:
        UsageError: An option does not fit the dataset.
        UnavailableError: Data are missing or damaged.
    """
    tiles = dataset if isinstance(dataset, Tiles) else _split(spec, dataset, protocol, spec.split, progress)
    if spec.labels == "v1":
        tiles = _relabelled(spec, tiles)
    variant = protocol.on(tiles.info)
    if variant.sample is not None and tiles.split == protocol.splits.get(tiles.info.id):
        if len(tiles) != tiles.n_expected:
            raise UnavailableError(
                f"protocol {protocol.id} draws from the {tiles.n_expected:,} patches of {tiles.info.id} {tiles.split}, "
                f"but {tiles.source} lists {len(tiles):,}: give the whole list, or use --protocol standard"
            )
        chosen = variant.sample.positions(len(tiles))
        tiles = replace(tiles.take(chosen), n_expected=len(chosen))
    if spec.limit is not None:
        if spec.limit < 1:
            raise UsageError(f"--limit {spec.limit}: give at least 1")
        tiles = tiles.take(stratified(tiles.tile_labels, spec.limit, spec.seed), limited=spec.limit)
    clusters = None
    if located and tiles.reader.located:
        with progress.stage(f"positions of {tiles.info.id}", len(tiles)) as advance:
            clusters = tiles.clusters(advance)
    return EvalData(
        given=dataset if isinstance(dataset, str) else tiles.info.id,
        tiles=tiles,
        prompts=packs,
        clusters=None if clusters is None else np.array(clusters),
        tuning=_tuning(spec, dataset, protocol, tiles, progress),
        anchors=_labelled(spec, dataset, protocol, tiles, "anchors", progress),
    )


def _split(spec: RunSpec, dataset: str, protocol: Protocol, split: str | None, progress: Progress) -> Tiles:
    info = datasets.dataset_info(dataset, data_dir=spec.data_dir, offline=spec.offline)
    variant = protocol.on(info)
    asked = None if spec.radiometry == DIGITAL else spec.radiometry
    return datasets.open_dataset(
        dataset,
        split=split or protocol.splits.get(info.id, info.default_split),
        data_dir=spec.data_dir,
        radiometry=asked or variant.radiometry,
        dn_offset=spec.dn_offset,
        offline=spec.offline,
        say=progress.say,
    )


def _relabelled(spec: RunSpec, tiles: Tiles) -> Tiles:
    """Return BigEarthNet v2's patches with v1's labels, from `--data-dir` or the folder of `bigearthnet-v1`."""
    if tiles.info.id != "bigearthnet-v2":
        raise UsageError(f"--labels v1 is for bigearthnet-v2, whose patches v1 labelled too; not for {tiles.info.id}")
    from senbench.datasets.bigearthnet.patches import relabel

    beside = None if spec.data_dir is None else Path(spec.data_dir).expanduser()
    here = beside is not None and (beside / "BigEarthNet-v1.0").is_dir()
    return relabel(tiles, beside if here else home() / "data" / "bigearthnet-v1")


def _tuning(spec: RunSpec, dataset: str | Tiles, protocol: Protocol, tiles: Tiles, progress: Progress) -> Tiles | None:
    """Return the split for tuning thresholds."""
    if spec.tune is not None and (tiles.info.task != "multi-label" or not isinstance(dataset, str)):
        raise UsageError(f"--tune {spec.tune}: thresholds are tuned for named multi-label datasets only")
    return _labelled(spec, dataset, protocol, tiles, "tune", progress)


def _labelled(
    spec: RunSpec, dataset: str | Tiles, protocol: Protocol, tiles: Tiles, option: str, progress: Progress
) -> Tiles | None:
    """Return the split whose labels an option uses, or None; it must not contain evaluated tiles."""
    split: str | None = getattr(spec, option)
    if split is None:
        return None
    if not isinstance(dataset, str):
        raise UsageError(f"--{option} {split}: needs a dataset by name, which has splits; tiles were passed")
    chosen = _split(spec, dataset, protocol, split, progress)
    if spec.labels == "v1":
        chosen = _relabelled(spec, chosen)
    if shared := set(chosen.tile_ids) & set(tiles.tile_ids):
        raise UsageError(f"--{option} {split}: {len(shared):,} of its tiles are evaluated too; give a disjoint split")
    if spec.limit is not None:
        chosen = chosen.take(stratified(chosen.tile_labels, spec.limit, spec.seed), limited=spec.limit)
    return chosen
