"""Figures and confusion matrices that others recorded of a model, run again: differences counted in images."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UnavailableError, UsageError
from senbench.models.verify import Item
from senbench.results import predictions
from senbench.results.qualifications import qualifications
from senbench.studies import published_tables
from senbench.studies.reproduction import lines, measure, missing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from senbench.results.predictions import Predictions
    from senbench.runtime.progress import Progress
    from senbench.schema.result import RunResult
    from senbench.scoring import Index
    from senbench.studies.published_tables import PublishedCell
    from senbench.studies.reproduction import Missing, Options


def verify(model: str, dataset: str, options: Options, progress: Progress | None = None) -> list[Item]:
    """Run every recorded protocol of a model on a dataset that can be run here.

    Args:
        model: Model id.
        dataset: Dataset id.
        options: Folder of the data, checkpoint, list of tiles; results are kept where it names a folder.
        progress: Draws progress.

    Returns:
        One item a protocol: its cell for `senbench reproduce`, and how many images differ. It is neither right nor
        wrong where the protocol is not known to be the same, or cannot be run.

    Raises:
        UsageError: Nothing is recorded of the model on the dataset.
        UnavailableError: None can be run, since weights, data or prompts are missing: all of them in one line.
    """
    cells = published_tables.of_model(model, dataset)
    if not cells:
        raise UsageError(
            f"nothing is recorded of {model} on {dataset}; `senbench reproduce --list` shows of which it is"
        )
    listed = [cell for cell in cells if (cell.part.tiles is None) is (options.split is None)]
    if not listed:
        raise UsageError(f"--split: no recorded protocol of {model} on {dataset} needs a list of tiles; leave it out")
    lacks = missing(listed, options)
    ready = [cell for cell in listed if not lacks[cell.name]]
    if not ready:
        raise UnavailableError(f"recorded protocols of {model} on {dataset} need {_named(lacks.values())}")
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(options.results or kept)
        found = {
            cell.name: compared(cell, r, predictions.read(folder / r.run_id, r), own_list=options.split is not None)
            for cell, r in measure(ready, options._replace(results=str(folder)), progress)
        }
    for cell in cells:
        if cell not in listed:
            needs = (
                f"{cell.part.tiles}: --split FILE" if options.split is None else "no list of tiles: leave out --split"
            )
            found[cell.name] = Item(cell.name, None, f"not run, needs {needs}")
        elif cell.name not in found:
            found[cell.name] = Item(cell.name, None, f"not run, needs {_named([lacks[cell.name]])}")
    return [found[cell.name] for cell in cells]


def compared(cell: PublishedCell, result: RunResult, table: Predictions, *, own_list: bool) -> Item:
    """One run held against what was recorded.

    Args:
        cell: What was recorded.
        result: The run.
        table: Its scores.
        own_list: Whether the user gave the publication's list of tiles.
    """
    part, own, n = cell.part, np.array(result.confusion), len(table.ids)
    (top1,) = (line for line in lines(cell, result, own_list=own_list) if line.metric == "top1")
    right, whole = int(np.trace(own)), bool(part.matrix) and result.complete
    if result.postprocess == "none":
        explained = too_close(table, part.cosine)
        why = f"{explained:,} have two best classes whose cosines are closer than twice {part.cosine:g}"
    else:
        explained, why = round(top1.tolerance * n), top1.tolerance_why
    if whole:
        known = published_tables.matrices()
        theirs = np.array(known[part.matrix])
        recorded, off = int(np.trace(theirs)), moved(own, theirs)
        if part.again:
            between = moved(np.array(known[part.again]), theirs)
            explained, why = max(explained, between), f"{why}; {between:,} moved between two recordings of the same"
    else:
        recorded = round(top1.published * n)
        off = abs(right - recorded)
    told = f"{right:,} of {n:,} images right, recorded {recorded:,} ({right - recorded:+,})"
    if whole:
        told += f"; at least {off:,} must have another answer for the whole matrix to differ as it does"
    told += f"; precision explains {explained:,} ({why})"
    # weights that are given by hand have no known origin: that is what is to be found out
    unknown = {one.sentence for one in qualifications(result) if one.code == "unknown-origin"}
    unlike = [reason for reason in top1.unlike if reason not in unknown]
    inside = off <= explained
    return Item(cell.name, inside if (whole and inside) or not unlike else None, "; ".join([told, *unlike]))


def moved(one: Index, other: Index) -> int:
    """Fewest images whose answers must change to make one confusion matrix of the other; rows true class.

    Raises:
        UsageError: They do not count the same images.
    """
    if one.shape != other.shape or (one.sum(axis=1) != other.sum(axis=1)).any():
        raise UsageError(
            f"the matrices count {int(one.sum()):,} and {int(other.sum()):,} images, or others of a class: they are "
            "not of the same images"
        )
    return int(np.maximum(one - other, 0).sum())


def too_close(table: Predictions, change: float) -> int:
    """Images whose two best scores differ by less than twice a change of a cosine."""
    best = np.partition(table.scores, -2, axis=1)[:, -2:]
    return int((best[:, 1] - best[:, 0] < 2 * change).sum())


def _named(lacks: Iterable[Iterable[Missing]]) -> str:
    """What is missing, each once, in one line."""
    told: dict[str, None] = {}
    for lack in (lack for own in lacks for lack in own):
        size = "" if lack.size_mb is None else f", {lack.size_mb:,.0f} MB"
        told[f"{lack.kind} {lack.name} ({lack.file}{size}): {lack.command}"] = None
    return "; ".join(told)
