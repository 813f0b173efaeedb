"""Runs a grid: prompts -> tiles -> embeddings -> scores -> result files."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench import protocols
from senbench.datasets import bands
from senbench.datasets import open as datasets
from senbench.datasets.tiles import Tiles
from senbench.embedding.work_split import check_shared
from senbench.errors import UsageError
from senbench.evaluation import distinct_classes, numeric_noise
from senbench.evaluation.cell import Cell, Extras, score_cell
from senbench.evaluation.data import EvalData, open_data
from senbench.evaluation.embed import Embedder, continued
from senbench.evaluation.outcome import LabelledSplit
from senbench.models import devices, lazy_model, registry
from senbench.models.adapter import Adapter
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.user import as_encoder
from senbench.prompts.languages import LANGUAGES
from senbench.prompts.lint import lint
from senbench.prompts.load import load_prompts, prompts_from_dict
from senbench.prompts.vocabulary import vocabulary_for
from senbench.results import store
from senbench.runtime import environment
from senbench.runtime.access import Access
from senbench.runtime.distributed import ALONE, Team
from senbench.runtime.paths import home
from senbench.runtime.progress import Progress, Silent
from senbench.schema.model_card import ModelCard
from senbench.schema.run_spec import RunSpec
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.embedding.image_pass import ImageEmbeddings
    from senbench.evaluation.style_comparison import Crossing
    from senbench.models.encoder import Encoder
    from senbench.models.user import UserModel
    from senbench.protocols import Protocol
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.factorial import Factorial
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.result import RunResult
    from senbench.schema.terms import PixelPath


class Grid(NamedTuple):
    """Results of a grid of models x prompts x datasets."""

    results: list[RunResult]
    """One result per cell, datasets inside models, prompts inside datasets."""
    factorials: list[Factorial | str]
    """Per dataset the comparisons of styles and models, or why there are none; empty for a single cell."""


def run(spec: RunSpec, progress: Progress | None = None) -> list[RunResult]:
    """Evaluate a grid of models x prompts x datasets.

    Images are embedded once per model and dataset, all prompts of a model in one pass.

    Args:
        spec: What to run.
        progress: Displays progress; None for silent.

    Returns:
        One result per cell, datasets inside models, prompts inside datasets.

    Raises:
        UsageError: The input is wrong; nothing was downloaded, computed or written.
        UnavailableError: Data, weights or device are missing or damaged.
    """
    models, spec = [registry.find(name, offline=spec.offline) for name in spec.models], _pinned(spec)
    return _grid(spec, models, spec.datasets, None, progress or Silent()).results


def run_crossed(spec: RunSpec, progress: Progress | None = None, team: Team = ALONE) -> Grid:
    """Like `run`, then compare styles and models with resampled prompts and images (docs/methods.md).

    The comparisons are written next to the results.

    Args:
        spec: What to run.
        progress: Displays progress; None for silent.
        team: The processes that embed images together; all of them call this.

    Returns:
        Results and comparisons; nothing in a process that is not the first.

    Raises:
        UsageError: As `run`.
        UnavailableError: As `run`.
    """
    models, spec = [registry.find(name, offline=spec.offline) for name in spec.models], _pinned(spec)
    return _grid(spec, models, spec.datasets, None, progress or Silent(), crossed=True, team=team)


def evaluate(
    model: str | ModelCard | Encoder | UserModel,
    dataset: str | Tiles,
    prompts: str | Path | Mapping[str, Sequence[str]],
    *,
    progress: Progress | None = None,
    **options: Any,
) -> RunResult:
    """Evaluate one model on one dataset with one prompt set, from Python.

    Args:
        model: Model id, a card, an `Adapter`, or any object with `encode_images(tiles)` (list of uint8 (H, W, 3))
            and `encode_texts(texts)`, optionally `logit_scale` and `name`. What is passed as an object may
            change between calls: its embeddings are never cached and its weights hash is not recorded.
        dataset: Dataset id, or opened `Tiles`.
        prompts: Style, path to a `.j2` or `.json` file, or a mapping of class name -> prompts.
        progress: Displays progress; None for silent.
        **options: Further fields of `RunSpec`; nothing is written unless `results` names a folder.

    Returns:
        The result.

    Raises:
        UsageError: The input is wrong, or an option does not apply to an object that was passed.
        UnavailableError: As `run`.
    """
    for passed, fields in (
        (model, ("weights", "device", "dtype")),
        (dataset, ("split", "data_dir", "radiometry", "dn_offset")),
    ):
        if not isinstance(passed, str) and (misplaced := [f for f in fields if f in options]):
            raise UsageError(f"{misplaced[0]} does not apply to {type(passed).__name__}, which was passed as an object")
    mapping = None if isinstance(prompts, str | Path) else prompts
    spec = RunSpec(
        models=(model if isinstance(model, str) else type(model).__name__,),
        prompts=(str(prompts) if mapping is None else "custom",),
        datasets=(dataset if isinstance(dataset, str) else dataset.info.id,),
        **{"results": None, **options},
    )
    models = [registry.find(model, offline=spec.offline) if isinstance(model, str) else model]
    if isinstance(dataset, str):
        spec = _pinned(spec)
        dataset = spec.datasets[0]
    return _grid(spec, models, [dataset], mapping, progress or Silent()).results[0]


@dataclass(frozen=True)
class _Job:
    """A running grid.

    Attributes:
        spec: The run as passed.
        protocol: Its protocol.
        progress: Displays progress.
        team: The processes that embed images together.
        folder: Results folder; None writes nothing.
    """

    spec: RunSpec
    protocol: Protocol
    progress: Progress
    team: Team
    folder: Path | None

    def encoder(self, model: ModelCard | Encoder | UserModel, opened: Sequence[EvalData]) -> Encoder:
        """Return an encoder: a card is loaded lazily, an adapter is used uncached, any other object is wrapped.

        The first process decides which kernels all of them use.
        """
        path: PixelPath | None = "exact" if self.spec.exact or self.protocol.normalisation is not None else None
        if isinstance(model, ModelCard):
            access = replace(Access.of(self.spec), device=self.team.device(self.spec.device))
            shape = protocols.preprocess(self.protocol, model)
            if self.team.rank:
                access = replace(access, kernels=self.team.from_first(access.kernels))
            encoder = lazy_model.of(model, access, preprocess=shape, path=path, say=self.progress.say)
            if not self.team.rank:
                encoder = continued(encoder, access, [data.tiles for data in opened], self.progress.say)
                self.team.from_first(encoder.kernels)
            return encoder
        if isinstance(model, Adapter):
            adapter = copy.copy(model)
            adapter.live = True
            adapter.pixel_path = path or adapter.pixel_path
            return adapter
        return as_encoder(model)

    def seen(self, model: ModelCard | Encoder | UserModel, data: EvalData) -> EvalData:
        """Return the dataset in the model's bands and unit, after checking a sample of its tiles."""
        paired = data.paired(_card(model), self.spec.radiometry, self.protocol.on(data.tiles.info).bands)
        return paired.checked(self.spec, self.progress, kept=isinstance(model, ModelCard))


