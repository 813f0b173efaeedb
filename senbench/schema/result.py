"""The nouns of a result: what was run, on what, and what came out, as `result.json` holds it."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from senbench.schema import notebook
from senbench.schema.blocks import (
    DatasetBlock,
    Environment,
    ModelBlock,
    PromptBlock,
    Recorded,
    ResultBlock,
    Settings,
    SpecBlock,
    Timings,
)
from senbench.schema.contamination import NOT_ZERO_SHOT
from senbench.schema.record import Record
from senbench.schema.terms import Grade

SCHEMA_VERSION = 2
"""Version of the layout of a result, which tells what must be in it."""
READABLE = (1, 2)
"""Versions that are read. 1: without scores by class, `recall_interval`, `ece_l1`, `note`, errors by size of the
clusters, and warnings that follow from other fields."""


class Metric(Record):
    """One figure with its uncertainty."""

    value: float | None
    """Value in 0..1 (NLL in nats); None where it is undefined."""
    ci: tuple[float, float] | None
    """95 % interval; None where none can be given."""
    n: int
    """Number of images behind it."""
    interval: str
    """How the interval was made: `iid-bootstrap`, `cluster-jackknife-t`, `none: <reason>`."""
    average: Literal["macro", "micro", "samples"] | None = None
    """Multi-label: what the mean runs over, labels, image-label pairs or images."""
    threshold: str | None = None
    """Multi-label: where the cut between predicted and not predicted labels comes from; None: there is none."""
    access_level: int | None = None
    """Target data this figure has seen, where figures of one result differ; None: as the result."""
    note: str | None = None
    """What a reader of this figure or of its interval must know; None: nothing."""

    @model_serializer(mode="wrap")
    def _without_what_does_not_apply(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        optional = ("average", "threshold", "access_level", "note")
        return {k: v for k, v in dump(self).items() if v is not None or k not in optional}


class ScoreSummary(Record):
    """The scores of one class over all images, so that other rows are noticed."""

    mean: float
    """Mean."""
    deviation: float
    """Standard deviation."""


class ScoredClass(Record):
    """What the figures of a class and of a label have in common."""

    scores: ScoreSummary | None = None
    """Its scores as finally compared; None: a result of before they were recorded."""

    @model_serializer(mode="wrap")
    def _without_what_was_not_recorded(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        later = ("scores", "recall_interval")
        return {k: v for k, v in dump(self).items() if v not in (None, "") or k not in later}


class ClassResult(ScoredClass):
    """Figures of one class."""

    key: str
    """Class key."""
    name: str
    """Class name as prompted."""
    support: int
    """Images of this class."""
    predicted: int
    """Images predicted as this class."""
    precision: float | None
    """Precision; None where nothing was predicted."""
    recall: float | None
    """Recall; None without support."""
    recall_ci: tuple[float, float] | None = None
    """95 % interval of the recall; None below ten images or clusters that hold the class."""
    f1: float | None
    """F1; 0 where precision and recall are both zero, None without support and prediction."""
    recall_interval: str = ""
    """How the interval of the recall was made: `iid-wilson`, `cluster-wilson-t (...)`, `none: <reason>`; empty in
    results of before it was recorded, whose intervals are as those of the other figures."""


class ReliabilityBin(Record):
    """One bin of equal mass of the calibration error of the top label."""

    n: int
    """Number of images."""
    confidence: float
    """Mean probability of the predicted class."""
    accuracy: float
    """Share of images predicted right."""


class LabelFigures(ScoredClass):
    """Figures of one label of a multi-label dataset."""

    key: str
    """Class key."""
    name: str
    """Class name as prompted."""
    support: int
    """Images with the label."""
    prevalence: float
    """Their share: what a random ranking reaches in average precision."""
    average_precision: float | None
    """Average precision; None without a positive."""
    ci: tuple[float, float] | None
    """95 % interval; None below ten clusters (images) with the label."""
    threshold: float | None = None
    """Score from which the label is predicted in the `tuned` figures; None without them."""


class GroupFigures(Record):
    """Headline of a group of images: a country, or inside and outside the survey SenCLIP was trained on."""

    group: str
    """Name of the group."""
    n: int
    """Number of images."""
    labels: int
    """Labels with a positive in the group: those the mean runs over."""
    prevalence: float | None
    """Their mean prevalence: what random scores reach in this group."""
    map_macro: Metric
    """Macro mAP with its interval by cluster inside the group."""


class BlockError(Record):
    """Standard error of the headline by clusters of one size."""

    size: str
    """`5 km`, `25 km`, `100 km`: side of a block; `scene`: images of one acquisition."""
    clusters: int
    """Number of clusters."""
    effective: float
    """Effective number: n^2 over the sum of squared sizes."""
    error: float | None
    """Leave-one-cluster-out standard error; None where clusters are too few, or it is undefined without one."""
    replicates: tuple[float, ...] = ()
    """Multi-label: the headline without each cluster, in the order of their names, for paired tests; empty for the
    size of the clusters themselves (`replicates` of the result), and where there are too many to keep."""

    @model_serializer(mode="wrap")
    def _without_what_was_not_kept(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in dump(self).items() if k != "replicates" or len(v)}


class Clustering(Record):
    """The spatial clusters behind the intervals."""

    clusters: int
    """Number of clusters."""
    effective: float
    """Effective number: n^2 over the sum of squared sizes."""
    design_effect: float | None
    """Variance of the headline over that of independent images; None without an interval."""
    sizes: dict[str, int]
    """Cluster -> images; empty for single-label datasets, and where there are too many to keep."""
    by_size: tuple[BlockError, ...] = ()
    """Standard error of the headline by size of the clusters; each figure takes the size with the largest. Empty where
    clusters have one size, and in results of before it was recorded."""
    morans_i: float | None = None
    """Moran's I of the mean errors of blocks of 5 km that touch; None where it is undefined, and as `by_size`."""

    @model_serializer(mode="wrap")
    def _without_what_was_not_recorded(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        optional = ("by_size", "morans_i")
        return {k: v for k, v in dump(self).items() if k not in optional or (v is not None and len(self.by_size))}


class Anchor(Record):
    """A supervised classifier on the same image embeddings (docs/methods.md)."""

    id: Literal["knn", "linear_probe"]
    """`knn`: vote of the nearest training images; `linear_probe`: logistic regression."""
    title: str
    """Name for people."""
    metric: Literal["top1", "map_macro"]
    """What the figure is."""
    figure: Metric
    """The figure on the evaluated images, access level 3."""
    hyperparameters: dict[str, float]
    """`k`, or `C`, chosen on a part of the training split."""


class ShotFigure(Record):
    """A classifier trained on some labelled images per class, over several draws of them."""

    method: Literal["class-means", "tip-adapter", "linear-probe", "logistic-regression"]
    """How it is trained (docs/methods.md, "Labels that zero-shot saves")."""
    shots: int
    """Labelled images per class."""
    value: float
    """Mean top-1 accuracy over the draws."""
    ci: tuple[float, float]
    """Its 95 % interval over draws and evaluated images."""
    draws: tuple[float, ...]
    """Accuracy with each draw."""
    gain: float
    """Its mean minus the zero-shot accuracy on the same images."""
    gain_ci: tuple[float, float]
    """Paired 95 % interval of the gain over draws and evaluated images."""


class FewShot(Record):
    """What few labels reach on the same embeddings, against the zero-shot figure of this result."""

    drawn_from: str = ""
    """Split, file or list of names that labels are drawn from; empty: the split of the supervised anchors."""
    n_pool: int
    """Images that could be drawn."""
    left_out: int
    """Images of them that could not, since they lie in clusters of evaluated images."""
    separation: Literal["spatial", "spatial list", "random", "halves", "spatial halves"]
    """`spatial`: no image that is drawn lies in a cluster of an evaluated one; `spatial list`: positions are unknown,
    and both splits are lists that a publication made spatially separate; `random`: positions are unknown. `halves`: the
    evaluated images are divided in two at random by class for every draw, and labels of either half predict the other;
    `spatial halves`: the same by whole clusters."""
    figures: tuple[ShotFigure, ...]
    """By method, then by number of images per class."""

    @model_serializer(mode="wrap")
    def _without_the_split_of_the_anchors(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in dump(self).items() if v or k != "drawn_from"}


class Anchors(Record):
    """What labels reach on the same embeddings: a line for scale, never ranked with zero-shot figures."""

    split: str
    """Split whose labels were trained on, disjoint from the evaluated one."""
    n_train: int
    """Images trained on."""
    n_expected: int
    """Images that the split has."""
    index_hash: str
    """Which images, with which labels."""
    held_out: int
    """Images of them on which the hyperparameters were chosen."""
    classifiers: tuple[Anchor, ...]
    """The classifiers."""
    scikit_learn: str
    """Version of scikit-learn."""
    few_shot: FewShot | None = None
    """The same with few labels; None: not asked for."""
    warnings: tuple[str, ...] = ()
    """What a reader must know."""

    @model_serializer(mode="wrap")
    def _without_what_was_not_asked_for(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in dump(self).items() if v is not None or k != "few_shot"}


class NoiseVariant(Record):
    """How far a run moves under another setting, against the reference on the same tiles."""

    name: str
    """What was changed: `same again`, `batch 7`, `device resizing`, `bf16`, ..."""
    same_dtype: bool
    """True if the precision is the run's own: then a change is noise, not another choice."""
    score: float = Field(ge=0)
    """Largest absolute change of a score, in the unit of the scores."""
    cosine: float = Field(ge=0)
    """Largest distance 1 - cosine between the two embeddings of an image."""
    flips: float = Field(ge=0, le=1)
    """Share of images whose best-scored class changes."""
    headline: float | None
    """Headline minus that of the reference; None where undefined."""
    figure: float = Field(ge=0)
    """Largest change of any figure, end of an interval or class figure, of a figure above 1 its relative change."""


class Noise(Record):
    """The noise floor: the run repeated, uncached, under settings that should not matter (docs/methods.md)."""

    n: int = Field(ge=1)
    """Tiles repeated, a class-stratified subset."""
    whole: bool
    """True if these are all evaluated tiles."""
    reference: str
    """Settings of the reference, which is the run itself, encoded again."""
    variants: tuple[NoiseVariant, ...]
    """One entry per changed setting."""
    left_out: dict[str, str] = Field(default={})
    """Variant -> why it could not be done."""

    @property
    def floor(self) -> float:
        """Largest change of a figure, and largest share of changed answers, in the run's own precision."""
        return max((max(v.figure, v.flips) for v in self.variants if v.same_dtype), default=0.0)


def _figures(module: str) -> Any:
    """A module of figures; it lies floors above and loads matplotlib, so that it is imported when it is needed."""
    return import_module(f"senbench.report.figures.{module}")


class RunResult(Record):
    """One scored cell of the grid: what was run, on what, and what came out."""

    schema_version: int = SCHEMA_VERSION
    """Version of this layout."""
    run_id: str
    """Stable id: readable parts and a hash of everything that determines the scores."""
    senbench_version: str
    """Version of senbench."""
    created: str
    """UTC time, ISO 8601."""
    spec: SpecBlock
    """RunSpec as passed."""
    resolved: Settings
    """Settings after the protocol was applied, with the names of explicit overrides."""
    model: ModelBlock
    """The card, and `weights_sha256`."""
    dataset: DatasetBlock
    """The images: split, n_expected, n_evaluated, index hash, class names, radiometry, source, skipped tiles."""
    prompts: PromptBlock
    """id, style, source, hash, n, class_names, texts per class."""
    protocol: str
    """Protocol name."""
    contamination: Grade
    """How close the training data come to the evaluated images; `images`: not zero-shot."""
    access_level: int
    """0 none, 1 disjoint unlabelled, 2 the evaluated images, 3 labels (docs/methods.md)."""
    logit_scale: float | None = None
    """Multiplier of the cosine in force; None: there is none, or a result of before it was recorded."""
    logit_bias: float | None = None
    """Bias of a sigmoid model; None as for `logit_scale`."""
    ensemble: str
    """Ensembling rule."""
    postprocess: str
    """Score post-processing."""
    complete: bool
    """False if any expected tile was not evaluated; such a run is never ranked."""
    headline: str
    """Name of the headline metric."""
    metrics: dict[str, Metric]
    """Figures by name."""
    lines: dict[str, float]
    """Reference lines: `chance`, `majority`."""
    anchors: Anchors | None = None
    """Supervised classifiers on the same embeddings; None: not asked for."""
    few_shot: FewShot | None = None
    """Embeddings recorded elsewhere: what few labels reach on them; None: not asked for. Those of a run of senbench
    stand with its `anchors`."""
    per_class: tuple[ClassResult, ...]
    """Figures per class, in label order; empty for multi-label datasets."""
    confusion: tuple[tuple[int, ...], ...]
    """Counts, rows true class, columns predicted; empty for multi-label datasets."""
    reliability: tuple[ReliabilityBin, ...] = ()
    """Single-label: the bins behind `ece`, from least to most confident; empty without probabilities."""
    per_label: tuple[LabelFigures, ...] = ()
    """Multi-label: figures per label, in label order."""
    n_unlabelled: int = 0
    """Multi-label: images without any label, negatives for average precision."""
    clustering: Clustering | None = None
    """The clusters behind the intervals; None where positions are unknown, and for single-label datasets in results of
    before errors were recorded by size."""
    replicates: dict[str, dict[str, float]] = Field(default={})
    """Multi-label: metric -> cluster -> its value without that cluster, enough for paired tests."""
    resampled: dict[str, tuple[float, float]] = Field(default={})
    """Multi-label: metric -> percentile interval of 1,000 resamples of clusters, a second opinion."""
    groups: tuple[GroupFigures, ...] = ()
    """Multi-label: headline by country, inside and outside the LUCAS survey; empty where countries are unknown."""
    ties: int
    """Images whose argmax was tied, broken by class order."""
    noise: Noise | None = None
    """The noise floor; None: not measured."""
    timings: Timings
    """Seconds by stage, images embedded, whether from cache; no rate from a cached run."""
    environment: Environment
    """Device, dtype, threads, platform, package versions."""
    warnings: tuple[str, ...] = ()
    """What a reader must know."""

    @model_serializer(mode="wrap")
    def _without_what_was_not_asked_for(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in dump(self).items() if v is not None or k != "few_shot"}

    @property
    def labels_saved(self) -> FewShot | None:
        """What few labels reach on the same embeddings; None: not asked for."""
        return self.few_shot if self.anchors is None else self.anchors.few_shot

    @property
    def labels_from(self) -> str:
        """Where the labels of `labels_saved` come from; empty where there are none."""
        if self.few_shot is not None:
            return self.few_shot.drawn_from
        return "" if self.anchors is None else self.anchors.split

    @property
    def zero_shot(self) -> bool:
        """False if the model was trained on the evaluated images, or its answers were learnt from labelled images."""
        return self.contamination != NOT_ZERO_SHOT and (self.recorded is None or self.recorded.shots is None)

    @property
    def recorded(self) -> Recorded | None:
        """Where the outputs come from that were recorded elsewhere; None: senbench ran the model."""
        return self.resolved.recorded

    @property
    def trial(self) -> bool:
        """True if only a subset was asked for with `--limit`."""
        return not self.complete and self.dataset.limit is not None

    @property
    def synthetic(self) -> bool:
        """True if the tiles or the model are synthetic."""
        return bool(self.dataset.synthetic or self.model.synthetic)

    def plot_confusion(self, *, counts: bool = False, columns: int = 1) -> Any:
        """The confusion matrix for a paper, as `senbench plot --kind confusion` draws it.

        Args:
            counts: Write images instead of percent of the row.
            columns: 1 or 2, the columns of text that the figure spans.

        Returns:
            A figure of matplotlib.

        Raises:
            UsageError: A multi-label result.
        """
        return _figures("one_result").confusion(self, counts=counts, columns=columns)

    def plot_classes(self, *others: Self, columns: int = 1) -> Any:
        """Recall of each class (average precision of each label) with 95 % intervals, of other results beside it.

        Args:
            others: Further results with the same classes.
            columns: 1 or 2, the columns of text that the figure spans.

        Returns:
            A figure of matplotlib.

        Raises:
            UsageError: Other classes, or more than seven results.
        """
        return _figures("several_results").classes((self, *others), columns=columns)

    def plot_reliability(self, *others: Self, columns: int = 1) -> Any:
        """Accuracy against confidence, of other results beside it.

        Args:
            others: Further single-label results.
            columns: 1 or 2, the columns of text that the figure spans.

        Returns:
            A figure of matplotlib.

        Raises:
            UsageError: A result without probabilities, or more than seven results.
        """
        return _figures("several_results").reliability((self, *others), columns=columns)

    def ordered_as(self, data: Mapping[str, Any]) -> Self:
        """The same result, from now on written with the fields of its blocks in the order of this parsed JSON."""
        for name in type(self).model_fields:
            if isinstance(block := getattr(self, name), ResultBlock):
                block.ordered_as(data[name])
        return self

    def __repr__(self) -> str:
        """One line: what was run, and its headline with the interval."""
        return notebook.line(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """A small table for notebooks."""
        return notebook.table(self)
