"""Result folders made up for pages: valid, labelled synthetic, of any number. Tools of tests and benchmarks."""

from __future__ import annotations

import hashlib
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from changed_results import changed

from senbench.results import store
from senbench.results.factorial_file import save as save_factorial
from senbench.results.predictions import Predictions
from senbench.schema.factorial import Contrast, Factorial, ResampledDifference
from senbench.schema.result import Clustering, GroupFigures, LabelFigures, Metric, RunResult
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import score_single_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FAMILIES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir")
ARCHITECTURES = {"RN50": 102e6, "ViT-B-32": 151e6, "ViT-B-16": 150e6, "ViT-L-14": 428e6, "ViT-H-14": 986e6}
STYLES = ("generic", "aerial", "ground", "mixed", "clip", "bare", "shuffled", "long", "short", "season")
SINGLE = ("Annual Crop", "Forest", "Herbaceous Vegetation", "Highway", "Industrial", "Pasture", "Permanent Crop")
SINGLE += ("Residential", "River", "Sea or Lake")
MULTI = tuple(f"Land cover {chr(65 + k)}" for k in range(19))
PROMPTS = 50
"""Prompts per class, about as many and as long as those of the shipped styles."""
COUNTRIES = ("Austria", "Belgium", "Finland", "Ireland", "Portugal", "Serbia")
DATASETS = ("made-scenes", "made-scenes-located", "made-labels", "made-labels-north")


def digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def blocks(dataset: str, model: int, style: str, n: int, classes: Sequence[str], **change: Any) -> dict[str, Any]:
    """What a made-up result says of its model, data, prompts and surroundings."""
    family = FAMILIES[model % len(FAMILIES)]
    architecture = list(ARCHITECTURES)[model // len(FAMILIES) % len(ARCHITECTURES)]
    name = f"{family.lower()}-{architecture.lower()}-{model}"
    multi = classes is MULTI
    texts = {
        key: [
            f"a {style} picture, number {j} of {PROMPTS}, of made-up {key.lower()} in the rain" for j in range(PROMPTS)
        ]
        for key in classes
    }
    spec = {"models": [name], "prompts": [style], "datasets": [dataset], "protocol": "standard", "seed": 0}
    return {
        "run_id": f"{name}_{style}_{dataset}_test_standard_{digest(name, style, dataset)[:10]}",
        "senbench_version": "0.1.0",
        "created": "2026-01-01T00:00:00+00:00",
        "spec": {**spec, "dtype": "float32", "on_error": "stop"},
        "resolved": {
            "protocol": "standard",
            "model": name,
            "dataset": dataset,
            "prompts": style,
            "split": "test",
            "ensemble": "norm-mean-norm",
            "postprocess": "none",
            "preprocess": None,
            "headline": "map_macro" if multi else "top1",
            "overrides": [],
        },
        "model": {
            "id": name,
            "title": f"{family} {architecture} no. {model}",
            "family": family,
            "architecture": architecture,
            "activation": "gelu",
            "parameters": int(ARCHITECTURES[architecture]),
            "licence": "none: it does not exist",
            "weights_sha256": digest(name),
            "synthetic": True,
        },
        "dataset": {
            "id": dataset,
            "title": f"{dataset.replace('-', ' ').capitalize()} (made up)",
            "task": "multi-label" if multi else "single-label",
            "split": "test",
            "source": "made up",
            "n_expected": n,
            "n_evaluated": n,
            "index_hash": digest(dataset, n),
            "content_hash": digest("content", dataset),
            "classes": list(classes),
            "class_names": "made",
            "radiometry": "native-jpeg",
            "band_order": "rgb",
            "skipped": [],
            "synthetic": True,
        },
        "prompts": {
            "id": style,
            "style": style,
            "source": f"builtin:{style}.j2",
            "class_names": "made",
            "names": list(classes),
            "texts": texts,
            "template_aligned": True,
            "hash": digest(texts),
            "n": PROMPTS * len(classes),
        },
        "protocol": "standard",
        "contamination": "unknown",
        "ensemble": "norm-mean-norm",
        "postprocess": "none",
        "complete": True,
        "ties": 0,
        "timings": {"images": 1.0, "images_per_second": round(4e10 / ARCHITECTURES[architecture], 1)},
        "environment": {"device": "cpu", "device_name": "none", "dtype": "float32", "versions": {"torch": "2.9.0"}},
        "warnings": ["made up: no statement about anything"],
        **change,
    }


def single(dataset: str, model: int, style: str, n: int, located: bool, **change: Any) -> tuple[RunResult, Predictions]:
    """One made-up single-label result; hard images are hard for every model."""
    shared = np.random.default_rng(int(digest(dataset)[:8], 16))
    labels, hard = np.arange(n) % len(SINGLE), shared.normal(size=n)
    own = np.random.default_rng(int(digest(dataset, model, style)[:8], 16))
    skill = 1.6 + 0.5 * np.sin(model * 2.4) + 0.06 * (STYLES.index(style) if style in STYLES else 0) * np.cos(model)
    scores = own.normal(size=(n, len(SINGLE))).astype(np.float32)
    scores[np.arange(n), labels] += skill - 0.8 * hard
    clusters = np.array([f"T{k}" for k in shared.integers(0, 40, n)]) if located else None
    scored = score_single_label(scores / 40, Sample(labels, SINGLE, clusters), Scoring(logit_scale=40.0))
    result = RunResult(
        **blocks(dataset, model, style, n, SINGLE, **change),
        headline="top1",
        access_level=scored.access_level,
        metrics=scored.metrics,
        lines=scored.lines,
        per_class=scored.per_class,
        confusion=scored.confusion,
        reliability=scored.reliability,
    )
    return result, Predictions(_ids(n), labels, clusters, scored.scores, scored.predictions)


def multi(dataset: str, model: int, style: str, n: int, **change: Any) -> tuple[RunResult, Predictions]:
    """One made-up multi-label result; its figures are drawn, not computed."""
    shared = np.random.default_rng(int(digest(dataset)[:8], 16))
    support = shared.integers(n // 20, n // 2, len(MULTI))
    place = shared.normal(0, 0.003, 30)
    own = np.random.default_rng(int(digest(dataset, model, style)[:8], 16))
    precision = np.clip(0.3 + 0.08 * np.sin(model * 1.7) + own.normal(0, 0.08, len(MULTI)), 0.05, 0.95)
    value = float(precision.mean())

    def metric(v: float, **more: Any) -> Metric:
        label = "cluster-jackknife-t (30 clusters, 27.1 effective, design effect 3.2)"
        return Metric(value=v, ci=(v - 0.03, v + 0.03), n=n, interval=label, **more)

    sizes = {f"T{k:02d}": n // 30 for k in range(30)}
    replicates = {name: value + place[k] + own.normal(0, 0.001) for k, name in enumerate(sizes)}
    result = RunResult(
        **blocks(dataset, model, style, n, MULTI, **change),
        headline="map_macro",
        access_level=0,
        metrics={
            "map_macro": metric(value, average="macro"),
            "map_micro": metric(value + 0.05, average="micro"),
            "r_precision_micro": metric(value + 0.02, average="micro"),
            "lrap": metric(value + 0.1, average="samples"),
        },
        lines={"prevalence": float(support.mean() / n), "prevalence_micro": 0.2, "constant_ranking": 0.35},
        per_class=(),
        confusion=(),
        per_label=tuple(
            LabelFigures(key=k, name=k, support=int(s), prevalence=s / n, average_precision=p, ci=(p - 0.04, p + 0.04))
            for k, s, p in zip(MULTI, support, precision, strict=True)
        ),
        clustering=Clustering(clusters=30, effective=27.1, design_effect=3.2, sizes=sizes),
        replicates={"map_macro": replicates},
        groups=tuple(
            GroupFigures(group=c, n=n // 6, labels=17, prevalence=0.2, map_macro=metric(value + 0.01 * k))
            for k, c in enumerate(COUNTRIES)
        ),
    )
    labels = np.zeros((n, len(MULTI)), bool)
    labels[np.arange(n), np.arange(n) % 19] = labels[np.arange(n), (np.arange(n) + 3) % 19] = True
    scores = own.normal(size=(n, len(MULTI))).astype(np.float32)
    return result, Predictions(_ids(n), labels, np.array([f"T{i % 30:02d}" for i in range(n)]), scores, None)


def _ids(n: int) -> tuple[str, ...]:
    return tuple(f"tile_{i}" for i in range(n))


def one(dataset: str, model: int, style: str, n: int = 300, **change: Any) -> tuple[RunResult, Predictions]:
    """One made-up result of any of the datasets, with what `store.save` writes beside it."""
    if "labels" in dataset:
        return multi(dataset, model, style, n, **change)
    return single(dataset, model, style, n, "located" in dataset, **change)


def write(folder: Path, models: int, styles: Sequence[str], datasets: Sequence[str], n: int = 300) -> None:
    """A grid of made-up results as folders."""
    folder.mkdir(parents=True, exist_ok=True)
    for dataset in datasets:
        for model in range(models):
            for style in styles:
                save(folder, *one(dataset, model, style, n))


def save(folder: Path, result: RunResult, rest: Predictions) -> Path:
    """Write one made-up result."""
    return store.save(folder, result, rest, {})


def compared(folder: Path, results: Sequence[RunResult], half: float = 0.01) -> Factorial:
    """Comparisons of made-up results as a grid's, with intervals of one half width, kept beside them."""
    of = {(r.model.id, r.prompts.id): r.metrics[r.headline].value for r in results}
    models, styles = (list(dict.fromkeys(names)) for names in zip(*of, strict=True))
    pairs, rivals = list(combinations(styles, 2)), list(combinations(models, 2))
    wanted = [
        *(("styles", (m,), pair) for pair in pairs for m in models),
        *(("models", rival, (s,)) for rival in rivals for s in styles),
        *(("interaction", rival, pair) for rival in rivals for pair in pairs),
    ]
    contrasts = []
    for kind, ms, ss in wanted:
        signs = [(m, s, (1, -1)[i] * (1, -1)[j]) for i, m in enumerate(ms) for j, s in enumerate(ss)]
        value = sum(sign * (of[m, s] or 0) for m, s, sign in signs)
        ends, how = (value - half, value + half), "crossed-bootstrap-t (made up)"
        d = ResampledDifference(
            value=value, ci=ends, p=None, error_prompts=half / 4, error_images=half / 2, interval=how
        )
        matched = None if len(ss) == 1 else False
        contrasts.append(
            Contrast(
                kind=kind, models=ms, styles=ss, control=False, matched=matched, points=d, log_odds=d, per_class=()
            )
        )
    first = results[0]
    found = Factorial(
        run_ids=tuple(r.run_id for r in results),
        dataset=first.dataset.id,
        split=first.dataset.split,
        index_hash=first.dataset.index_hash,
        headline=first.headline,
        access_levels=tuple(r.access_level for r in results),
        class_names={key: key for key in first.dataset.classes},
        seed=0,
        draws=400,
        units=40,
        clustered=True,
        contrasts=tuple(contrasts),
        notes=(),
    )
    save_factorial(folder, found)
    return found


def real(result, **change):
    """The same result as if tiles and model were real."""
    return changed(changed(result, dataset={"synthetic": False}, model={"synthetic": False}), **change)
