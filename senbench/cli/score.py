"""`senbench score`: evaluates embeddings and other outputs recorded by other programs."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotation)
from typing import TYPE_CHECKING, Annotated, Any

import typer

from senbench.cli.terminal import make_console, make_table, print_json
from senbench.errors import UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.io.embeddings_npz import EmbeddingsFile
    from senbench.schema.result import RunResult


def score(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An .npz, .csv or .parquet. Embeddings: images (N,D), texts (P,D), text_class (P,), optionally"
            " logit_scale, logit_bias, template_aligned; as a table, columns label, text, embedding_0, ... Or scores"
            " (N,C; columns score_<class>), or predictions (N,), or confusion (C,C). With labels (N,) or multi-hot"
            " (N,C), and optionally class_names, ids, clusters.",
        ),
    ],
    ensemble: Annotated[
        str, typer.Option(help="Rule: norm-mean-norm, mean-norm, logit-mean, prob-mean, max or dap.")
    ] = "norm-mean-norm",
    postprocess: Annotated[str, typer.Option(help="Post-processing: none, column-mean or transclip.")] = "none",
    model: Annotated[str, typer.Option(help="Model that was run: id of a card, or any other name.")] = "",
    prompts: Annotated[str, typer.Option(help="Name of the prompts.")] = "",
    dataset: Annotated[
        str, typer.Option(help="Id of a dataset whose tiles the ids name (its data must be here), or any other name.")
    ] = "",
    source: Annotated[str, typer.Option(help="Who recorded the outputs, and where they can be had.")] = "",
    licence: Annotated[str | None, typer.Option(help="Licence under which they are given.")] = None,
    split: Annotated[str | None, typer.Option(help="Split that was evaluated, or a file of tile names.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the dataset's data.")] = None,
    shots: Annotated[
        str | None,
        typer.Option(
            help="Embeddings: labelled images per class to hold against the zero-shot figure, e.g. 1,2,4,8,16. Other"
            " outputs: the number that the answers were learnt from (level 3)."
        ),
    ] = None,
    anchors: Annotated[
        str | None,
        typer.Option(
            help="Where --shots draws labels from: a second file with images and labels, a list of ids or a split that"
            " rows of FILE are of; default: halves of the evaluated images."
        ),
    ] = None,
    level: Annotated[int, typer.Option(help="Target data that the outputs have seen: 0 none ... 3 labels.")] = 0,
    declared: Annotated[
        bool, typer.Option("--declared", help="The prompts were chosen before any figure was known: rank them.")
    ] = False,
    results: Annotated[str | None, typer.Option(help="Folder in which the result is kept; default: nowhere.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list to stdout, nothing else.")] = False,
) -> None:
    """Evaluate outputs that were recorded elsewhere: embeddings, scores, predictions or a confusion matrix."""
    from senbench.cli.tables.run_table import print_labels_saved
    from senbench.evaluation import recorded_elsewhere
    from senbench.evaluation.recorded_labels import FewLabels
    from senbench.io.recorded_outputs import load

    def embeddings(file: Path) -> bool:
        return "images" in load(file)

    about: dict[str, Any] = {"model": model, "prompts": prompts, "dataset": dataset, "source": source}
    rest: dict[str, Any] = {
        "licence": licence,
        "split": split,
        "data_dir": data_dir,
        "level": level,
        "declared": declared,
    }
    if anchors is not None and shots is None:
        raise UsageError(f"--anchors {anchors}: say how many labels per class are drawn, e.g. --shots 1,2,4,8,16")
    few = None if shots is None else FewLabels(_numbers(shots), anchors)
    made = None
    if results is not None or few is not None or any(about.values()) or any(rest.values()) or not embeddings(file):
        if results is None:  # what is not kept need not be named
            about = {name: value or "not named" for name, value in about.items()}
        how: dict[str, Any] = {"ensemble": ensemble, "postprocess": postprocess, "results": results}
        made = recorded_elsewhere.score(file, about=recorded_elsewhere.About(**about, **rest), few=few, **how)
        result = _told(made, file, kept=results is not None)
        if results is not None:
            say(f"wrote {results.rstrip('/')}/{made.run_id}", err=True)
    else:
        result = score_file(file, ensemble, postprocess)
    if as_json:
        print_json([result], indent=2, allow_nan=False)
    else:
        _show(result)
        if made is not None:
            print_labels_saved([made], stderr=False)


def _numbers(shots: str) -> tuple[int, ...]:
    """Numbers between commas."""
    try:
        return tuple(int(word) for word in shots.split(","))
    except ValueError:
        raise UsageError(f"--shots {shots!r}: give whole numbers with commas between them, e.g. 1,2,4,8,16") from None


def _told(made: RunResult, file: Path, *, kept: bool) -> dict[str, Any]:
    """As `score_file`, of outputs that somebody else recorded."""
    multi = made.dataset.task == "multi-label"
    recorded = made.recorded
    return {
        "file": file.name,
        "given": recorded and recorded.given,
        "run_id": made.run_id if kept else None,
        "task": made.dataset.task,
        "n": made.dataset.n_evaluated,
        "ensemble": made.ensemble,
        "postprocess": made.postprocess,
        "access_level": made.access_level,
        "metrics": {name: figure.model_dump() for name, figure in made.metrics.items()},
        "lines": made.lines,
        "per_class": [entry.model_dump() for entry in made.per_label or made.per_class],
        "confusion": None if multi else [list(row) for row in made.confusion],
        "ties": made.ties,
        **({} if made.few_shot is None else {"few_shot": made.few_shot.model_dump()}),
        "warnings": list(made.warnings),
    }


def score_file(file: Path, ensemble: str, postprocess: str) -> dict[str, Any]:
    """Read, check, score and evaluate one file.

    Args:
        file: An .npz.
        ensemble: Ensembling rule.
        postprocess: Post-processing.

    Returns:
        JSON-ready: file, n, task, metrics, per_class, confusion (None for multi-label), lines, ...

    Raises:
        UsageError: A wrong option, or a file that is missing, foreign or does not fit.
        UnavailableError: A damaged file.
    """
    from senbench.io.embeddings_npz import check
    from senbench.io.recorded_outputs import load
    from senbench.scoring.postprocess import ENSEMBLES, POSTPROCESSES

    options = (("--ensemble", ensemble, ENSEMBLES), ("--postprocess", postprocess, POSTPROCESSES))
    for what, value, known in options:
        if value not in known:
            raise UsageError(f"{what} {value!r} is unknown; available: {', '.join(known)}")
    arrays = load(file)
    try:
        return {"file": file.name, **_figures(check(arrays), ensemble, postprocess)}
    except UsageError as error:
        raise UsageError(f"{file.name}: {error}") from error


def _figures(given: EmbeddingsFile, ensemble: str, postprocess: str) -> dict[str, Any]:
    """Compute the figures of a file, whose labels determine the task."""
    from senbench.datasets.distances import by_size
    from senbench.scoring.classifier import Classifier
    from senbench.scoring.postprocess import Scoring
    from senbench.scoring.sample import Sample

    scoring = Scoring(ensemble, postprocess, given.logit_scale, given.logit_bias)
    names, aligned = given.class_names, given.template_aligned
    classifier = Classifier.of(given.texts, given.text_class, len(names), scoring, template_aligned=aligned)
    ids = [""] * len(given.labels) if given.ids is None else given.ids.tolist()
    sizes = None if given.clusters is None else by_size(given.clusters, ids)
    sample = Sample(given.labels, names, given.clusters, by_size=sizes)
    if given.multi_label:
        from senbench.scoring.multi_label.evaluate import score_multi_label

        scored = score_multi_label(classifier.scores(given.images), sample, scoring)
    else:
        from senbench.scoring.single_label.evaluate import zero_shot

        scored = zero_shot(classifier, given.images, sample)
    clusters = {
        "clustering": scored.clustering and scored.clustering.model_dump(),
        "replicates": scored.replicates,
        "resampled": scored.resampled,
    }
    return {
        "task": "multi-label" if given.multi_label else "single-label",
        "n": scored.n,
        **({"n_unlabelled": scored.n_unlabelled} if given.multi_label else {}),
        "ensemble": ensemble,
        "postprocess": postprocess,
        "access_level": scored.access_level,
        "metrics": {name: figure.model_dump() for name, figure in scored.metrics.items()},
        "lines": scored.lines,
        **(clusters if given.multi_label else {}),
        "per_class": [entry.model_dump() for entry in scored.per_label or scored.per_class],
        "confusion": None if given.multi_label else [list(row) for row in scored.confusion],
        "ties": scored.ties,
        "warnings": [*given.warnings, *scored.warnings],
    }


def _show(result: dict[str, Any]) -> None:
    """Print tables on stdout, and warnings on stderr."""
    from rich.text import Text

    def shown(value: float | tuple[float, float] | None) -> str:
        """A count, a figure or an interval."""
        if isinstance(value, tuple):
            return " .. ".join(map(shown, value))
        return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.4f}"

    console = make_console(stderr=False)
    table = make_table("figure", "value", "95 % interval", "how")
    table.title_justify = "left"
    table.title = f"{result['file']}: {result['n']} images, {result['ensemble']}, access level {result['access_level']}"
    for name, figure in result["metrics"].items():
        table.add_row(name, shown(figure["value"]), shown(figure["ci"]), figure["interval"])
    for name, value in result["lines"].items():
        table.add_row(Text(name, "dim"), shown(value), "", Text("reference line", "dim"))
    console.print(table)
    columns = ["support", "predicted", "precision", "recall", "recall_ci", "f1"]
    if result["task"] == "multi-label":
        columns = ["support", "prevalence", "average_precision", "ci"]
    classes = make_table("class", *(c.replace("_", " ") for c in columns))
    for entry in result["per_class"]:
        classes.add_row(entry["name"], *(shown(entry[c]) for c in columns))
    console.print(classes)
    if result["ties"]:
        say(f"{result['ties']} images tied, broken by class order", err=True)
    if any(figure["interval"].startswith("iid") for figure in result["metrics"].values()):
        say("intervals are i.i.d. over images: too narrow where images share a place (array clusters)", err=True)
    for warning in result["warnings"]:
        say(f"warning: {warning}", err=True)
