"""Outputs that others recorded, evaluated: joined to a dataset's tiles by name, and recorded as a result."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import senbench
from senbench.errors import UsageError
from senbench.evaluation.labels_saved import LabelsSaved
from senbench.evaluation.outcome import outcome
from senbench.evaluation.recorded_images import Place, Rows, classes, counted, found
from senbench.evaluation.recorded_labels import parted, pool_of
from senbench.io import embeddings_npz, recorded_outputs
from senbench.models import card_files
from senbench.prompts.load import prompt_hash
from senbench.protocols import RECORDED
from senbench.results import kept_checks, qualifications, store
from senbench.results.predictions import Predictions
from senbench.results.run_id import run_id
from senbench.runtime import environment
from senbench.runtime.paths import base_name
from senbench.schema.blocks import (
    DatasetBlock,
    Environment,
    ModelBlock,
    PromptBlock,
    Recorded,
    Settings,
    SpecBlock,
    Timings,
)
from senbench.schema.result import RunResult
from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.postprocess import Scoring
from senbench.scoring.single_label.answers_only import evaluate_answers, spread_out
from senbench.scoring.single_label.evaluate import score_single_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.evaluation.recorded_images import Classes, Images
    from senbench.evaluation.recorded_labels import FewLabels
    from senbench.io.recorded_outputs import RecordedOutputs
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.result import FewShot
    from senbench.schema.terms import Grade
    from senbench.scoring.figures import Outcome

MAX_CLASSES = 10_000
"""Most classes of outputs whose classes are numbers."""
AS_RECORDED = "as recorded"
"""Stands for what whoever recorded an output did, and senbench does not know."""


@dataclass(frozen=True)
class About:
    """What a file of recorded outputs is, in the words of whoever evaluates it.

    Attributes:
        model: Id of a card, or any other name.
        prompts: Name of the prompts.
        dataset: Id of a dataset whose tiles are here, or any other name.
        source: Who recorded the outputs, and where they can be had.
        licence: Licence under which they are given, None: not stated.
        level: Target data seen, 0 to 3; `shots` make it 3.
        shots: Labelled images per class that the answers were learnt from.
        declared: Whether the prompts were chosen before any figure was known.
        title: Name of a dataset that senbench does not know, for people; empty: as `dataset`.
        split: Split, or a file of tile names; None: the dataset's default, `all` for one that senbench does not know.
        data_dir: Folder of the data; None: below SENBENCH_HOME.
        texts: Class name -> its prompts in words; empty: not known.
    """

    model: str
    prompts: str
    dataset: str
    source: str
    licence: str | None = None
    level: int = 0
    shots: int | None = None
    declared: bool = False
    title: str = ""
    split: str | None = None
    data_dir: str | None = None
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)


def score(
    file: str | Path,
    *,
    about: About,
    ensemble: str = "norm-mean-norm",
    postprocess: str = "none",
    results: str | None = None,
    seed: int = 0,
    few: FewLabels | None = None,
) -> RunResult:
    """Evaluate outputs that were recorded elsewhere.

    Args:
        file: An .npz, .csv or .parquet with embeddings, scores, predictions or a confusion matrix.
        about: What they are.
        ensemble: Embeddings: ensembling rule.
        postprocess: Embeddings: post-processing.
        results: Folder for the result; None: it is not written.
        seed: Seed of the bootstrap, and of the draws of labels.
        few: Embeddings: numbers of labels to hold against the zero-shot figure; None: none.

    Returns:
        The result, marked as recorded elsewhere.

    Raises:
        UsageError: A file or a name that does not fit; the message says which.
        UnavailableError: The file is damaged, or the tiles of the dataset are not here.
    """
    path = Path(file).expanduser()
    arrays = recorded_outputs.load(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        return evaluated(
            arrays,
            checked(about),
            (base_name(str(path)), sha256),
            scoring=Scoring(ensemble, postprocess),
            results=results,
            seed=seed,
            few=few,
        )
    except UsageError as error:
        raise UsageError(f"{path.name}: {error}") from error


def checked(about: About) -> About:
    """The same with the level that follows from the shots.

    Raises:
        UsageError: A name is empty, or a level or number of shots that does not exist.
    """
    for name in ("model", "prompts", "dataset", "source"):
        if not getattr(about, name).strip():
            raise UsageError(f"--{name} is missing: a recorded result says of which model, prompts, dataset and source")
    if about.shots is not None and about.shots < 1:
        raise UsageError(f"--shots {about.shots}: give at least 1, or leave it out for zero-shot outputs")
    if not 0 <= about.level <= 3:
        raise UsageError(f"--level {about.level}: give 0 (no target data) to 3 (labels)")
    return replace(about, level=3 if about.shots is not None else about.level)


class EvaluatedFile(NamedTuple):
    """Images and figures of one file."""

    images: Images
    """The images."""
    named: Classes
    """Their classes."""
    figures: Outcome
    """All figures."""
    scoring: Scoring
    """How scores were made of embeddings; of other outputs the scale alone holds."""
    dtype: str
    """Type of the numbers as recorded."""
    warnings: tuple[str, ...]
    """What a reader must know of the file."""
    few_shot: FewShot | None = None
    """What few labels reach on embeddings; None: not asked for."""


def evaluated(
    arrays: Mapping[str, NDArray[Any]],
    about: About,
    file: tuple[str, str],
    *,
    scoring: Scoring,
    results: str | None = None,
    seed: int = 0,
    few: FewLabels | None = None,
) -> RunResult:
    """As `score`, from arrays.

    Args:
        arrays: By name.
        about: What they are.
        file: Base name of the file that they are from, and its sha256.
        scoring: Embeddings: ensembling rule and post-processing.
        results: Folder for the result; None: it is not written.
        seed: As in `score`.
        few: As in `score`.
    """
    if few is not None and recorded_outputs.kind(arrays) != "embeddings":
        about, few = _learnt_from(about, few, recorded_outputs.kind(arrays)), None
    kind, where = recorded_outputs.kind(arrays), Place(about.dataset, about.split, about.data_dir)
    if kind == "embeddings":
        made = _embeddings(arrays, where, scoring, few, seed)
    else:
        made = _outputs(recorded_outputs.check(arrays), where, seed)
    recorded = Recorded(
        given=kind,
        source=about.source,
        licence=about.licence,
        file=file[0],
        sha256=file[1],
        level=about.level,
        shots=about.shots,
        joined=made.images.joined,
        declared=about.declared,
    )
    result = _result(about, made, recorded, few, seed)
    result = result.model_copy(update={"warnings": qualifications.notes(result)})
    if results is not None:
        sample, own = made.images.sample, made.figures
        rest = sample.clusters, own.scores, own.predictions, sample.countries
        table = Predictions(made.images.ids, sample.labels, *rest)
        kept_checks.keep(store.save(store.writable(results), result, table, {}), [])
    return result


def _learnt_from(about: About, few: FewLabels, kind: str) -> About:
    """The same for outputs that are learnt already: a single number of labels per class that they were learnt from."""
    if len(few.shots) > 1 or few.anchors is not None:
        raise UsageError(
            f"--shots and --anchors draw labels for embeddings, and the file holds {kind}: give one number, from which "
            "its answers were learnt"
        )
    return checked(replace(about, shots=few.shots[0]))


def grade(model: str, dataset: str, info: DatasetInfo | None) -> Grade:
    """How close the training data of a model come to a dataset, from the card of that id.

    Args:
        model: Model id.
        dataset: Dataset id.
        info: The dataset, where senbench knows it: its card speaks of the collection.
    """
    card, collection = card_files.shipped().get(model), dataset if info is None else info.collection
    stated = () if card is None else card.contamination.items()
    return next((own for name, own in stated if name == collection), "unknown")


def described(model: str) -> dict[str, Any]:
    """Block of a model that was run elsewhere: what its card says of it, without how senbench would load it."""
    card = card_files.shipped().get(model)
    if card is None:
        return {"id": model, "family": "recorded elsewhere", "title": model, "weights_sha256": None}
    names = (
        "id",
        "family",
        "title",
        "architecture",
        "licence",
        "commercial_use",
        "citation",
        "trained_on",
        "synthetic",
    )
    told = card.model_dump(mode="json", include=set(names))
    told["architecture"] = told["architecture"].removesuffix("-quickgelu")  # how it was built elsewhere is not known
    return {**{name: told[name] for name in names}, "weights_sha256": None}


def dataset_id(name: str) -> str:
    """A dataset that senbench does not know, as an id: small letters, digits, `-` and `.`."""
    words = "".join(c.lower() if c.isalnum() or c in "-." else " " for c in name).split()
    return "-".join(words)


def _embeddings(
    arrays: Mapping[str, NDArray[Any]], where: Place, scoring: Scoring, few: FewLabels | None, seed: int
) -> EvaluatedFile:
    """Embeddings, scored here."""
    drawn = None
    if few is not None:
        arrays, drawn = parted(arrays, few, where)
    given = embeddings_npz.check(arrays)
    named = classes(where.info, given.class_names)
    ids = tuple(map(str, arrays["ids"].tolist())) if "ids" in arrays else None
    images = found(where, named, Rows(given.labels, ids, given.clusters))
    how = replace(scoring, logit_scale=given.logit_scale, logit_bias=given.logit_bias)
    classifier = Classifier.of(
        given.texts,
        named.place[given.text_class],
        len(named.keys),
        how,
        names=named.names,
        template_aligned=given.template_aligned,
    )
    evaluated = given.images[images.rows]
    made = outcome(classifier, evaluated, images.sample, seed=seed)
    reached = None
    if few is not None:
        if made.predictions is None:
            raise UsageError("--shots is for one class per image, and these have several: leave it out")
        pool = None if drawn is None else pool_of(drawn, named, evaluated.shape[1], few)
        split = images.split if images.joined else ""
        rows = unit(evaluated, "images")
        saved = LabelsSaved(pool, rows, images.sample, few.shots, seed, split, few.told)
        reached = saved.against(classifier, made.predictions)
    return EvaluatedFile(images, named, made, how, given.images.dtype.name, given.warnings, reached)


def _outputs(outputs: RecordedOutputs, where: Place, seed: int) -> EvaluatedFile:
    """Scores, answers or their counts."""
    scoring = Scoring(logit_scale=outputs.logit_scale)
    named = classes(where.info, outputs.class_names or _numbered(outputs))
    shown = named.names
    if outputs.kind == "confusion":
        labels, answers = spread_out(outputs.values)
        images = counted(where, named, named.place[labels])
        made = evaluate_answers(named.place[answers], images.sample, outputs.kind, class_names=shown, seed=seed)
        return EvaluatedFile(images, named, made, scoring, outputs.dtype, outputs.warnings)
    images = found(where, named, Rows(outputs.labels, outputs.ids, outputs.clusters))
    several = images.sample.labels.ndim == 2
    if outputs.kind == "predictions":
        if several:
            raise UsageError("predictions are one class per image, the labels several: give scores")
        answers = named.indices(outputs.values, "predictions")[images.rows]
        made = evaluate_answers(answers, images.sample, outputs.kind, class_names=shown, seed=seed)
    else:
        scores = named.columns(outputs.values, "scores")[images.rows]
        if several:
            from senbench.scoring.multi_label.evaluate import score_multi_label

            made = score_multi_label(scores, images.sample, scoring, class_names=shown, seed=seed)
        else:
            made = score_single_label(scores, images.sample, scoring, class_names=shown, seed=seed)
    return EvaluatedFile(images, named, made, scoring, outputs.dtype, outputs.warnings)


def _numbered(outputs: RecordedOutputs) -> tuple[str, ...]:
    """Class names where the file has none: those that answers and labels use, or numbers up to the largest of them."""
    if outputs.kind != "predictions":
        return tuple(map(str, range(outputs.values.shape[1])))
    values = [outputs.values, *([] if outputs.labels is None else [outputs.labels])]
    kinds = {part.dtype.kind == "U" for part in values}
    if len(kinds) > 1:
        raise UsageError("labels and predictions are names and numbers: give class_names, in the order of the numbers")
    if kinds == {True}:
        return tuple(sorted(set().union(*(part.tolist() for part in values))))
    if min(int(part.min()) for part in values) < 0:
        raise UsageError(f"class index {min(int(part.min()) for part in values)}; expected 0 or more")
    return tuple(map(str, range(min(max(int(part.max()) for part in values) + 1, MAX_CLASSES + 1))))


def _result(about: About, made: EvaluatedFile, recorded: Recorded, few: FewLabels | None, seed: int) -> RunResult:
    """Everything that the result says."""
    images, keys, figures = made.images, made.named.keys, made.figures
    info, n, multi = images.info, len(images.ids), images.sample.labels.ndim == 2
    data = info.id if info is not None else dataset_id(about.dataset)
    texts = {key: tuple(about.texts.get(name, ())) for key, name in zip(keys, made.named.names, strict=True)}
    if about.texts and (empty := [name for name in made.named.names if not about.texts.get(name)]):
        raise UsageError(f"texts has no prompt of class {empty[0]!r}: give those of every class, or of none")
    own = recorded.given == "embeddings"
    ensemble, postprocess = (made.scoring.rule, made.scoring.postprocess) if own else (AS_RECORDED, AS_RECORDED)
    headline = "map_macro" if multi else "top1"
    names = {"protocol": RECORDED, "model": about.model, "dataset": data, "prompts": about.prompts}
    settings = Settings.of(
        {
            **names,
            "split": images.split,
            "class_names": None,
            "ensemble": ensemble,
            "postprocess": postprocess,
            "preprocess": None,
            "path": None,
            "headline": headline,
            "overrides": (),
            "note": "",
            "recorded": recorded.model_dump(mode="json"),
        }
    )
    model = ModelBlock.of(described(about.model))
    dataset = DatasetBlock.of(
        {
            "id": data,
            "title": info.title if info is not None else about.title or about.dataset,
            "task": "multi-label" if multi else "single-label",
            "split": images.split,
            "source": recorded.file,
            "n_expected": images.n_expected,
            "n_evaluated": n,
            "subset": n < images.n_expected,
            "limit": None,
            "content_hash": None,
            "index_hash": images.index_hash,
            "classes": list(keys),
            "class_names": AS_RECORDED,
            "radiometry": AS_RECORDED,
            "band_order": AS_RECORDED,
            "level": None if info is None else info.level,
            "skipped": [],
            "licence": None if info is None else info.licence,
            "synthetic": info is not None and info.synthetic,
        }
    )
    prompts = PromptBlock.of(
        {
            "id": about.prompts,
            "style": about.prompts,
            "version": None,
            "source": RECORDED,
            "class_names": AS_RECORDED,
            "names": made.named.names,
            "texts": texts,
            "template_aligned": False,
            "hash": prompt_hash(texts),
            "access_level": 0,
            "provenance": {},
            "n": sum(map(len, texts.values())),
            "cut": None,
        }
    )
    spec: dict[str, Any] = {
        "models": [about.model],
        "prompts": [about.prompts],
        "datasets": [data],
        "protocol": RECORDED,
    }
    if few is not None:
        spec |= {"anchors": few.told.removeprefix("file:"), "shots": list(few.shots)}
    return RunResult(
        run_id=run_id(model, dataset, prompts, settings, made.dtype, seed, figures.scores),
        senbench_version=senbench.__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        spec=SpecBlock.of({**spec, "split": about.split and base_name(about.split), "seed": seed}),
        few_shot=made.few_shot,
        resolved=settings,
        model=model,
        dataset=dataset,
        prompts=prompts,
        protocol=RECORDED,
        contamination=grade(about.model, data, info),
        access_level=max(figures.access_level, about.level),
        logit_scale=made.scoring.logit_scale,
        logit_bias=made.scoring.logit_bias,
        ensemble=ensemble,
        postprocess=postprocess,
        complete=n == images.n_expected,
        headline=headline,
        metrics=figures.metrics,
        lines=figures.lines,
        ties=figures.ties,
        per_class=figures.per_class,
        confusion=figures.confusion,
        reliability=figures.reliability,
        per_label=figures.per_label,
        n_unlabelled=figures.n_unlabelled,
        clustering=figures.clustering,
        replicates=figures.replicates,
        resampled=figures.resampled,
        groups=figures.groups,
        timings=Timings.of({}),
        environment=Environment.of(
            {"device": None, "device_name": None, "dtype": made.dtype, "versions": environment.versions()}
        ),
        warnings=(*figures.warnings, *made.warnings),
    )
