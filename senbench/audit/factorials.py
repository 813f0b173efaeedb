"""Checks a file of comparisons against the results next to it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.audit.leaves import UNKNOWN, Tolerance, differences
from senbench.audit.stand_ins import dataset_of, vocabulary_of
from senbench.audit.unknowable import EMBEDDINGS, Entry
from senbench.errors import SenbenchError, UsageError
from senbench.prompts.lexicon import is_control
from senbench.prompts.pairing import resamplings
from senbench.results import factorial_file, predictions, store
from senbench.schema.factorial import FACTORIAL_VERSION
from senbench.schema.prompt_set import PromptFields, PromptSet
from senbench.scoring.comparison.contrasts import degrees
from senbench.scoring.comparison.cue_frame import EFFECTS, STYLES
from senbench.scoring.comparison.holm import holm
from senbench.scoring.intervals.clustered import too_few
from senbench.scoring.intervals.crossed_bootstrap import draws_for
from senbench.scoring.sample import MIN_POSITIVE_UNITS, Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.schema.factorial import Contrast, CueFrame, Factorial, ResampledDifference
    from senbench.schema.result import RunResult

Term = tuple["RunResult", float]
"""A result and its weight in a difference."""
ROUNDING = 1e-6
REST = re.compile(
    r"(, some packs have one prompt in a class: no prompts to resample there)?(, \d+ undefined)?\)(, all draws agree)?"
)
UNDEFINED = re.compile(r"none: undefined in \d+ of \d+ draws")
UNKNOWABLE = (
    Entry("contrasts.*.points.error_*", EMBEDDINGS),
    Entry("contrasts.*.log_odds.error_*", EMBEDDINGS),
    Entry("contrasts.*.per_class.*.points.error_*", EMBEDDINGS),
    Entry("cue_frame.*.*.error_*", EMBEDDINGS),
    Entry("notes.*", "what the run did not compare"),
)
"""Fields that cannot be recomputed; the errors are compared with the width of the interval and with p."""


def findings(path: Path) -> list[str]:
    """Return every contradiction between a `factorial-<hash>.json` and the results next to it, one line each.

    Differences, their tests and adjusted tests are recomputed. The two standard errors, and thus the width of the
    intervals, need the embeddings; they are only compared with each other.

    Args:
        path: The file, among the folders of its results.
    """
    try:
        found = factorial_file.load(path)
        results = [store.load(path.parent / name) for name in found.run_ids]
        table = predictions.read(path.parent / results[0].run_id, results[0])
    except UsageError as error:
        return [str(error)]
    except IndexError:
        return ["run_ids is empty"]
    sample = Sample(table.labels, results[0].dataset.classes, table.clusters)
    remade = _expected(found, results, sample)
    stated = found.model_dump(mode="json")
    lines = [one.line for one in differences(stated, remade, Tolerance(ends=ROUNDING))]
    digest = hashlib.sha256(json.dumps(found.run_ids).encode()).hexdigest()[:10]
    if path.name != f"factorial-{digest}.json":
        lines.append(f"{path.name} is not named by its run_ids, factorial-{digest}.json")
    return lines


def _expected(factorial: Factorial, results: Sequence[RunResult], sample: Sample) -> dict[str, Any]:
    first = results[0]
    return {
        "schema_version": FACTORIAL_VERSION,
        "run_ids": [r.run_id for r in results],
        "dataset": first.dataset.id,
        "split": first.dataset.split,
        "index_hash": first.dataset.index_hash,
        "headline": first.headline,
        "access_levels": [r.access_level for r in results],
        "class_names": dict(zip(first.dataset.classes, first.prompts.names, strict=True)),
        "seed": first.spec.seed,
        "draws": draws_for(sample.labels),
        "units": len(sample.sizes),
        "clustered": sample.clusters is not None,
        "contrasts": [_contrast(one, results, sample) for one in factorial.contrasts],
        "notes": UNKNOWN,
    } | (
        {"cue_frame": [_cue_frame(one, results, sample) for one in factorial.cue_frame]} if factorial.cue_frame else {}
    )


def _contrast(stated: Contrast, results: Sequence[RunResult], sample: Sample) -> Any:
    """Recompute one comparison; None if the results that it names do not exist."""
    terms = _terms(stated, results)
    if terms is None:
        return None
    keys = sample.class_keys
    per_class = stated.per_class if len(stated.per_class) == len(keys) else ()
    adjusted = holm(np.array([np.nan if one.points.p is None else one.points.p for one in per_class]))
    kind = "interaction" if len(stated.models) == len(stated.styles) == 2 else "styles"
    return {
        "kind": "models" if len(stated.styles) == 1 else kind,
        "models": list(stated.models),
        "styles": list(stated.styles),
        "control": any(is_control(r.prompts.style) for r, _ in terms),
        "matched": _matched(stated, terms),
        "points": _difference(stated.points, terms, sample, _headline(terms)),
        "log_odds": _difference(stated.log_odds, terms, sample, _log_odds(_headline(terms))),
        "per_class": [
            {
                "key": key,
                "points": _difference(one.points, terms, sample, _of_class(terms, k), k),
                "p_holm": None if np.isnan(p) else float(p),
            }
            for k, (key, one, p) in enumerate(zip(keys, per_class, adjusted, strict=False))
        ]
        or UNKNOWN,
    }


def _cue_frame(stated: CueFrame, results: Sequence[RunResult], sample: Sample) -> Any:
    """Recompute the effects of cue and frame; None if a result of the four styles does not exist."""
    of_style = {r.prompts.id: r for r in results if stated.model in (r.model.id, r.resolved.model)}
    if not set(STYLES) <= set(of_style):
        return None
    out: dict[str, Any] = {"model": stated.model}
    for name, weights in EFFECTS.items():
        terms = [(of_style[style], weight) for style, weight in zip(STYLES, weights, strict=True)]
        out[name] = _difference(getattr(stated, name), terms, sample, _headline(terms))
    return out


def _terms(stated: Contrast, results: Sequence[RunResult]) -> list[Term] | None:
    """Return the results of a comparison with their signs."""
    out: list[Term] = []
    for i, model in enumerate(stated.models):
        for j, style in enumerate(stated.styles):
            matching = [
                r
                for r in results
                if model in (r.model.id, r.resolved.model) and style in (r.prompts.id, r.resolved.prompts)
            ]
            if not matching:
                return None
            out.append((matching[0], (1, -1)[i] * (1, -1)[j]))
    return out


def _headline(terms: Sequence[Term]) -> NDArray[Any]:
    values = [r.metrics[r.headline].value for r, _ in terms]
    return np.array([np.nan if v is None else v for v in values])


def _of_class(terms: Sequence[Term], k: int) -> NDArray[Any]:
    values = [r.per_class[k].recall if r.per_class else r.per_label[k].average_precision for r, _ in terms]
    return np.array([np.nan if v is None else v for v in values])


def _log_odds(values: NDArray[Any]) -> NDArray[Any]:
    inside = (values > 0) & (values < 1)
    return np.where(inside, np.log(np.where(inside, values, 0.5) / np.where(inside, 1 - values, 0.5)), np.nan)


def _difference(
    stated: ResampledDifference,
    terms: Sequence[Term],
    sample: Sample,
    figures: NDArray[Any],
    k: int | None = None,
) -> dict[str, Any]:
    """Recompute a difference, with its interval and p from its two standard errors and half its width."""
    value = float(figures @ [sign for _, sign in terms])
    out: dict[str, Any] = {"value": None if np.isnan(value) else value, "interval": UNKNOWN}
    by_prompts, by_images, ci = stated.error_prompts, stated.error_images, stated.ci
    if not stated.interval.startswith("crossed-bootstrap-t") or by_prompts is None or by_images is None or ci is None:
        label = _nothing(stated.interval, sample, defined=not np.isnan(value), k=k)
        return out | {"ci": None, "p": None, "error_prompts": None, "error_images": None, "interval": label}
    out |= {"error_prompts": UNKNOWN, "error_images": UNKNOWN, "interval": _label(stated.interval, sample)}
    half = (ci[1] - ci[0]) / 2
    out["ci"] = [value - half, value + half]
    if stated.interval.endswith("all draws agree"):
        return out | {"p": 1.0 if value == 0 else None, "error_prompts": 0.0, "error_images": 0.0}
    from scipy.special import stdtr, stdtrit

    few = min(len(texts) for r, _ in terms for texts in r.prompts.texts.values())
    if by_prompts == by_images == 0:
        return out | {"p": UNKNOWN}
    df = degrees(by_prompts**2, by_images**2, max(few - 1, 1), max(sample.effective - 1, 1))
    error = half / float(stdtrit(df, 0.975))
    out["p"] = float(2 * stdtr(df, -abs(value) / error))
    most = float(np.sqrt(2 * (by_prompts**2 + by_images**2)))
    if not max(by_prompts, by_images) * (1 - ROUNDING) <= error <= most * (1 + ROUNDING):
        out["error_prompts"] = f"an error that gives {error:.3g} with the other one"
    return out


def _label(stated: str, sample: Sample) -> str:
    """Return the description of an interval if it fits these units; otherwise the expected beginning."""
    where = "images" if sample.clusters is None else "clusters"
    begin = f"crossed-bootstrap-t ({draws_for(sample.labels)} draws of prompts x {len(sample.sizes):,} {where}"
    begin += ", too narrow: no positions" * (sample.clusters is None)
    known = stated.startswith(begin) and REST.fullmatch(stated.removeprefix(begin))
    return stated if known else f"{begin})"


def _nothing(stated: str, sample: Sample, *, defined: bool, k: int | None) -> str:
    """Return why a difference has no interval."""
    if not defined:
        return "none: the figure is undefined, or 0 or 1 in log-odds"
    if sample.clusters is not None and (reason := too_few(len(sample.sizes))):
        return reason
    if k is not None and not sample.enough_units[k]:
        where = "images" if sample.clusters is None else "clusters"
        return f"none: fewer than {MIN_POSITIVE_UNITS} {where} hold the class"
    return stated if UNDEFINED.fullmatch(stated) else "none: undefined in N of N draws"


def _matched(stated: Contrast, terms: Sequence[Term]) -> Any:
    """Return whether the prompts of both styles were resampled jointly; unknown for class names in a user's file."""
    if len(stated.styles) == 1:
        return None
    names = set(PromptFields.model_fields)
    try:
        vocabulary = vocabulary_of(dataset_of(terms[0][0]))
        packs = [PromptSet.model_validate(r.prompts.model_dump(include=names)) for r, _ in terms[:2]]
        one, other = resamplings(packs, vocabulary)
    except (SenbenchError, KeyError):
        return UNKNOWN
    return one.matching == other.matching
