"""Writes a methods paragraph, a table, references and a reporting checklist for a paper, from recorded settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from senbench.report.citation.bibliography import bibtex, keys
from senbench.report.export import latex
from senbench.results.qualifications import labels, model_name, qualifications
from senbench.results.standings import Standing, standings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from senbench.schema.result import Anchors, RunResult

PARTS = ("methods", "table", "bibtex", "checklist")
MISSING = "MISSING"
_RULES = {
    "norm-mean-norm": "the prompt embeddings of a class were normalised, averaged and normalised again, and classes "
    "were compared by cosine similarity",
    "mean-norm": "the prompt embeddings of a class were averaged without normalising them first, then normalised, and "
    "classes were compared by cosine similarity",
    "logit-mean": "the score of a class was the mean cosine similarity over its prompts",
    "prob-mean": "the score of a class was the mean over templates of its softmax probability",
    "max": "the score of a class was the largest cosine similarity over its prompts",
    "dap": "the score of a class was the sum over its prompts of log p(t given x) - log p(t), p(t) being the mean over "
    "the evaluated images",
}
_LEVELS = {
    0: "no data of the target were used",
    1: "unlabelled target data disjoint from the evaluated images were used",
    2: "the evaluated images themselves were used, without labels",
    3: "labels were used",
}


def cite(results: Sequence[RunResult], folders: Mapping[str, Path], parts: Sequence[str] = PARTS) -> str:
    """Return text for a paper.

    Args:
        results: Results.
        folders: Run id -> its folder, for the paired tests of the table.
        parts: The parts to write, from `PARTS`, in that order.

    Returns:
        The parts; if there are several, each has a line above it with its name.
    """
    boards = standings(results, folders)
    made = {
        "methods": lambda: "\n".join(methods(board) for board in boards),
        "table": lambda: "\n".join(latex.table(board) for board in boards),
        "bibtex": lambda: bibtex(boards),
        "checklist": lambda: "\n".join(checklist(r) for board in boards for r in board.results),
    }
    texts = {part: made[part]() for part in PARTS if part in parts}
    if len(texts) == 1:
        return "".join(texts.values())
    return "\n".join(f"%%%% {part} %%%%\n\n{text}" for part, text in texts.items())


def methods(board: Standing) -> str:
    """Return one paragraph on the results of a table, with reference keys in brackets."""
    first, d = board.first, board.first.dataset
    models = _distinct(board, lambda r: f"{_title(r)}{_keys(r, ('family', 'citation'))}")
    packs = _distinct(board, lambda r: f"{r.prompts.id} ({r.prompts.n} prompts, sha256 {r.prompts.hash[:12]})")
    n, expected = d.n_evaluated, d.n_expected
    count = f"all {n:,} images" if n == expected else f"{n:,} of {expected:,} images (incomplete)"
    clean = any(r.zero_shot for r in board.results)
    iid = any(r.metrics[r.headline].interval.startswith("iid") for r in board.results)
    said = [
        f"{'Zero-shot ' if clean else ''}classification of {d.title}{_keys(first, ('collection', 'dataset'))} was "
        f"evaluated on {count} of the split {d.split} (index sha256 {d.index_hash[:12]}"
        f"{_keys(first, ('split',), ', ')}) with senbench {_distinct(board, lambda r: r.senbench_version)}, "
        f"protocol {first.protocol}{_keys(first, ('protocol',))}.",
        f"Models: {models}.",
        f"Prompts: {packs}, with the class names of the set {_distinct(board, lambda r: r.prompts.class_names)}.",
        *(
            f"With {rule}, {_RULES[rule]}."
            for rule in dict.fromkeys(r.ensemble for r in board.results)
            if rule in _RULES
        ),
        _postprocess(first),
        f"Access level {first.access_level}: {_LEVELS.get(first.access_level, MISSING)}.",
        _rendered(board),
        f"The headline is {first.headline}; intervals are 95 % ({_distinct(board, _interval)})"
        + ("; images that share a place are not independent, so that they are too narrow." if iid else "."),
        *(
            [f"The best entry was compared with the others by paired tests ({board.tests}), Holm over all pairs."]
            if not board.tests.startswith("none")
            else []
        ),
        f"Training data against these images: {_distinct(board, lambda r: f'{_title(r)}: {r.contamination}')}.",
        *_anchors(board),
        _machine(board),
    ]
    for r in board.results:
        if sentences := [one.sentence for one in qualifications(r)]:
            said.append(f"{_title(r)}, prompts {r.prompts.id}: {'; '.join(sentences)}.")
    return " ".join(" ".join(said).split()) + "\n"


def checklist(r: RunResult) -> str:
    """Return a checklist of what a paper should report on a run, filled in from the result, or with MISSING."""
    lines = [f"Reporting checklist: {_title(r)}, prompts {r.prompts.id}, {r.dataset.id} {r.dataset.split}"]
    for title, value in _items(r):
        text = " ".join(str(value).split()) if value not in (None, "", [], {}) else ""
        lines.append(f"[{'x' if text else ' '}] {title}: {text or MISSING}")
    return "\n".join(lines) + "\n"


def _items(r: RunResult) -> Iterator[tuple[str, Any]]:
    m, d, p, env = r.model, r.dataset, r.prompts, r.environment
    headline = r.metrics[r.headline]
    yield "Model and checkpoint", m.id
    yield "Weights sha256", m.weights_sha256
    yield "Architecture and activation", m.architecture and f"{m.architecture}, {m.activation}"
    yield "Preprocessing", _preprocess(r) if r.resolved.preprocess else None
    yield "Licence of the weights", m.licence
    yield "Dataset", f"{d.title} ({d.id})"
    yield "Split", d.split
    yield "Number of images", f"{d.n_evaluated:,} of {d.n_expected:,}" + ("" if r.complete else ", INCOMPLETE")
    yield "Split hash (ids and labels, sha256)", d.index_hash
    yield "Content hash of the images", d.content_hash
    yield "Radiometry and band order", d.radiometry and f"{d.radiometry}, {d.band_order}"
    yield "Class names", d.class_names and f"{d.class_names}: {', '.join(p.names)}"
    yield "Prompts", f"{p.id}, {p.n} prompts"
    yield "Prompts hash (sha256)", p.hash
    yield "How the prompts were chosen (on which images, if any)", None  # not known to a run
    yield "Ensembling rule", r.ensemble
    yield "Score post-processing", r.postprocess
    yield "Protocol", r.protocol
    changed = r.resolved.overrides
    yield "What qualifies the figure", "; ".join(labels(r)) or "nothing that the run knows"
    yield "Changes against the protocol", ", ".join(changed) if changed else "none"
    yield "Access level", f"{r.access_level}, {_LEVELS.get(r.access_level, MISSING)}"
    yield "Contamination", r.contamination
    value = None if headline.value is None else f"{r.headline} {latex.percent(headline)} %"
    yield "Headline with 95 % interval", value if headline.ci is not None else None
    yield "Kind of interval", headline.interval if headline.ci is not None else None
    yield "Reference lines", ", ".join(f"{k.replace('_', ' ')} {100 * v:.1f} %" for k, v in r.lines.items())
    yield "Supervised anchors", "not asked for" if r.anchors is None else ", ".join(_anchor_texts(r.anchors))
    yield "Images that could not be decoded", str(len(d.skipped))
    yield "Seed", r.spec.seed
    yield "Precision and device", env.device_name and f"{env.dtype}, {env.device_name}"
    yield "Versions", _versions(r)
    yield "Run id", r.run_id


def _distinct(board: Standing, of: Callable[[RunResult], str], between: str = ", ") -> str:
    return between.join(dict.fromkeys(of(r) for r in board.results))


def _title(r: RunResult) -> str:
    return " ".join(model_name(r).split())


def _keys(r: RunResult, kinds: tuple[str, ...], before: str = " ") -> str:
    references = keys(r, kinds)
    return f"{before}[{', '.join(references)}]" if references else ""


def _postprocess(r: RunResult) -> str:
    if r.postprocess == "column-mean":
        return "Scores were divided by their mean over the evaluated images, so that predictions depend on one another."
    if r.postprocess == "transclip":
        return f"All images were classified together, without labels, by TransCLIP{_keys(r, ('postprocess',))}."
    return "" if r.postprocess in ("none", "as recorded") else f"Scores were post-processed by {r.postprocess}."


def _preprocess(r: RunResult) -> str:
    preprocess = r.resolved.preprocess
    if not preprocess:
        return f"{_title(r)} does its own preprocessing"
    mean, std = (", ".join(f"{v:g}" for v in values) for values in (preprocess.mean, preprocess.std))
    verb = {"squash": "resized to", "shortest-crop": "resized and centre-cropped to"}[preprocess.resize_mode]
    size = preprocess.resolution
    return f"{_title(r)}: {verb} {size} x {size} ({preprocess.interpolation}), mean ({mean}), std ({std})"


def _rendered(board: Standing) -> str:
    """Return how images were preprocessed, or for recorded outputs their source."""
    if board.first.recorded is not None:
        outputs = _distinct(board, lambda r: "" if r.recorded is None else f"{r.recorded.given} ({r.recorded.source})")
        return f"The models were not run: outputs that were recorded elsewhere were evaluated, {outputs}."
    return (
        f"Images were rendered as {_distinct(board, lambda r: r.dataset.radiometry)}, in the band order "
        f"{_distinct(board, lambda r: r.dataset.band_order)}; {_distinct(board, _preprocess)}."
    )


def _machine(board: Standing) -> str:
    """Return precision, device and versions of the runs."""
    precision, versions = _distinct(board, lambda r: r.environment.dtype), _distinct(board, _versions, "; ")
    if board.first.recorded is not None:
        return f"Precision as recorded: {precision}; {versions}."
    return f"Precision {precision} on {_distinct(board, lambda r: r.environment.device_name or MISSING)}; {versions}."


def _interval(r: RunResult) -> str:
    """Return the method of the headline's interval, without the numbers that vary by run."""
    return re.sub(r", (?:design effect|\d+ of) [^,)]*", "", r.metrics[r.headline].interval)


def _versions(r: RunResult) -> str:
    packages = r.environment.versions or {}
    if r.anchors is not None:
        packages = {**packages, "scikit-learn": r.anchors.scikit_learn}
    return ", ".join(f"{name} {version}" for name, version in {"senbench": r.senbench_version, **packages}.items())


def _anchor_texts(anchors: Anchors) -> list[str]:
    settings = ((a, *next(iter(a.hyperparameters.items()))) for a in anchors.classifiers)
    return [f"{a.title} ({name} = {value:g}) {latex.percent(a.figure)} %" for a, name, value in settings]


def _anchors(board: Standing) -> list[str]:
    return [
        f"For scale, classifiers were trained with labels on the embeddings of {_title(r)} for the "
        f"{anchors.n_train:,} images of {anchors.split} (access level 3; k and C chosen on "
        f"{anchors.held_out:,} of them): {', '.join(_anchor_texts(anchors))}."
        for r, anchors in board.anchored
    ]
