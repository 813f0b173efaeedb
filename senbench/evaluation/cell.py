"""One cell of the grid: scores the embeddings, assembles the result, and writes it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import senbench
from senbench import protocols
from senbench.embedding import side_cache
from senbench.evaluation import caveats, leakage, numeric_noise
from senbench.evaluation.outcome import LabelledSplit, outcome
from senbench.prompts import packs
from senbench.results import kept_checks, places, portable, qualifications, store, thumbnails
from senbench.results.predictions import Predictions
from senbench.results.run_id import run_id
from senbench.runtime import environment
from senbench.schema import contamination
from senbench.schema.blocks import DatasetBlock, Environment, ModelBlock, PixelFacts, PromptBlock, SpecBlock, Timings
from senbench.schema.result import RunResult
from senbench.scoring.classifier import Classifier
from senbench.scoring.postprocess import Scoring

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.embedding.engine import TextEmbeddings
    from senbench.embedding.image_pass import ImageEmbeddings
    from senbench.evaluation.data import EvalData
    from senbench.evaluation.embed import Embedder
    from senbench.evaluation.labels_saved import LabelsSaved
    from senbench.evaluation.numeric_noise import Repeats, Repetition
    from senbench.models.encoder import Encoder
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.result import Anchors, Metric, Noise
    from senbench.schema.run_spec import RunSpec
    from senbench.scoring.figures import Outcome


class Extras(NamedTuple):
    """Optional parts of a result."""

    tuning: LabelledSplit | None = None
    """Multi-label: the split on which thresholds are tuned."""
    anchors: Anchors | None = None
    """Supervised classifiers on the same embeddings."""
    labels_saved: LabelsSaved | None = None
    """Few-shot classifiers on the same embeddings, to compare with the zero-shot figure."""
    repeats: Repeats | None = None
    """The same tiles and prompts embedded again with other settings, to measure numeric noise."""


@dataclass(frozen=True)
class Cell:
    """One cell of the grid: one model with one prompt set on one dataset.

    Attributes:
        spec: The run as passed.
        embedder: The model with the settings of embedding.
        data: The dataset in the model's band order and unit.
        prompts: The prompt set.
        model_given: The model as passed.
        prompts_given: The prompt style or path as passed.
    """

    spec: RunSpec
    embedder: Embedder
    data: EvalData
    prompts: PromptSet
    model_given: str
    prompts_given: str

    @property
    def encoder(self) -> Encoder:
        """The model."""
        return self.embedder.encoder

    @cached_property
    def settings(self) -> protocols.Settings:
        """Return the resolved settings, after the protocol was applied."""
        as_passed = self.data.given, self.prompts_given, self.model_given
        return protocols.resolve(self.spec, self.data.tiles, self.encoder, *as_passed)

    def outcome(
        self,
        images: NDArray[np.float32],
        texts: Mapping[str, NDArray[np.float32]],
        positions: NDArray[np.int64],
        tuning: LabelledSplit | None = None,
    ) -> Outcome:
        """Score embeddings of some of the tiles.

        Args:
            images: Image embeddings, (N, D).
            texts: Text -> raw embedding, float32 (D,).
            positions: Position of each image in the tiles, (N,).
            tuning: Multi-label: the split on which thresholds are tuned.
        """
        return outcome(self.classifier(texts), images, self.data.sample.take(positions), tuning, self.spec.seed)

    def classifier(self, texts: Mapping[str, NDArray[np.float32]]) -> Classifier:
        """Return the zero-shot classifier of the prompts, from text -> raw embedding, float32 (D,)."""
        pack, settings = self.prompts, self.settings
        return Classifier.of(
            np.stack([texts[text] for text in pack.lines]),
            np.array(pack.line_class),
            len(self.data.tiles.info.classes),
            Scoring(settings.ensemble, settings.postprocess, self.encoder.logit_scale, self.encoder.logit_bias),
            names=pack.names,
            template_aligned=pack.template_aligned,
        )


def score_cell(
    cell: Cell, images: ImageEmbeddings, texts: TextEmbeddings, extras: Extras, folder: Path | None
) -> RunResult:
    """Score one cell and write its result.

    Args:
        cell: The cell.
        images: Image embeddings.
        texts: Embeddings of at least the prompts.
        extras: Optional parts of the result.
        folder: Results folder; None writes nothing.

    Returns:
        The result.
    """
    began = time.perf_counter()
    scored = cell.outcome(images.rows, texts.rows, images.positions, extras.tuning)
    seconds = time.perf_counter() - began
    if extras.labels_saved is not None and extras.anchors is not None and scored.predictions is not None:
        few = extras.labels_saved.against(cell.classifier(texts.rows), scored.predictions)
        extras = extras._replace(anchors=extras.anchors.model_copy(update={"few_shot": few}))
    result = _result(cell, images, scored, extras, _timings(images, texts, seconds))
    if folder is not None:
        _record(cell, images, scored, result, folder)
    return result


def _result(cell: Cell, images: ImageEmbeddings, scored: Outcome, extras: Extras, timings: Timings) -> RunResult:
    """Assemble the result; the only place where this machine's paths are replaced by base names."""
    spec, encoder, data, pack = cell.spec, cell.encoder, cell.data, cell.prompts
    here = portable.folders(spec)
    stated = {name: value for name, value in cell.settings if name in cell.settings.model_fields_set}
    settings = cell.settings.model_copy(update=portable.fields(stated))
    dataset = DatasetBlock.of(_dataset_block(cell, images, extras, here))
    model = ModelBlock.of(portable.told(encoder.describe(), here))
    grade = contamination.grade(encoder.card, data.tiles.info, given=caveats.unpinned(model, spec.weights))
    level, selected = leakage.access(
        pack, data.tiles.take(images.positions), data.sample.take(images.positions).clusters
    )
    lost = set(side_cache.cut_texts(encoder, list(dict.fromkeys(pack.lines)), cell.embedder.cache))
    cut = sum(line in lost for line in pack.lines)
    provenance = portable.told(packs.told(pack.provenance), here)
    known = {"access_level": level, "provenance": provenance, "n": pack.n, "cut": cut}
    prompts = PromptBlock.of(pack.model_dump() | known)
    heard = (*encoder.warnings, *pack.warnings)
    warnings = (*scored.warnings, *selected, *caveats.told(settings, dataset, encoder.card, heard))
    warnings += _noticed(images, extras.tuning)
    warnings += () if extras.anchors is None else extras.anchors.warnings
    result = RunResult(
        run_id=run_id(model, dataset, prompts, settings, encoder.dtype, spec.seed, scored.scores),
        senbench_version=senbench.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        spec=SpecBlock.of(portable.fields(spec.model_dump())),
        resolved=settings,
        model=model,
        dataset=dataset,
        prompts=prompts,
        protocol=settings.protocol,
        contamination=grade,
        access_level=max(scored.access_level, level),
        logit_scale=encoder.logit_scale,
        logit_bias=encoder.logit_bias,
        ensemble=settings.ensemble,
        postprocess=settings.postprocess,
        complete=len(images.positions) == data.tiles.n_expected,
        headline=settings.headline,
        metrics={name: _at_least(metric, level) for name, metric in scored.metrics.items()},
        lines=scored.lines,
        anchors=extras.anchors,
        ties=scored.ties,
        per_class=scored.per_class,
        confusion=scored.confusion,
        reliability=scored.reliability,
        per_label=scored.per_label,
        n_unlabelled=scored.n_unlabelled,
        clustering=scored.clustering,
        replicates=scored.replicates,
        resampled=scored.resampled,
        groups=scored.groups,
        noise=None if extras.repeats is None else _noise(cell, images, extras.repeats),
        timings=timings,
        environment=Environment.of(environment.describe(encoder.device, encoder.dtype, encoder.kernels)),
        warnings=portable.told(warnings, here),
    )
    return result.model_copy(update={"warnings": qualifications.notes(result)})


