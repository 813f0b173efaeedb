"""The one place that walks the flow: prompts -> tiles -> embeddings -> scores -> result files."""

from __future__ import annotations

import copy
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench import noise, protocols
from senbench.cell import Tuning, score_cell
from senbench.datasets import bands, statistics
from senbench.datasets import registry as datasets
from senbench.datasets.base import Tiles
from senbench.embedding.engine import Embedded, embed_images, embed_texts
from senbench.errors import UnavailableError, UsageError
from senbench.factorial import Crossing
from senbench.models import deferred, files, zoo
from senbench.models.adapter import Adapter
from senbench.models.user import UserEncoder
from senbench.opening import Opened, open_data
from senbench.paths import home
from senbench.progress import Progress, Silent
from senbench.prompting import lint
from senbench.prompting.styles import load_prompts, prompts_from_dict
from senbench.prompting.vocabulary import vocabulary_for
from senbench.results import factorial, store
from senbench.spec import ModelCard, PromptSet, RunResult, RunSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.protocols import Protocol
    from senbench.spec import Anchors


class Grid(NamedTuple):
    """What a grid of models x prompts x datasets gave."""

    results: list[RunResult]
    """One result per cell, datasets inside models, prompts inside datasets."""
    factorials: list[factorial.Factorial | str]
    """Per dataset: styles against models, or why they are not compared; empty for a single cell."""


def run(spec: RunSpec, progress: Progress | None = None) -> list[RunResult]:
    """Evaluate a grid of models x prompts x datasets.

    Images are embedded once per model and dataset, all prompts of a model in one pass.

    Args:
        spec: What to run.
        progress: Draws progress; None: silent.

    Returns:
        One result per cell, datasets inside models, prompts inside datasets.

    Raises:
        UsageError: Wrong input; nothing was fetched, computed or written.
        UnavailableError: Data, weights or device missing or damaged.
    """
    models = [zoo.find(name, offline=spec.offline) for name in spec.models]
    return _grid(spec, models, spec.datasets, None, progress or Silent()).results


def run_crossed(spec: RunSpec, progress: Progress | None = None) -> Grid:
    """As `run`, then compare styles and models with prompts and images resampled (docs/methods.md).

    The comparisons are written beside the results.

    Args:
        spec: What to run.
        progress: Draws progress; None: silent.

    Returns:
        Results and comparisons.

    Raises:
        UsageError: As `run`.
        UnavailableError: As `run`.
    """
    models = [zoo.find(name, offline=spec.offline) for name in spec.models]
    return _grid(spec, models, spec.datasets, None, progress or Silent(), crossed=True)


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
            and `encode_texts(texts)`, optionally `logit_scale` and `name`. What is passed as an object may
            change between calls: its embeddings are never cached and its weights hash is not recorded.
        dataset: Dataset id, or opened `Tiles`.
        prompts: Style, path to a `.j2` or `.json` file, or a mapping of class name -> prompts.
        progress: Draws progress; None: silent.
        **options: Further fields of `RunSpec`; nothing is written unless `results` names a folder.

    Returns:
        The result.

    Raises:
        UsageError: Wrong input, or an option that does not apply to an object that was passed.
        UnavailableError: As `run`.
    """
    for given, fields in (
        (model, ("weights", "device", "dtype")),
        (dataset, ("split", "data_dir", "radiometry", "dn_offset")),
    ):
        if not isinstance(given, str) and (misplaced := [f for f in fields if f in options]):
            raise UsageError(f"{misplaced[0]} does not apply to {type(given).__name__}, which was passed as an object")
    mapping = None if isinstance(prompts, str | Path) else prompts
    spec = RunSpec(
        models=(model if isinstance(model, str) else type(model).__name__,),
        prompts=(str(prompts) if mapping is None else "custom",),
        datasets=(dataset if isinstance(dataset, str) else dataset.info.id,),
        **{"results": None, **options},
    )
    models = [zoo.find(model, offline=spec.offline) if isinstance(model, str) else model]
    return _grid(spec, models, [dataset], mapping, progress or Silent()).results[0]


def _grid(
    spec: RunSpec,
    models: Sequence[Any],
    given: Sequence[str | Tiles],
    mapping: Mapping[str, Sequence[str]] | None,
    draw: Progress,
    *,
    crossed: bool = False,
) -> Grid:
    """Check everything that is cheap, fetch what is missing, then compute."""
    protocol = protocols.find(spec.protocol)
    cards = [model for model in models if isinstance(model, ModelCard)]
    if spec.weights is not None and len(cards) > 1:
        raise UsageError(f"--weights gives one file, but {len(cards)} models are asked for")
    for model in models:
        for dataset in given:
            _fits(spec, protocol, _card(model), dataset)
    rendered = [_render(spec, dataset, protocol, mapping) for dataset in given]
    if cards:
        deferred.kind(spec.device)
    folder = store.writable(spec.results) if spec.results is not None else None
    opened = [open_data(spec, dataset, protocol, packs, draw) for dataset, packs in zip(given, rendered, strict=True)]
    for card in cards:
        files.identify(card, files.locate(card, spec.weights, offline=spec.offline), accept_new=spec.accept_new_weights)
    wanted = crossed and len(spec.models) * len(spec.prompts) > 1
    crossings = [Crossing(spec, data) for data in opened] if wanted else []
    results: list[RunResult] = []
    for model, name in zip(models, spec.models, strict=True):
        encoder = _encoder(spec, model, protocol, draw)
        results += _model(spec, encoder, name, opened, folder, draw, crossings)
        del encoder  # one model in memory at a time
    factorials = [crossing.finish() for crossing in crossings]
    for found in factorials:
        if folder is not None and not isinstance(found, str):
            factorial.save(folder, found)
    return Grid(results, factorials)


def _card(model: Any) -> ModelCard | None:
    """Contract of a model; None for a user's object, which has none."""
    card = model if isinstance(model, ModelCard) else getattr(model, "card", None)
    return card if isinstance(card, ModelCard) else None


