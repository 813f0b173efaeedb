"""Comparisons of styles and models that one run made, as `factorial-<hash>.json` holds them."""

from typing import Literal

from pydantic import Field

from senbench.schema.record import Record

FACTORIAL_VERSION = 1
"""Version of the layout of `factorial-<hash>.json`."""
Kind = Literal["styles", "models", "interaction"]


class ResampledDifference(Record):
    """A signed sum of figures, with its uncertainty under resampled prompts and images."""

    value: float | None
    """Difference: of figures in 0..1, or of log-odds; None where it is undefined."""
    ci: tuple[float, float] | None = None
    """95 % interval, not adjusted for the number of comparisons; None where none can be given."""
    p: float | None = None
    """Two-sided p of no difference, not adjusted; None where none can be given."""
    error_prompts: float | None = None
    """Standard error from resampling prompts alone, all images as they are."""
    error_images: float | None = None
    """Standard error from resampling images (whole clusters) alone, all prompts as they are."""
    interval: str
    """How the interval was made, or `none: <reason>`."""


class ClassDifference(Record):
    """The difference of one class's recall or average precision."""

    key: str
    """Class key."""
    points: ResampledDifference
    """The difference, 0..1."""
    p_holm: float | None
    """p adjusted by Holm over the classes of this comparison that have one."""


class Contrast(Record):
    """One comparison."""

    kind: Kind
    """`styles`: first style minus second, one model; `models`: first model minus second, one style;
    `interaction`: the styles' difference of the first model minus that of the second."""
    models: tuple[str, ...]
    """One model id, or first and second."""
    styles: tuple[str, ...]
    """One prompt set's id, or first and second."""
    control: bool
    """True if one of the styles is a control."""
    matched: bool | None
    """True if prompt j of both styles was drawn jointly, as they show the same cue; None for one style."""
    points: ResampledDifference
    """Difference of the headline figure."""
    log_odds: ResampledDifference
    """Difference of its log-odds."""
    per_class: tuple[ClassDifference, ...]
    """Differences of each class's figure, in label order."""


class CueFrame(Record):
    """Effects of cue and frame for one model, from the four styles that cross them."""

    model: str
    """Model id."""
    cue: ResampledDifference
    """Ground cues minus aerial cues, the mean over a frame from the ground and one from above."""
    frame: ResampledDifference
    """A frame from the ground minus one from above, the mean over ground and aerial cues."""
    interaction: ResampledDifference
    """What ground cues are worth more in a frame from the ground than in one from above."""


class Factorial(Record):
    """All comparisons of the styles and models of one run on one dataset."""

    schema_version: int = FACTORIAL_VERSION
    """Version of this layout."""
    run_ids: tuple[str, ...]
    """Results compared, model by model."""
    dataset: str
    """Dataset id."""
    split: str
    """Its split."""
    index_hash: str
    """Which tiles, with which labels."""
    headline: str
    """Figure that is compared: `top1` or `map_macro`; per class recall or average precision."""
    access_levels: tuple[int, ...]
    """Access level of each result."""
    class_names: dict[str, str]
    """Class key -> its name, in label order."""
    seed: int
    """Seed of the draws."""
    draws: int
    """Number of crossed draws."""
    units: int
    """Clusters, or images where there are none, that are resampled."""
    clustered: bool
    """False: images are resampled one by one, and intervals are too narrow."""
    contrasts: tuple[Contrast, ...]
    """The comparisons."""
    cue_frame: tuple[CueFrame, ...] = Field(default=(), exclude_if=lambda effects: not effects)
    """Per model: what cues and frames are worth, where the four styles that cross them were run."""
    notes: tuple[str, ...]
    """What was not compared, and why."""
