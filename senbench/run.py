"""The one place that walks the flow: prompts -> tiles -> embeddings -> scores -> result files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench import protocols
from senbench.cell import Opened, score_cell
from senbench.datasets import registry as datasets
from senbench.datasets.base import Tiles, stratified
from senbench.embedding.engine import embed_images, embed_texts
from senbench.errors import UnavailableError, UsageError
from senbench.models import weights, zoo
from senbench.models.user import UserEncoder
from senbench.paths import home
from senbench.progress import Progress, Silent
from senbench.prompting.styles import load_prompts, prompts_from_dict
from senbench.prompting.vocabulary import vocabulary_for
from senbench.results import store
from senbench.spec import PromptSet, RunResult, RunSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.protocols import Protocol


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
            result = score_cell(spec, encoder, data, pack, given, rows, images, text_timing, folder)
            results.append(result)
    return results
