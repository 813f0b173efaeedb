"""Lists the parts of a result that cannot be derived from it, with the reasons, and checks their plausibility."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from senbench.audit.leaves import leaves, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from senbench.audit.leaves import Path
    from senbench.schema.result import Metric, RunResult

VERSION = re.compile(r"\d+(\.\w+)*([-+.]\w+)*")
HEX = re.compile("[0-9a-f]{64}")


class Entry(NamedTuple):
    """A part of a result that cannot be derived from its other parts."""

    pattern: str
    """Dotted path; `*` for any key or position, `**` for all below."""
    reason: str
    """Why it cannot be derived."""


MACHINE = "tells of the machine and the moment of the run; nothing depends on it"
ASKED = "how the run was asked for, where what was done does not show it"
FILE = "is in a file that the result names and does not hold"
PIXELS = "is measured on the pixels, which a result does not hold"
EMBEDDINGS = "is measured on the embeddings, which a result does not hold"
OWN = "is stated by the owner of a dataset that is not shipped with senbench"

UNKNOWABLE: tuple[Entry, ...] = (
    Entry("created", MACHINE),
    Entry("senbench_version", MACHINE),
    Entry("timings.**", MACHINE),
    *(
        Entry(f"environment.{name}", MACHINE)
        for name in ("device", "device_name", "kernels", "cpus", "platform", "versions.**", "threads", "tf32")
    ),
    *(
        Entry(f"spec.{name}", ASKED)
        for name in ("data_dir", "weights", "accept_new_weights", "accept_pixels", "radiometry", "dn_offset", "split")
    ),
    *(
        Entry(f"spec.{name}", ASKED)
        for name in (
            "device",
            "dtype",
            "exact",
            "kernels",
            "batch_size",
            "on_error",
            "offline",
            "cache",
            "noise",
            "results",
        )
    ),
    Entry("spec.models.*", "names of the other models of a grid"),
    Entry("spec.prompts.*", "names of the other prompts of a grid"),
    Entry("spec.datasets.*", "names of the other datasets of a grid"),
    Entry("resolved.model", "the model as it was named"),
    Entry("resolved.prompts", "the prompts as they were named"),
    Entry("resolved.dataset", "the dataset as it was named"),
    Entry("dataset.source", "the name of what was opened"),
    Entry("dataset.packed", "the name of what was opened"),
    Entry("dataset.title", OWN),
    Entry("dataset.licence", OWN),
    Entry("dataset.rendering.**", PIXELS),
    Entry("dataset.pixels.**", PIXELS),
    Entry("dataset.dn_offset_from", PIXELS),
    Entry("dataset.skipped.*.id", PIXELS),
    Entry("dataset.skipped.*.reason", PIXELS),
    Entry("prompts.provenance.**", FILE),
    Entry("prompts.cut", "the tokenizer of the model tells it"),
    Entry("prompts.style", FILE),
    Entry("prompts.version", FILE),
    Entry("prompts.template_aligned", FILE),
    Entry("prompts.names.*", FILE),
    Entry("prompts.source", "the name of the file of prompts"),
    Entry("logit_scale", "is in the checkpoint, and no figure depends on it"),
    Entry("logit_bias", "is in the checkpoint, and no figure depends on it"),
    Entry("contamination", "the collection of a dataset that is not shipped with senbench"),
    Entry("per_label.*.threshold", "was tuned on another split"),
    Entry("groups.**", "the country of each image, in results of before it was kept with the predictions"),
    Entry("anchors.**", EMBEDDINGS),
    Entry("few_shot.**", EMBEDDINGS),
    Entry("noise.**", EMBEDDINGS),
    Entry("warnings.*", "what model, cache and files warned of during the run"),
)
"""Everything that is not derived, recomputed or bound by the run id; parts that can be derived are still checked."""
TOGETHER: tuple[Entry, ...] = tuple(
    Entry(pattern, "was made by predicting anew from the embeddings, which a result does not hold")
    for pattern in ("metrics.*.ci.**", "metrics.*.interval", "per_class.*.recall_ci.**", "per_class.*.recall_interval")
)
"""Further such parts with `--postprocess transclip`."""


def listed(path: Path) -> Entry | None:
    """Return the entry for a leaf; None if the leaf can be derived."""
    return next((entry for entry in UNKNOWABLE if matches(path, entry.pattern)), None)


def implausible(result: RunResult) -> Iterator[str]:
    """Yield impossible values among the parts that cannot be derived.

    Args:
        result: The result.
    """
    try:
        if datetime.fromisoformat(result.created).utcoffset() is None:
            raise ValueError
    except ValueError:
        yield f"created is {result.created[:40]!r}, which is not a time with a time zone"
    if not VERSION.fullmatch(result.senbench_version):
        yield f"senbench_version is {result.senbench_version[:40]!r}, which is not a version"
    for at, value in leaves(result.model_dump(mode="json")):
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{'.'.join(at)} is {value}"
    yield from _timings(result)
    yield from _skipped(result)
    yield from _rendering(result)
    yield from _anchors(result)
    yield from _labels_saved(result)
    yield from _noise(result)
    yield from _environment(result)


def _environment(result: RunResult) -> Iterator[str]:
    environment = result.environment
    for name in ("cpus", "threads"):
        value = getattr(environment, name)
        if value is not None and not 0 < value < 100_000:
            yield f"environment.{name} is {value}"
    for name, version in environment.versions.items():
        if not VERSION.fullmatch(version):
            yield f"environment.versions.{name} is {version[:40]!r}, which is not a version"


def _timings(result: RunResult) -> Iterator[str]:
    timings, n = result.timings, result.dataset.n_evaluated
    for name, value in timings.model_dump().items():
        if isinstance(value, int | float) and value < 0:
            yield f"timings.{name} is {value}"
    done, kept = timings.images_encoded, timings.images_cached
    if done is not None and kept is not None and done + kept != n:
        yield f"timings.images_encoded {done:,} and images_cached {kept:,} are not the {n:,} evaluated tiles"
    rate = timings.images_per_second
    if rate is not None and kept:
        yield "timings.images_per_second is stated, though embeddings came from the cache"
    if (
        rate is not None
        and timings.images
        and abs(rate * timings.images - n) > 0.02 * n + rate * 0.001 + 0.1 * timings.images
    ):
        yield f"timings.images_per_second is {rate}, but {n:,} images took {timings.images} s"


def _skipped(result: RunResult) -> Iterator[str]:
    data = result.dataset
    names = [tile.id for tile in data.skipped]
    if len(set(names)) < len(names):
        yield "dataset.skipped holds a tile twice"
    if len(names) > data.n_expected - data.n_evaluated:
        yield f"dataset.skipped holds {len(names):,} tiles, {data.n_expected - data.n_evaluated:,} were not evaluated"


def _rendering(result: RunResult) -> Iterator[str]:
    rendering = result.dataset.rendering
    if rendering is None:
        return
    tiles, saturated = rendering.get("tiles"), rendering.get("saturated")
    if not isinstance(tiles, int) or not 0 < tiles <= result.dataset.n_expected:
        yield f"dataset.rendering.tiles is {tiles!r}"
    if saturated is not None and not (isinstance(saturated, int | float) and 0 <= saturated <= 1):
        yield f"dataset.rendering.saturated is {saturated!r}, which is not a share"


def _anchors(result: RunResult) -> Iterator[str]:
    anchors, multi = result.anchors, result.dataset.task == "multi-label"
    if anchors is None:
        return
    if not 0 < anchors.held_out < anchors.n_train <= anchors.n_expected:
        yield f"anchors: {anchors.held_out:,} held out of {anchors.n_train:,} of {anchors.n_expected:,} tiles"
    if not HEX.fullmatch(anchors.index_hash) or anchors.index_hash == result.dataset.index_hash:
        yield "anchors.index_hash is not that of another set of tiles"
    for i, one in enumerate(anchors.classifiers):
        if one.metric != ("map_macro" if multi else "top1"):
            yield f"anchors.classifiers.{i}.metric is {one.metric!r}"
        if one.figure.access_level != 3 or one.figure.n != result.dataset.n_evaluated:
            yield f"anchors.classifiers.{i}.figure is not one of access level 3 on the evaluated tiles"
        yield from _figure(f"anchors.classifiers.{i}.figure", one.figure)


def _figure(at: str, figure: Metric) -> Iterator[str]:
    """Check a share and its interval."""
    ends = figure.ci or (figure.value, figure.value)
    if figure.value is not None and not 0 <= (ends[0] or 0) <= figure.value <= (ends[1] or 0) <= 1:
        yield f"{at} is {figure.value} in {ends}, which is no share inside its interval"


def _noise(result: RunResult) -> Iterator[str]:
    noise, n = result.noise, result.dataset.n_evaluated
    if noise is None:
        return
    asked = result.spec.noise
    if noise.n > n or noise.whole is not (noise.n == n) or (asked is not None and noise.n > asked):
        yield f"noise.n is {noise.n:,}, with {n:,} evaluated tiles and --noise {asked}"
    if len({one.name for one in noise.variants}) < len(noise.variants):
        yield "noise.variants holds a variant twice"
    for i, one in enumerate(noise.variants):
        if one.headline is not None and abs(one.headline) > max(one.figure, 1e-12):
            yield f"noise.variants.{i}.headline is {one.headline}, more than the largest change of any figure"


def _labels_saved(result: RunResult) -> Iterator[str]:
    """What cannot be, among figures of few labels."""
    if (few_shot := result.labels_saved) is None:
        return
    at, top1 = "few_shot" if result.anchors is None else "anchors.few_shot", result.metrics.get("top1")
    if (result.few_shot is not None) is not bool(few_shot.drawn_from) or (
        result.few_shot is not None and (result.recorded is None or result.recorded.given != "embeddings")
    ):
        yield f"{at}: few labels of a run stand with its anchors, others with embeddings recorded elsewhere"
    if few_shot.separation.endswith("halves") and (few_shot.left_out or few_shot.n_pool != result.dataset.n_evaluated):
        yield f"{at}: halves of {few_shot.n_pool:,} images, {result.dataset.n_evaluated:,} are evaluated"
    if result.dataset.task == "multi-label" or top1 is None or top1.value is None:
        yield f"{at} has no zero-shot accuracy to stand against"
        return
    if min(few_shot.n_pool, few_shot.left_out) < 0:
        yield f"{at}: {few_shot.n_pool:,} to draw from, {few_shot.left_out:,} left out"
    if not few_shot.figures:
        yield f"{at}.figures is empty"
    for i, one in enumerate(few_shot.figures):
        path, mean = f"{at}.figures.{i}", sum(one.draws) / max(len(one.draws), 1)
        if one.shots < 1 or not one.draws or not all(0 <= value <= 1 for value in one.draws):
            yield f"{path}: {one.shots} labels per class, draws {one.draws[:5]}"
        elif not math.isclose(one.value, mean, abs_tol=1e-9) or not one.ci[0] <= one.value <= one.ci[1]:
            yield f"{path}.value is {one.value}, its draws have the mean {mean}, its interval is {one.ci}"
        elif not math.isclose(one.gain, mean - top1.value, abs_tol=1e-9) or not (
            one.gain_ci[0] <= one.gain <= one.gain_ci[1]
        ):
            yield f"{path}.gain is {one.gain}, expected {mean - top1.value}; its interval is {one.gain_ci}"
