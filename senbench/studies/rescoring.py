"""Embeds and scores configurations, with all results cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench import protocols
from senbench.datasets import open as datasets
from senbench.datasets.distances import by_size
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import SenbenchError, UsageError
from senbench.evaluation import pixels
from senbench.evaluation.data import open_data
from senbench.evaluation.embed import Embedder, paired
from senbench.evaluation.model_of_run import ModelOfRun
from senbench.runtime import environment
from senbench.runtime.paths import home
from senbench.schema.run_spec import RunSpec
from senbench.scoring.classifier import Classifier
from senbench.scoring.comparison.shapley import JackknifeFigure, figure, undefined
from senbench.scoring.intervals.repredicted import depends_on_all
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.studies.configuration import IMAGES, PARTS, Configuration, prompts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.models.encoder import Encoder
    from senbench.models.lazy_model import LazyModel
    from senbench.runtime.progress import Progress
    from senbench.schema.prompt_set import PromptSet


class Seen(NamedTuple):
    """Embedded tiles in the order of their ids."""

    ids: tuple[str, ...]
    """Tile ids."""
    labels: NDArray[Any]
    """As `Tiles.tile_labels`."""
    rows: NDArray[np.float32]
    """Image embeddings, (N, D)."""
    index_hash: str
    """Hash of the tiles and their labels."""
    content_hash: str
    """Which pixels."""
    environment: dict[str, Any]
    """Environment as in a result: of the embedding, or recorded with the model."""


class Rescorer:
    """Embeds and scores each configuration once; nothing is downloaded."""

    def __init__(
        self, weights: Sequence[str], data_dirs: Mapping[str, str | None], device: str, progress: Progress
    ) -> None:
        """Set the locations of weights and data.

        Args:
            weights: Checkpoint files to try before the default locations.
            data_dirs: Dataset -> folder of its data; the data of other datasets are below SENBENCH_HOME.
            device: Device by name.
            progress: Displays progress.
        """
        self._weights, self._data_dirs, self._device, self._draw = weights, data_dirs, device, progress
        self._encoders: dict[Any, LazyModel] = {}
        self._seen: dict[Any, Seen | SenbenchError] = {}
        self._clusters: dict[Any, NDArray[Any]] = {}
        self._samples: dict[Any, Sample] = {}
        self._texts: dict[Any, dict[str, NDArray[np.float32]]] = {}
        self._figures: dict[Any, JackknifeFigure] = {}

    def seen(self, end: Configuration) -> Seen:
        """Return the image embeddings of a configuration.

        Raises:
            SenbenchError: Something is missing on this machine, or the settings are inconsistent.
        """
        key = _key(end)
        if key not in self._seen:
            try:
                self._seen[key] = self._embed(end)
            except SenbenchError as error:
                self._seen[key] = error
        embedded = self._seen[key]
        if isinstance(embedded, SenbenchError):
            raise embedded
        return embedded

    def figure(self, end: Configuration, metric: str) -> JackknifeFigure:
        """Return a figure of a configuration; undefined if its settings are incompatible.

        Raises:
            SenbenchError: As `seen`.
        """
        pack = prompts_of(end)
        key = (_key(end), pack.hash, end.ensemble, end.postprocess, metric)
        if key not in self._figures:
            self._figures[key] = self._score(end, pack, metric)
        return self._figures[key]

    def _score(self, end: Configuration, pack: PromptSet, metric: str) -> JackknifeFigure:
        embedded, encoder = self.seen(end), self._encoder(end)
        identity = (embedded.ids, embedded.labels.tobytes())
        classes = datasets.dataset_info(end.dataset).classes
        if identity not in self._samples:
            clusters = self._clusters.get(identity)
            sizes = None if clusters is None else by_size(clusters, embedded.ids)
            self._samples[identity] = Sample(embedded.labels, classes, clusters, by_size=sizes)
        sample = self._samples[identity]
        known = self._texts.setdefault((_card(end), end.digest, end.dtype, end.kernels), {})
        if new := [text for text in pack.lines if text not in known]:
            known |= self._embedder(encoder).texts(new).rows
        rows, owner = np.stack([known[text] for text in pack.lines]), np.array(pack.line_class)
        scoring = Scoring(end.ensemble, end.postprocess, encoder.logit_scale)
        try:
            classifier = Classifier.of(rows, owner, len(classes), scoring, template_aligned=pack.template_aligned)
            scores = classifier.scores(embedded.rows)
            together = depends_on_all(classifier, embedded.rows) if sample.labels.ndim == 1 else None
            return figure(metric, scores, sample, postprocess=end.postprocess, together=together)
        except UsageError as error:  # e.g. a column mean below zero: this combination has no figure
            self._draw.say(f"{pack.id}, {end.ensemble}, {end.postprocess}: no figure, {error}")
            return undefined(sample)

    def _embed(self, end: Configuration) -> Seen:
        part = PARTS.get(end.dataset, "")
        split = end.split.removeprefix(part) if part else end.split
        spec = RunSpec(
            models=(end.card.id,),
            prompts=(end.words.id,),
            datasets=(end.dataset,),
            split=split,
            data_dir=end.place or self._data_dirs.get(end.dataset),
            radiometry=end.radiometry,
            labels="v1" if end.labels == "v1" else "own",
            dn_offset=end.dn_offset,
            limit=end.limit,
            seed=end.seed,
            offline=True,
            accept_pixels=True,  # the results exist already: warn, and explain their difference
        )
        encoder = self._encoder(end)  # before the tiles, because weights are missing most often
        opened = open_data(spec, end.dataset, protocols.find(end.draw), (), self._draw)
        tiles = paired(opened.tiles, end.card, end.radiometry, end.bands)
        pixels.checked(tiles, spec, self._draw)
        images = self._embedder(encoder).images(tiles)
        taken = tiles.take(images.positions)
        taken_ids = taken.tile_ids
        order = np.array(sorted(range(len(taken_ids)), key=taken_ids.__getitem__))
        ids = tuple(taken_ids[i] for i in order)
        embedded = Seen(
            ids=ids,
            labels=taken.tile_labels[order],
            rows=images.rows[order],
            index_hash=taken.index_hash(),
            content_hash=images.content_hash,
            environment=environment.describe(encoder.device, encoder.dtype, encoder.kernels),
        )
        if opened.clusters is not None:
            self._clusters[(embedded.ids, embedded.labels.tobytes())] = opened.clusters[images.positions][order]
        return embedded

    def _embedder(self, encoder: Encoder) -> Embedder:
        return Embedder(encoder, home() / "cache", self._draw, EmbedOptions(on_error="skip", say=self._draw.say))

    def _encoder(self, end: Configuration) -> LazyModel:
        model = ModelOfRun(end.card, end.digest, end.preprocess, end.exact, end.dtype, end.kernels)
        key = (_card(end), end.digest, end.preprocess, end.dtype, end.kernels, end.exact)
        if key not in self._encoders:
            self._encoders[key] = model.load(self._weights, self._device, self._draw.say)
        return self._encoders[key]


def _key(end: Configuration) -> tuple[Any, ...]:
    """Return the settings that determine the image embeddings."""
    values = ((f, getattr(end, f)) for switch in IMAGES for f in switch.fields)
    return tuple((f, _card(end) if f == "card" else v) for f, v in values)


def _card(end: Configuration) -> str:
    """Return the whole card as text, since a user may change a card and keep its id."""
    return end.card.model_dump_json()
