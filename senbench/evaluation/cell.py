"""One cell of the grid: score the embeddings, assemble the result, write it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import senbench
from senbench import protocols
from senbench.datasets.bands import level_note
from senbench.datasets.folder import product_metadata
from senbench.embedding import side_cache
from senbench.evaluation import leakage
from senbench.evaluation import numeric_noise as noises
from senbench.evaluation.outcome import outcome
from senbench.prompts import packs
from senbench.results import store, thumbnails
from senbench.results.predictions import Predictions
from senbench.results.run_id import run_id
from senbench.runtime import environment
from senbench.runtime.paths import home
from senbench.schema import contamination
from senbench.schema.blocks import DatasetBlock, Environment, ModelBlock, PromptBlock, SpecBlock, Timings
from senbench.schema.result import RunResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.embedding.engine import Embedded
    from senbench.evaluation.data import Opened
    from senbench.evaluation.numeric_noise import Repeats, Rows
    from senbench.evaluation.outcome import Outcome
    from senbench.protocols import Settings
    from senbench.schema.model_card import ModelCard
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.result import Anchors, Metric
    from senbench.schema.run_spec import RunSpec


class Tuning(NamedTuple):
    """The split on which thresholds are tuned."""

    rows: NDArray[np.float32]
    """Image embeddings, (V, D)."""
    labels: NDArray[np.bool_]
    """Multi-hot labels, (V, C)."""
    split: str
    """Its name."""
    n_expected: int
    """Tiles it should have."""
    index_hash: str
    """Which tiles, with which labels."""


def cache_of(spec: RunSpec, encoder: Any = None) -> Path | None:
    """Folder of what a run keeps for the next one, of a model where one is given; None: it keeps nothing."""
    if encoder is not None and encoder.image_identity() is None:
        return None  # an object of the user's, whose tiles may be anything too
    return home() / "cache" if spec.cache else None


def score_cell(
    spec: RunSpec,
    encoder: Any,
    data: Opened,
    pack: PromptSet,
    given: str,
    name: str,
    rows: Mapping[str, NDArray[np.float32]],
    images: Embedded,
    text_timing: Mapping[str, Any],
    folder: Path | None,
    tuning: Tuning | None = None,
    rendering: dict[str, Any] | None = None,
    anchors: Anchors | None = None,
    repeats: Repeats | None = None,
) -> RunResult:
    """Score one model with one prompt set on one dataset.

    Args:
        spec: The run as passed.
        encoder: The model: its native scale, its description, its environment.
        data: The dataset.
        pack: The prompt set.
        given: The prompt style or path as passed.
        name: The model as passed.
        rows: Text -> raw embedding, float32 (D,).
        images: Image embeddings.
        text_timing: Timing of the text stage.
        folder: Where to write the result; None: nowhere.
        tuning: Multi-label: the split on which thresholds are tuned.
        rendering: Statistics of the values that the model gets.
        anchors: Supervised classifiers on the same embeddings.
        repeats: The same tiles and prompts embedded again under other settings, for the noise floor.

    Returns:
        The result, written if a folder is given.
    """
    tiles, info = data.tiles, data.tiles.info
    how = protocols.resolve(spec, tiles, encoder, data.given, given, name)
    dtype = str(getattr(encoder, "dtype", spec.dtype))
    texts = [text for key in info.classes for text in pack.texts[key]]
    text_class = np.repeat(np.arange(len(info.classes)), [len(pack.texts[key]) for key in info.classes])
    labels = tiles.tile_labels[images.positions]
    clusters = None if data.clusters is None else data.clusters[images.positions]
    countries = tiles.facts("country")
    began = time.perf_counter()

    def evaluated(
        embedded: NDArray[np.float32], prompts: Mapping[str, NDArray[np.float32]], at: Any, tuned: Any
    ) -> Outcome:
        return outcome(
            embedded,
            np.stack([prompts[text] for text in texts]),
            text_class,
            labels[at],
            class_keys=info.classes,
            class_names=pack.names,
            rule=how.ensemble,
            postprocess=how.postprocess,
            logit_scale=encoder.logit_scale,
            logit_bias=encoder.logit_bias,
            template_aligned=pack.template_aligned,
            clusters=None if clusters is None else clusters[at],
            countries=None if countries is None else [countries[p] for p in images.positions[at]],
            tuning=tuned,
            seed=spec.seed,
        )

    scored = evaluated(images.rows, rows, slice(None), None if tuning is None else tuning[:3])
    seconds = time.perf_counter() - began
    n = len(images.positions)
    noise = None
    if repeats is not None:
        at = np.searchsorted(images.positions, repeats.positions)

        def again(found: Rows) -> Outcome:
            return evaluated(found.images, found.texts, at, None)

        noise = noises.measure(repeats, again, how.headline, n)
    card = getattr(encoder, "card", None)
    tuned_on = tuning and {"split": tuning.split, "n": len(tuning.rows), "index_hash": tuning.index_hash}
    dataset = DatasetBlock.of(
        {**_dataset_block(tiles, images, pack, n, card), "rendering": rendering, "tuned_on": tuned_on}
    )
    model = ModelBlock.of(encoder.describe())
    unpinned = spec.weights is not None and not _pinned(card, model.weights_sha256)
    grade = contamination.grade(card, info, given=unpinned)
    contaminated = contamination.note(grade)
    level, selected = leakage.access(pack, tiles.take(images.positions), clusters)
    told = [*selected, *_warnings(spec, encoder, tiles, images, pack, how, texts, contaminated, tuning)]
    stated = {"access_level": level, "provenance": packs.told(pack.provenance), "n": pack.n}
    prompts = PromptBlock.of(pack.model_dump() | stated)
    result = RunResult(
        run_id=run_id(model, dataset, prompts, how, dtype, spec.seed, scored.scores),
        senbench_version=senbench.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        spec=SpecBlock.of(spec.model_dump()),
        resolved=how,
        model=model,
        dataset=dataset,
        prompts=prompts,
        protocol=how.protocol,
        contamination=grade,
        access_level=max(scored.access_level, level),
        logit_scale=encoder.logit_scale,
        logit_bias=encoder.logit_bias,
        ensemble=how.ensemble,
        postprocess=how.postprocess,
        complete=n == tiles.n_expected,
        headline=how.headline,
        metrics={name: _at_least(metric, level) for name, metric in scored.metrics.items()},
        lines=scored.lines,
        anchors=anchors,
        ties=scored.ties,
        **scored.details,
        noise=noise,
        timings=Timings.of(_timings(images, n, seconds, text_timing)),
        environment=Environment.of(environment.describe(getattr(encoder, "device", None), dtype)),
        warnings=(*scored.warnings, *told, *(anchors.warnings if anchors is not None else ())),
    )
    if folder is not None:
        every = tiles.tile_ids
        ids = [every[p] for p in images.positions]
        shown = thumbnails.choose(ids, scored.scores, labels, scored.predictions)
        at = images.positions[shown].tolist()
        pictures = side_cache.pictures(tiles, at, thumbnails.encode, thumbnails.ENCODING, cache_of(spec, encoder))
        table = Predictions(tuple(ids), labels, clusters, scored.scores, scored.predictions)
        kept = {ids[row]: data for row, data in zip(shown, pictures, strict=True) if data is not None}
        store.save(folder, result, table, kept)
    return result


def _at_least(metric: Metric, level: int) -> Metric:
    """The figure, if it states an access level of its own, with at least that of the prompts."""
    if metric.access_level is None:
        return metric
    return metric.model_copy(update={"access_level": max(metric.access_level, level)})


def _pinned(card: ModelCard | None, weights_sha256: str | None) -> bool:
    """True if the loaded bytes are ones that the card states."""
    return card is not None and weights_sha256 in (card.weights.sha256, *card.weights.also_sha256)


def _dataset_block(tiles: Tiles, images: Embedded, pack: PromptSet, n: int, card: ModelCard | None) -> dict[str, Any]:
    info = tiles.info
    return {
        "id": info.id,
        "title": info.title,
        "task": info.task,
        "split": tiles.split,
        "source": tiles.source,
        "packed": tiles.packed,
        "n_expected": tiles.n_expected,
        "n_evaluated": n,
        "subset": n < tiles.n_expected,
        "limit": tiles.limited,
        "content_hash": images.content_hash,
        "index_hash": tiles.take(images.positions).index_hash(),
        "classes": list(info.classes),
        "class_names": pack.class_names,
        "radiometry": tiles.radiometry,
        "band_order": tiles.band_order,
        "level": info.level,
        "model_level": None if card is None else card.level,
        **tiles.facts_of_source,
        "skipped": [{"id": tiles.ids[tiles.index[p]], "reason": why} for p, why in sorted(images.skipped.items())],
        "licence": info.licence,
        "synthetic": info.synthetic,
    }


def _timings(images: Embedded, n: int, scoring_seconds: float, texts: Mapping[str, Any]) -> dict[str, Any]:
    cached = n - images.encoded
    return {
        "images": round(images.seconds, 3),
        "images_encoded": images.encoded,
        "images_cached": cached,
        # a rate that counts cached rows would not be a throughput
        "images_per_second": round(n / images.seconds, 1) if cached == 0 and images.seconds else None,
        "batch_size": images.batch_size,
        "processes": images.processes,
        **texts,
        "scoring": round(scoring_seconds, 3),
    }


def _warnings(
    spec: RunSpec,
    encoder: Any,
    tiles: Tiles,
    images: Embedded,
    pack: PromptSet,
    how: Settings,
    texts: list[str],
    contaminated: str | None,
    tuning: Tuning | None,
) -> list[str]:
    level = level_note(getattr(encoder, "card", None), tiles.info)
    found = [note for note in (how.note, contaminated, level) if note]
    found += product_metadata.notes(tiles.facts_of_source)
    found += getattr(encoder, "warnings", ())
    found += pack.warnings
    if how.overrides:
        differ = "differs" if len(how.overrides) == 1 else "differ"
        found.append(f"not {how.protocol} as defined: {', '.join(how.overrides)} {differ} from the protocol")
    card = getattr(encoder, "card", None)
    if spec.weights is not None and not _pinned(card, encoder.describe()["weights_sha256"]):
        found.append("weights given as a file that the card does not pin: what it says of their training is on trust")
    n = len(images.positions)
    if tiles.info.synthetic:
        found.append("synthetic tiles: this figure says nothing about real Sentinel-2 data")
    if encoder.describe().get("synthetic"):
        found.append("the model was trained on synthetic scenes only: a demonstration, not a baseline")
    if images.skipped:
        n_lost = len(images.skipped)
        found.append(f"{n_lost} tile{'s' * (n_lost != 1)} could not be decoded, left out: incomplete, not ranked")
    if n < tiles.n_expected:
        why = f"--limit {tiles.limited}" if tiles.limited is not None else tiles.source
        found.append(f"subset: {n:,} of {tiles.n_expected:,} tiles ({why}): incomplete, not ranked")
    if lost := side_cache.cut_texts(encoder, list(dict.fromkeys(texts)), cache_of(spec)):
        found.append(f"{len(lost)} prompts of {pack.id} are longer than the model's context and lose their end")
    if tuning is not None and len(tuning.rows) < tuning.n_expected:
        n = len(tuning.rows)
        found.append(f"thresholds tuned on {n:,} of the {tuning.n_expected:,} tiles of {tuning.split}")
    if images.damaged:
        n = len(images.damaged)
        found.append(f"{n} cache shard{'s' * (n > 1)} damaged or not readable: left out, and the tiles embedded again")
    return found