def _noise(cell: Cell, images: ImageEmbeddings, repeats: Repeats) -> Noise:
    positions = images.positions[np.searchsorted(images.positions, repeats.positions)]

    def again(repetition: Repetition) -> Outcome:
        return cell.outcome(repetition.images, repetition.texts, positions)

    return numeric_noise.measure(repeats, again, cell.settings.headline, len(images.positions))


def _record(cell: Cell, images: ImageEmbeddings, scored: Outcome, result: RunResult, folder: Path) -> None:
    """Write the result with its scores per image and some thumbnails."""
    tiles, sample = cell.data.tiles, cell.data.sample.take(images.positions)
    every = tiles.tile_ids
    ids = [every[p] for p in images.positions]
    shown = thumbnails.choose(ids, scored.scores, sample.labels, scored.predictions)
    at = images.positions[shown].tolist()
    pictures = side_cache.pictures(tiles, at, thumbnails.encode, thumbnails.ENCODING, cell.embedder.tile_cache)
    rest = sample.clusters, scored.scores, scored.predictions, sample.countries
    table = Predictions(tuple(ids), sample.labels, *rest)
    kept = {ids[row]: data for row, data in zip(shown, pictures, strict=True) if data is not None}
    kept_checks.keep(store.save(folder, result, table, kept), [])
    places.remember(result.run_id, cell.spec, cell.data.given)


