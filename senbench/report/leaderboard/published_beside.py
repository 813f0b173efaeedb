"""Published figures beside measured ones; a difference only where the whole protocol key matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from senbench.models import registry
from senbench.results.published import PRESUMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from senbench.report.leaderboard.entries import LeaderboardEntry
    from senbench.results.published import PublishedFigures

DATASETS = {"eurosat": "eurosat-rgb", "bigearthnet-19": "bigearthnet-v1"}
"""Published dataset -> the dataset here that holds the same images."""
NEAR = {"eurosat": "eurosat", "bigearthnet-19": "bigearthnet-v"}
"""Published dataset -> how the names of datasets here begin that may stand beside it."""
METRICS = {"top-1 %": "top1", "mean per-class recall %": "balanced_accuracy"}
"""Published metric -> metric here; others are not the same measure, or not told."""
STYLES = {"clip (3 templates, CLIP class names)": ("clip", "clip")}
"""Published prompts -> style and class-name set here; other texts are not known to be the same."""
SECOND_READING = "-gelu"
"""End of the id of a card that reads the same file with the other activation, where the release leaves it open."""


@dataclass(frozen=True)
class Beside:
    """One published figure.

    Attributes:
        row: The published row by column.
        model: Model id here, None where the release has no card.
        entry: The measured run that comes closest, None where there is none.
        metric: Its metric to compare with.
        difference: Measured minus published in 0..1; None unless everything matches.
        unlike: Why there is no difference: what is not the same, or not told.
        own_activation: The activation that the card of the model states, where the figure was made with another one.
    """

    row: Mapping[str, str]
    model: str | None
    entry: LeaderboardEntry | None
    metric: str | None
    difference: float | None
    unlike: tuple[str, ...]
    own_activation: str | None


def compare(published: PublishedFigures, entries: Iterable[LeaderboardEntry]) -> list[Beside]:
    """Each published figure with the measured run that comes closest to it.

    Args:
        published: The published figures.
        entries: Measured runs; incomplete and synthetic ones, and weights of unknown origin, stand beside nothing.

    Returns:
        One for each row, in order.
    """
    measured: dict[str, list[LeaderboardEntry]] = {}
    for e in entries:
        if e.status not in ("incomplete", "synthetic", "unknown origin"):
            measured.setdefault(e.result.model.id, []).append(e)
    return [_beside(row, published.model_of(row), measured) for row in published.rows]


def _beside(row: Mapping[str, str], model: str | None, measured: Mapping[str, list[LeaderboardEntry]]) -> Beside:
    own = _own_activation(row, model)
    near = [e for e in measured.get(model or "", ()) if e.result.dataset.id.startswith(NEAR[row["dataset"]])]
    if not near:
        return Beside(row, model, None, None, None, (), own)
    closest = min(near, key=lambda e: (len(unlike(row, e)), e.result.run_id))
    metric = METRICS.get(row["metric"], closest.result.headline)
    found = unlike(row, closest)
    value = closest.result.metrics[metric].value if metric in closest.result.metrics else None
    difference = None if found or value is None else value - float(row["value"]) / 100
    return Beside(row, model, closest, metric, difference, found, own)


def _own_activation(row: Mapping[str, str], model: str | None) -> str | None:
    """What the card states, where the row states (or presumes) another activation and the card leaves nothing open."""
    used, known = row["activation"].removesuffix(PRESUMED), registry.cards()
    if not used or model not in known or f"{model}{SECOND_READING}" in known:
        return None
    own = known[model].activation
    return own if own != used else None


def unlike(row: Mapping[str, str], entry: LeaderboardEntry) -> tuple[str, ...]:
    """Parts of the protocol key in which a published row and a measured run are not known to be the same."""
    result = entry.result
    data = result.dataset
    style = entry.style if entry.shipped else f"{entry.style} (own file)"
    same = {
        "dataset": (row["dataset"], data.id, DATASETS.get(row["dataset"]) == data.id),
        "split": (row["split"], data.split, row["split"] == data.split),
        "n": (row["n"] or "not stated", data.n_evaluated, row["n"] == str(data.n_evaluated)),
        "metric": (row["metric"], result.headline, METRICS.get(row["metric"]) in result.metrics),
        "prompts": (row["prompts"], style, STYLES.get(row["prompts"]) == (style, data.class_names)),
        "activation": (
            row["activation"] or "not stated",
            result.model.activation,
            row["activation"] == result.model.activation,
        ),
        "protocol": (row["protocol"], result.protocol, row["protocol"] == result.protocol),
    }
    found = [f"{name}: {theirs}, here {ours}" for name, (theirs, ours, equal) in same.items() if not equal]
    return (*found, *(f"{name} not as the protocol defines" for name in entry.changed))