def _grid(
    spec: RunSpec,
    models: Sequence[ModelCard | Encoder | UserModel],
    passed: Sequence[str | Tiles],
    mapping: Mapping[str, Sequence[str]] | None,
    progress: Progress,
    *,
    crossed: bool = False,
    team: Team = ALONE,
) -> Grid:
    """Do all cheap checks, download what is missing, then compute."""
    if team.size > 1 and not spec.cache:
        raise UsageError("--no-cache: the processes of torchrun exchange their rows through the cache; leave it out")
    protocol = protocols.find(spec.protocol)
    cards = [model for model in models if isinstance(model, ModelCard)]
    if spec.weights is not None and len(cards) > 1:
        raise UsageError(f"--weights gives one file, but {len(cards)} models are asked for")
    for model in models:
        for dataset in passed:
            _fits(spec, protocol, _card(model), dataset)
    rendered = [_render(spec, dataset, protocol, mapping) for dataset in passed]
    if team.rank == 0:
        for unread in _unread(cards, [pack for packs in rendered for pack in packs]):
            progress.say(unread)
    if cards:
        devices.check_precision(devices.kind(spec.device), spec.dtype)
        if spec.exact and spec.kernels == "onednn":
            raise UsageError("--kernels onednn: --exact multiplies with torch's kernels; leave one of them out")
        if team.rank == 0 and (note := environment.emulated(devices.kind(spec.device), spec.dtype)):
            progress.say(note)
    check_shared(team, home() / "cache")
    folder = store.writable(spec.results) if spec.results is not None and team.rank == 0 else None
    with team.first_alone():
        opened = [
            open_data(spec, dataset, protocol, packs, progress, located=team.rank == 0)
            for dataset, packs in zip(passed, rendered, strict=True)
        ]
        access = Access.of(spec)
        for card in cards:
            Checkpoint.of(card, access)
            if card.adapter.startswith("senbench."):  # the inputs of a plug-in's class are known after it is loaded
                distinct_classes.of_card(card, [pack for packs in rendered for pack in packs], access.cache)
        job = _Job(spec, protocol, progress, team, folder)
        seen = [[job.seen(model, data) for data in opened] for model in models]
    wanted = crossed and len(spec.models) * len(spec.prompts) > 1 and team.rank == 0
    crossings = _crossings(spec, opened) if wanted else []
    results: list[RunResult] = []
    for model, name, of_model in zip(models, spec.models, seen, strict=True):
        embedder = Embedder.of(job.encoder(model, of_model), spec, progress, team)
        if team.rank == 0:
            results += _model(job, embedder, name, of_model, crossings)
        else:
            _parts(embedder, of_model)
        del embedder  # only one model is in memory at a time
    factorials = [crossing.finish() for crossing in crossings]
    for factorial in factorials:
        if folder is not None and not isinstance(factorial, str):
            from senbench.results import factorial_file

            factorial_file.save(folder, factorial)
    return Grid(results, factorials)