def _fits(spec: RunSpec, protocol: Protocol, card: ModelCard | None, dataset: str | Tiles) -> None:
    """Refuse a model and a dataset that cannot be paired, before anything is fetched."""
    if card is None and not isinstance(dataset, str):
        return  # an object of the user's gets the tiles that the user opened, as they are
    if protocol.normalisation is not None and card is not None and card.unit != "uint8":
        raise UsageError(
            f"protocol {protocol.id} normalises 8-bit RGB, but model {card.id} takes digital numbers: "
            "use --protocol standard"
        )
    pairing = bands.pair(
        card, datasets.dataset_info(dataset) if isinstance(dataset, str) else dataset.info, spec.radiometry
    )
    if isinstance(dataset, Tiles):
        dataset.paired(pairing)


def _render(
    spec: RunSpec, dataset: str | Tiles, protocol: Protocol, mapping: Mapping[str, Sequence[str]] | None
) -> tuple[PromptSet, ...]:
    """Prompt sets of a dataset, linted and checked against the ensembling rule before anything is fetched."""
    info = datasets.dataset_info(dataset) if isinstance(dataset, str) else dataset.info
    vocabulary, names = vocabulary_for(info, protocols.class_names(spec, protocol, info))
    if mapping is not None:
        packs: tuple[PromptSet, ...] = (prompts_from_dict(mapping, info, vocabulary, class_names=names),)
    else:
        packs = tuple(load_prompts(source, info, vocabulary, names) for source in spec.prompts)
    packs = tuple(lint.checked(pack, vocabulary) for pack in packs)
    rule = spec.ensemble or protocol.ensemble
    if rule == "dap" and spec.tune is not None:
        raise UsageError("--tune: under ensemble dap scores depend on the evaluated images; choose another ensemble")
    for pack in packs:
        if rule == "prob-mean" and not pack.template_aligned:
            raise UsageError(
                f"ensemble prob-mean needs prompts whose j-th line is one template for every class; {pack.id} is not "
                "such a set: use norm-mean-norm, or a style such as clip"
            )
        if rule == "max" and len({len(texts) for texts in pack.texts.values()}) > 1:
            raise UsageError(f"ensemble max favours classes with more prompts, and {pack.id} has unequal counts")
    return packs


def _encoder(spec: RunSpec, model: Any, protocol: Protocol, draw: Progress) -> Any:
    """A card is loaded when it must; an adapter is used as it is now, uncached; any other object is wrapped."""
    exact = spec.exact or protocol.normalisation is not None
    if isinstance(model, ModelCard):
        path = files.locate(model, spec.weights, offline=spec.offline)
        return deferred.Deferred(
            model,
            path,
            files.identify(model, path, accept_new=spec.accept_new_weights),
            device=spec.device,
            dtype=spec.dtype,
            preprocess=protocols.preprocess(protocol, model),
            exact=True if exact else None,
            cache=_cache(spec),
            say=draw.say,
        )
    if isinstance(model, Adapter):
        adapter = copy.copy(model)
        adapter.live = True
        adapter.exact = exact or adapter.exact
        return adapter
    return model if hasattr(model, "encode_prepared") else UserEncoder(model)