def _noticed(images: ImageEmbeddings, tuning: LabelledSplit | None) -> tuple[str, ...]:
    """Return caveats that no field of the result states, one sentence each."""
    notes = []
    if tuning is not None and len(tuning.rows) < tuning.n_expected:
        n = len(tuning.rows)
        notes.append(f"thresholds tuned on {n:,} of the {tuning.n_expected:,} tiles of {tuning.split}")
    if images.damaged:
        n = len(images.damaged)
        notes.append(f"{n} cache shard{'s' * (n > 1)} damaged or not readable: left out, and the tiles embedded again")
    return tuple(notes)


def _at_least(metric: Metric, level: int) -> Metric:
    """Raise a figure's own access level, if stated, to at least that of the prompts."""
    if metric.access_level is None:
        return metric
    return metric.model_copy(update={"access_level": max(metric.access_level, level)})


def _dataset_block(cell: Cell, images: ImageEmbeddings, extras: Extras, here: tuple[str, ...]) -> dict[str, Any]:
    tiles, n, card, tuning = cell.data.tiles, len(images.positions), cell.encoder.card, extras.tuning
    info = tiles.info
    return {
        "id": info.id,
        "title": info.title,
        "task": info.task,
        "split": tiles.split,
        "source": portable.sentence(tiles.source, here),
        "packed": tiles.packed,
        "n_expected": tiles.n_expected,
        "n_evaluated": n,
        "subset": n < tiles.n_expected,
        "limit": tiles.limited,
        "content_hash": images.content_hash,
        "index_hash": tiles.take(images.positions).index_hash(),
        "classes": list(info.classes),
        "class_names": cell.prompts.class_names,
        "radiometry": tiles.radiometry,
        "band_order": tiles.band_order,
        "level": info.level,
        "model_level": None if card is None else card.level,
        **portable.told(tiles.facts_of_source, here),
        "pixels": _pixels(cell),
        "skipped": [
            {"id": tiles.ids[tiles.index[p]], "reason": portable.sentence(why, here)}
            for p, why in sorted(images.skipped.items())
        ],
        "licence": info.licence,
        "synthetic": info.synthetic,
        "rendering": cell.data.pixel_check.rendering,
        "tuned_on": tuning and {"split": tuning.split, "n": len(tuning.rows), "index_hash": tuning.index_hash},
    }


def _pixels(cell: Cell) -> PixelFacts:
    """Describe how the pixels were read, and the statistics of a sample of them."""
    check = cell.data.pixel_check
    read = PixelFacts.model_validate(cell.data.tiles.facts_of_source.get("pixels") or {})
    return read.model_copy(update={"figures": check.figures, "implausible": check.implausible})


def _timings(images: ImageEmbeddings, texts: TextEmbeddings, scoring_seconds: float) -> Timings:
    n = len(images.positions)
    cached = n - images.encoded
    return Timings(
        images=round(images.seconds, 3),
        images_encoded=images.encoded,
        images_cached=cached,
        # a rate that includes cached rows would not be a throughput
        images_per_second=round(n / images.seconds, 1) if cached == 0 and images.seconds else None,
        batch_size=images.batch_size,
        processes=images.processes,
        texts=round(texts.seconds, 3),
        texts_encoded=texts.encoded,
        scoring=round(scoring_seconds, 3),
    )