def _crossings(spec: RunSpec, opened: Sequence[EvalData]) -> list[Crossing]:
    from senbench.evaluation.style_comparison import Crossing  # a single cell does without these imports

    return [Crossing(spec, data) for data in opened]


def _card(model: ModelCard | Encoder | UserModel) -> ModelCard | None:
    """Return the card of a model; None for a user's object."""
    card = model if isinstance(model, ModelCard) else getattr(model, "card", None)
    return card if isinstance(card, ModelCard) else None


def _pinned(spec: RunSpec) -> RunSpec:
    """The run with the commits of its hub datasets, as results record them."""
    pinned = tuple(datasets.pinned(name, offline=spec.offline) for name in spec.datasets)
    return spec.model_copy(update={"datasets": pinned})


def _info(spec: RunSpec, dataset: str | Tiles) -> DatasetInfo:
    if isinstance(dataset, Tiles):
        return dataset.info
    return datasets.dataset_info(dataset, data_dir=spec.data_dir, offline=spec.offline)


def _fits(spec: RunSpec, protocol: Protocol, card: ModelCard | None, dataset: str | Tiles) -> None:
    """Check that model and dataset can be paired, before anything is downloaded."""
    if card is None and not isinstance(dataset, str):
        return  # a user's object gets the user's tiles unchanged
    if protocol.normalisation is not None and card is not None and card.unit != "uint8":
        raise UsageError(
            f"protocol {protocol.id} normalises 8-bit RGB, but model {card.id} takes digital numbers: "
            "use --protocol standard"
        )
    pairing = bands.pair(card, _info(spec, dataset), spec.radiometry)
    if isinstance(dataset, Tiles):
        dataset.paired(pairing)


def _render(
    spec: RunSpec, dataset: str | Tiles, protocol: Protocol, mapping: Mapping[str, Sequence[str]] | None
) -> tuple[PromptSet, ...]:
    """Render and lint the prompt sets of a dataset, and check them against the ensembling rule, before any download."""
    info = _info(spec, dataset)
    vocabulary, names = vocabulary_for(info, protocols.class_names(spec, protocol, info))
    if mapping is not None:
        packs: tuple[PromptSet, ...] = (prompts_from_dict(mapping, info, vocabulary, class_names=names),)
    else:
        packs = tuple(load_prompts(source, info, vocabulary, names) for source in spec.prompts)
    packs = tuple(lint.checked(pack, vocabulary) for pack in packs)
    rule = spec.ensemble or protocol.ensemble
    if rule == "dap" and spec.tune is not None:
        raise UsageError("--tune: under ensemble dap scores depend on the evaluated images; choose another ensemble")
    if spec.shots and spec.anchors is None:
        raise UsageError("--shots draws labelled tiles from the split of --anchors: name it, e.g. --anchors train")
    if spec.shots and info.task == "multi-label":
        raise UsageError(f"--shots is for one class per tile, and tiles of {info.id} have several: leave it out")
    scoring = Scoring(rule, spec.postprocess or protocol.postprocess)  # raises for incompatible settings
    if scoring.postprocess == "transclip" and info.task == "multi-label":
        raise UsageError(
            f"--postprocess transclip gives every tile one class, and tiles of {info.id} have several: use none"
        )
    for pack in packs:
        if rule == "prob-mean" and not pack.template_aligned:
            raise UsageError(
                f"ensemble prob-mean needs prompts whose j-th line is one template for every class; {pack.id} is not "
                "such a set: use norm-mean-norm, or a style such as clip"
            )
        if rule == "max" and len({len(texts) for texts in pack.texts.values()}) > 1:
            raise UsageError(f"ensemble max favours classes with more prompts, and {pack.id} has unequal counts")
    return packs


