"""The one place that walks the flow: prompts -> tiles -> embeddings -> scores -> result files."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import senbench
from senbench import environment, protocols
from senbench.datasets import registry as datasets
from senbench.datasets.base import Tiles, stratified
from senbench.embedding.engine import Embedded, embed_images, embed_texts
from senbench.errors import UnavailableError, UsageError
from senbench.models import weights, zoo
from senbench.models.user import UserEncoder
from senbench.paths import home
from senbench.progress import Progress, Silent
from senbench.prompting.styles import load_prompts, prompts_from_dict
from senbench.prompting.vocabulary import vocabulary_for
from senbench.results import store, thumbnails
from senbench.scoring import evaluate as scoring
from senbench.spec import PromptSet, RunResult, RunSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.protocols import Protocol, Settings


@dataclass(frozen=True)
class Opened:
    """A dataset of the grid with everything that does not depend on the model.

    Attributes:
        tiles: What is evaluated.
        prompts: One rendered set per entry of the spec, in order.
        clusters: Spatial cluster per tile, or None.
    """

    tiles: Tiles
    prompts: tuple[PromptSet, ...]
    clusters: NDArray[np.str_] | None


def run(spec: RunSpec, progress: Progress | None = None) -> list[RunResult]:
    """Evaluate a grid of models x prompts x datasets.

    Images are embedded once per model and dataset, all prompts of a model in one pass.

    Args:
        spec: What to run.
        progress: Draws progress; None: silent.

    Returns:
        One result per cell, datasets inside models, prompts inside datasets.

    Raises:
        UsageError: Wrong input; nothing was computed or written.
        UnavailableError: Data, weights or device missing or damaged.
    """
    draw = progress or Silent()
    protocol = protocols.find(spec.protocol)
    cards = [zoo.find(name) for name in spec.models]
    if spec.weights is not None and len(cards) > 1:
        raise UsageError(f"--weights gives one file, but {len(cards)} models are asked for")
    folder = store.writable(spec.results) if spec.results is not None else None
    opened = [_open(spec, name, protocol, draw) for name in spec.datasets]
    for card in cards:  # everything is fetched before anything is computed
        weights.locate(card, spec.weights, offline=spec.offline)
    results: list[RunResult] = []
    for card in cards:
        draw.say(f"loading {card.title}")
        from senbench.models.load import load

        encoder = load(
            card.id,
            file=spec.weights,
            device=spec.device,
            dtype=spec.dtype,
            preprocess=protocols.preprocess(protocol, card),
            offline=spec.offline,
        )
        results += _model(spec, encoder, card.title, opened, folder, draw)
        del encoder
    return results


def evaluate(
    model: Any,
    dataset: str | Tiles,
    prompts: str | Path | Mapping[str, Sequence[str]],
    *,
    progress: Progress | None = None,
    **options: Any,
) -> RunResult:
    """Score one model on one dataset with one set of prompts, from Python.

    Args:
        model: Model id, an `Adapter`, or any object with `encode_images(tiles)` (list of uint8 (H, W, 3))
            and `encode_texts(texts)`, optionally `logit_scale` and `name`.
        dataset: Dataset id, or opened `Tiles`.
        prompts: Style, path to a `.j2` or `.json` file, or a mapping of class name -> prompts.
        progress: Draws progress; None: silent.
        **options: Further fields of `RunSpec`; nothing is written unless `results` names a folder.

    Returns:
        The result.
    """
    draw = progress or Silent()
    options.setdefault("results", None)
    spec = RunSpec(
        models=(model if isinstance(model, str) else "user",),
        prompts=("custom" if not isinstance(prompts, str | Path) else str(prompts),),
        datasets=(dataset if isinstance(dataset, str) else dataset.info.id,),
        **options,
    )
    if isinstance(model, str) and isinstance(dataset, str) and isinstance(prompts, str | Path):
        return run(spec, draw)[0]
    protocol = protocols.find(spec.protocol)
    opened = _open(spec, dataset, protocol, draw, None if isinstance(prompts, str | Path) else prompts)
    folder = store.writable(spec.results) if spec.results is not None else None
    if isinstance(model, str):
        from senbench.models.load import load

        card = zoo.find(model)
        how = protocols.preprocess(protocol, card)
        model = load(
            model,
            file=spec.weights,
            device=spec.device,
            dtype=spec.dtype,
            preprocess=how,
            offline=spec.offline,
        )
    encoder = model if hasattr(model, "encode_prepared") else UserEncoder(model)
    return _model(spec, encoder, str(encoder.describe()["title"]), [opened], folder, draw)[0]


def _open(
    spec: RunSpec,
    dataset: str | Tiles,
    protocol: Protocol,
    draw: Progress,
    mapping: Mapping[str, Sequence[str]] | None = None,
) -> Opened:
    if isinstance(dataset, str):
        info = datasets.dataset_info(dataset)
        tiles = datasets.open_dataset(
            dataset,
            split=spec.split or protocol.splits.get(info.id, info.default_split),
            data_dir=spec.data_dir,
            radiometry=spec.radiometry,
            offline=spec.offline,
        )
    else:
        tiles = dataset
    if spec.limit is not None:
        if spec.limit < 1:
            raise UsageError(f"--limit {spec.limit}: give at least 1")
        chosen = stratified(tiles.tile_labels, spec.limit, spec.seed)
        tiles = tiles.take(chosen, limited=spec.limit)
    vocabulary, names = vocabulary_for(tiles.info, protocols.class_names(spec, protocol, tiles.info))
    rendered: tuple[PromptSet, ...]
    if mapping is not None:
        rendered = (prompts_from_dict(mapping, tiles.info, vocabulary, class_names=names),)
    else:
        rendered = tuple(load_prompts(p, tiles.info, vocabulary, names) for p in spec.prompts)
    with draw.stage(f"positions of {tiles.info.id}", 0):
        clusters = tiles.clusters()
    return Opened(tiles, rendered, None if clusters is None else np.array(clusters))


def _model(
    spec: RunSpec,
    encoder: Any,
    title: str,
    opened: Sequence[Opened],
    folder: Path | None,
    draw: Progress,
) -> list[RunResult]:
    cache = home() / "cache" if spec.cache else None
    texts = [text for data in opened for pack in data.prompts for lines in pack.texts.values() for text in lines]
    began = time.perf_counter()
    with draw.stage(f"{title}: {len(set(texts)):,} prompts", len(set(texts))) as advance:
        rows, n_encoded = embed_texts(encoder, texts, cache, advance)
    text_timing = {"texts": round(time.perf_counter() - began, 3), "texts_encoded": n_encoded}
    results = []
    for data in opened:
        with draw.stage(f"{title}: {data.tiles.info.id} images", len(data.tiles)) as advance:
            images = embed_images(
                encoder,
                data.tiles,
                cache,
                batch_size=spec.batch_size,
                on_error=spec.on_error,
                advance=advance,
            )
        if not len(images.rows):
            raise UnavailableError(f"dataset {data.tiles.info.id}: not one tile could be decoded")
        for pack, given in zip(data.prompts, spec.prompts, strict=True):
            result = _cell(spec, encoder, data, pack, given, rows, images, text_timing, folder)
            results.append(result)
    return results


def _cell(
    spec: RunSpec,
    encoder: Any,
    data: Opened,
    pack: PromptSet,
    given: str,
    rows: Mapping[str, NDArray[np.float32]],
    images: Embedded,
    text_timing: Mapping[str, Any],
    folder: Path | None,
) -> RunResult:
    tiles, info = data.tiles, data.tiles.info
    how = protocols.resolve(spec, info, getattr(encoder, "preprocess", None), given)
    texts = [text for key in info.classes for text in pack.texts[key]]
    text_class = np.repeat(np.arange(len(info.classes)), [len(pack.texts[key]) for key in info.classes])
    labels = tiles.tile_labels[images.positions]
    clusters = None if data.clusters is None else data.clusters[images.positions]
    began = time.perf_counter()
    scored = scoring.zero_shot(
        images.rows,
        np.stack([rows[text] for text in texts]),
        text_class,
        labels,
        class_keys=info.classes,
        class_names=pack.names,
        rule=how.ensemble,
        postprocess=how.postprocess,
        logit_scale=encoder.logit_scale,
        template_aligned=pack.template_aligned,
        clusters=clusters,
        seed=spec.seed,
    )
    seconds = time.perf_counter() - began
    n = len(images.positions)
    dataset = _dataset_block(tiles, images, pack, n)
    model = encoder.describe()
    result = RunResult(
        run_id=_run_id(model, dataset, pack, how, spec),
        senbench_version=senbench.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        spec=spec.model_dump(mode="json"),
        resolved=how.model_dump(mode="json"),
        model=model,
        dataset=dataset,
        prompts={**pack.model_dump(mode="json"), "n": pack.n},
        protocol=how.protocol,
        access_level=scored.access_level,
        ensemble=how.ensemble,
        postprocess=how.postprocess,
        complete=n == tiles.n_expected,
        headline="top1",
        metrics=scored.metrics,
        lines=scored.lines,
        per_class=tuple(
            entry.model_copy(update={"recall_ci": ci})
            for entry, ci in zip(scored.per_class, scored.recall_ci, strict=True)
        ),
        confusion=tuple(tuple(int(v) for v in row) for row in scored.confusion),
        ties=scored.ties,
        timings=_timings(images, n, seconds, text_timing),
        environment=environment.describe(getattr(encoder, "device", None), spec.dtype),
        warnings=(*scored.warnings, *_warnings(encoder, tiles, images, pack, how, texts)),
    )
    if folder is not None:
        ids = [tiles.tile_ids[p] for p in images.positions]
        store.save(
            folder,
            result,
            ids=ids,
            labels=[info.classes[k] for k in labels],
            clusters=None if clusters is None else [str(c) for c in clusters],
            scores=scored.scores,
            predictions=[info.classes[k] for k in scored.predictions],
            thumbnails=thumbnails.keep(tiles, images.positions, scored.scores, labels, scored.predictions),
        )
    return result


def _dataset_block(tiles: Tiles, images: Embedded, pack: PromptSet, n: int) -> dict[str, Any]:
    info = tiles.info
    return {
        "id": info.id,
        "title": info.title,
        "task": info.task,
        "split": tiles.split,
        "source": tiles.source,
        "n_expected": tiles.n_expected,
        "n_evaluated": n,
        "subset": n < tiles.n_expected,
        "limit": tiles.limited,
        "index_hash": tiles.take(images.positions).index_hash(),
        "classes": list(info.classes),
        "class_names": pack.class_names,
        "radiometry": tiles.radiometry,
        "band_order": tiles.band_order,
        "skipped": [{"id": tiles.tile_ids[p], "reason": why} for p, why in sorted(images.skipped.items())],
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
        **texts,
        "scoring": round(scoring_seconds, 3),
    }


def _warnings(
    encoder: Any, tiles: Tiles, images: Embedded, pack: PromptSet, how: Settings, texts: list[str]
) -> list[str]:
    found = [how.note] if how.note else []
    n = len(images.positions)
    if tiles.info.synthetic:
        found.append("synthetic tiles: this figure says nothing about real Sentinel-2 data")
    if encoder.describe().get("synthetic"):
        found.append("the model was trained on synthetic scenes only: a demonstration, not a baseline")
    if images.skipped:
        found.append(f"{len(images.skipped)} tiles could not be decoded and were left out: incomplete, not ranked")
    if n < tiles.n_expected:
        why = f"--limit {tiles.limited}" if tiles.limited is not None else tiles.source
        found.append(f"subset: {n:,} of {tiles.n_expected:,} tiles ({why}): incomplete, not ranked")
    if lost := encoder.truncated(list(dict.fromkeys(texts))):
        found.append(f"{len(lost)} prompts of {pack.id} are longer than the model's context and lose their end")
    if images.damaged:
        found.append(f"{len(images.damaged)} damaged cache shards were left out and their tiles embedded again")
    return found


def _run_id(model: Mapping[str, Any], dataset: Mapping[str, Any], pack: PromptSet, how: Settings, spec: RunSpec) -> str:
    """Readable, and hashed over everything that determines the scores."""
    what = {
        "model": model,
        "dataset": {k: v for k, v in dataset.items() if k not in ("title", "licence", "source", "skipped")},
        "prompts": pack.hash,
        "settings": how.model_dump(mode="json"),
        "dtype": spec.dtype,
        "seed": spec.seed,
    }
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:10]
    parts = [model["id"], pack.id, dataset["id"], dataset["split"], how.protocol]
    slug = "_".join("".join(c if c.isalnum() or c in "-." else "-" for c in str(part))[:48] for part in parts)
    return f"{slug}_{digest}"