def _cache(spec: RunSpec) -> Path | None:
    return home() / "cache" if spec.cache else None


def _model(
    spec: RunSpec,
    encoder: Any,
    name: str,
    opened: Sequence[Opened],
    folder: Path | None,
    draw: Progress,
    crossings: Sequence[Crossing],
) -> list[RunResult]:
    cache = _cache(spec)
    title = encoder.describe()["title"]
    texts = [text for data in opened for pack in data.prompts for lines in pack.texts.values() for text in lines]
    began = time.perf_counter()
    with draw.stage(f"{title}: {len(set(texts)):,} prompts", len(set(texts))) as advance:
        rows, n_encoded = embed_texts(encoder, texts, cache, advance)
    text_timing = {"texts": round(time.perf_counter() - began, 3), "texts_encoded": n_encoded}
    results = []
    card = _card(encoder)
    variant_of = protocols.find(spec.protocol).on
    for d, data in enumerate(opened):
        pairing = None if card is None else bands.pair(card, data.tiles.info, spec.radiometry)
        order = variant_of(data.tiles.info).bands
        if pairing is not None and order is not None and not pairing.native:
            pairing = pairing._replace(bands=order)
        if pairing is not None:
            data = replace(data, tiles=data.tiles.paired(pairing))
        images = _embedded(spec, encoder, data.tiles, cache, draw)
        stats = statistics.rendering(data.tiles)
        tuning = None
        if data.tuning is not None:
            other = data.tuning if pairing is None else data.tuning.paired(pairing)
            seen = _embedded(spec, encoder, other, cache, draw)
            taken = other.take(seen.positions)
            tuning = Tuning(seen.rows, taken.tile_labels, other.split, other.n_expected, taken.index_hash())
        supervised = None
        if data.anchors is not None:
            other = data.anchors if pairing is None else data.anchors.paired(pairing)
            supervised = _anchors(spec, data, images, other, _embedded(spec, encoder, other, cache, draw), draw)
        repeats = None
        if spec.noise is not None:
            own = [text for pack in data.prompts for lines in pack.texts.values() for text in lines]
            repeats = noise.repeat(spec, encoder, data.tiles, own, draw)
        of_data = []
        for pack, given in zip(data.prompts, spec.prompts, strict=True):
            result = score_cell(
                spec,
                encoder,
                data,
                pack,
                given,
                name,
                rows,
                images,
                text_timing,
                folder,
                tuning,
                stats,
                supervised,
                repeats,
            )
            of_data.append(result)
        results += of_data
        if crossings:
            with draw.stage(f"{title}: prompts and tiles resampled, styles", len(of_data)) as advance:
                for j, result in enumerate(of_data):
                    crossings[d].add(name, j, result, rows, images)
                    advance(1)
    return results


def _anchors(spec: RunSpec, data: Opened, images: Embedded, other: Tiles, seen: Embedded, draw: Progress) -> Anchors:
    """Supervised classifiers trained on another split's embeddings, measured on the evaluated ones."""
    from senbench import anchors

    taken = other.take(seen.positions)
    clusters = taken.clusters()
    draw.say(f"anchors: kNN and logistic regression on {len(taken):,} images of {other.split}")
    return anchors.measure(
        anchors.Labelled(seen.rows, taken.tile_labels, None if clusters is None else np.array(clusters)),
        anchors.Labelled(
            images.rows,
            data.tiles.tile_labels[images.positions],
            None if data.clusters is None else data.clusters[images.positions],
        ),
        other.info.classes,
        split=other.split,
        n_expected=other.n_expected,
        index_hash=taken.index_hash(),
        seed=spec.seed,
    )


def _embedded(spec: RunSpec, encoder: Any, tiles: Tiles, cache: Path | None, draw: Progress) -> Embedded:
    with draw.stage(f"{encoder.describe()['title']}: {tiles.info.id} {tiles.split} images", len(tiles)) as advance:
        images = embed_images(
            encoder, tiles, cache, batch_size=spec.batch_size, on_error=spec.on_error, advance=advance
        )
    if not len(images.rows):
        raise UnavailableError(f"dataset {tiles.info.id}: not one tile could be decoded")
    return images