def _unread(cards: Sequence[ModelCard], packs: Sequence[PromptSet]) -> list[str]:
    """Return a line for each prompt set whose language is not among those of a model's training texts."""
    return [
        f"{card.id}: prompts {pack.id} are in {LANGUAGES[pack.language]}, and the card states "
        f"{', '.join(card.languages)} as the languages of its training texts; its figure will say little of the prompts"
        for card in cards
        for pack in {pack.id: pack for pack in packs}.values()
        if pack.language not in card.languages
    ]


def _parts(embedder: Embedder, opened: Sequence[EvalData]) -> None:
    """Embed a further process's part of the images of one model, in the order of `_model`."""
    for data in opened:
        for tiles in (data.tiles, data.tuning, data.anchors):
            if tiles is not None:
                embedder.part(tiles)


def _model(
    job: _Job, embedder: Embedder, name: str, opened: Sequence[EvalData], crossings: Sequence[Crossing]
) -> list[RunResult]:
    """Evaluate all cells of one model."""
    spec, progress = job.spec, job.progress
    if not (isinstance(embedder.encoder, lazy_model.LazyModel) and embedder.encoder.of_senbench):
        distinct_classes.of_encoder(embedder.encoder, [pack for data in opened for pack in data.prompts])
    texts = embedder.texts([text for data in opened for pack in data.prompts for text in pack.lines])
    results = []
    for d, data in enumerate(opened):
        images = embedder.images(data.tiles)
        extras = _extras(job, embedder, data, images)
        of_data = [
            score_cell(Cell(spec, embedder, data, pack, name, style), images, texts, extras, job.folder)
            for pack, style in zip(data.prompts, spec.prompts, strict=True)
        ]
        results += of_data
        if crossings:
            with progress.stage(f"{embedder.title}: prompts and tiles resampled, styles", len(of_data)) as advance:
                for j, result in enumerate(of_data):
                    crossings[d].add(name, j, result, texts.rows, images)
                    advance(1)
    return results


def _extras(job: _Job, embedder: Embedder, data: EvalData, images: ImageEmbeddings) -> Extras:
    """Compute the optional parts of the results of a dataset."""
    spec = job.spec
    tuning = _labelled(embedder, data.tuning, located=False)
    anchors = saved = None
    if (other := _labelled(embedder, data.anchors, located=True)) is not None:
        from senbench.evaluation import probes
        from senbench.evaluation.labels_saved import LabelsSaved  # needs scikit-learn

        job.progress.say(f"anchors: kNN and logistic regression on {len(other.rows):,} images of {other.split}")
        sample = data.sample.take(images.positions)
        anchors = probes.measure(other, images.rows, sample, spec.seed)
        if spec.shots:
            saved = LabelsSaved(other, images.rows, sample, tuple(sorted(set(spec.shots))), spec.seed, data.tiles.split)
    repeats = None
    if spec.noise is not None:
        own_texts = [text for pack in data.prompts for text in pack.lines]
        repeats = numeric_noise.repeat(embedder, data.tiles, own_texts, spec.noise, spec.seed)
    return Extras(tuning, anchors, saved, repeats)


def _labelled(embedder: Embedder, tiles: Tiles | None, *, located: bool) -> LabelledSplit | None:
    """Embed a split whose labels are used; clusters are read only if needed, since they may take a pass over files."""
    if tiles is None:
        return None
    embedded = embedder.images(tiles)
    taken = tiles.take(embedded.positions)
    clusters = taken.clusters() if located else None
    sample = Sample(taken.tile_labels, tiles.info.classes, None if clusters is None else np.array(clusters))
    return LabelledSplit(embedded.rows, sample, tiles.split, tiles.n_expected, taken.index_hash())
