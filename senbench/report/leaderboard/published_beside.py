"""Published figures next to measured ones, with a difference only if the whole protocol key matches."""

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
"""Published dataset -> senbench's dataset with the same images."""
NEAR = {"eurosat": "eurosat", "bigearthnet-19": "bigearthnet-v"}
"""Published dataset -> prefix of senbench's datasets that may be shown next to it."""
METRICS = {"top-1 %": "top1", "mean per-class recall %": "balanced_accuracy"}
"""Published metric -> senbench's metric; others are another measure, or unclear."""
STYLES = {"clip (3 templates, CLIP class names)": ("clip", "clip")}
"""Published prompts -> senbench's style and class-name set; other texts are not known to be equal."""
SECOND_READING = "-gelu"
"""Suffix of the id of a card that loads the same file with the other activation, if the release does not say."""


@dataclass(frozen=True)
class Beside:
    """One published figure.

    Attributes:
        row: The published row by column.
        model: senbench's model id, None if the release has no card.
        entry: The most similar measured run, or None.
        metric: Its metric to compare with.
        difference: Measured minus published in 0..1; None unless everything matches.
        unlike: Why there is no difference: the settings that differ or are unknown.
        own_activation: The activation that the model's card states, if the figure was made with another one.
    """

    row: Mapping[str, str]
    model: str | None
    entry: LeaderboardEntry | None
    metric: str | None
    difference: float | None
    unlike: tuple[str, ...]
    own_activation: str | None


def compare(published: PublishedFigures, entries: Iterable[LeaderboardEntry]) -> list[Beside]:
    """Return each published figure with the most similar measured run.

    Args:
        published: The published figures.
        entries: Measured runs; incomplete and synthetic ones, and weights of unknown origin, are never compared.

    Returns:
        One for each row, in order.
    """
    measured: dict[str, list[LeaderboardEntry]] = {}
    for e in entries:
        if e.status not in ("incomplete", "synthetic", "unknown origin"):
            measured.setdefault(e.result.model.id, []).append(e)
    return [_beside(row, published.model_of(row), measured) for row in published.rows]


def _beside(row: Mapping[str, str], model: str | None, measured: Mapping[str, list[LeaderboardEntry]]) -> Beside:
    own_activation = _own_activation(row, model)
    near = [e for e in measured.get(model or "", ()) if e.result.dataset.id.startswith(NEAR[row["dataset"]])]
    if not near:
        return Beside(row, model, None, None, None, (), own_activation)
    closest = min(near, key=lambda e: (len(unlike(row, e)), e.result.run_id))
    metric = METRICS.get(row["metric"], closest.result.headline)
    reasons = unlike(row, closest)
    value = closest.result.metrics[metric].value if metric in closest.result.metrics else None
    difference = None if reasons or value is None else value - float(row["value"]) / 100
    return Beside(row, model, closest, metric, difference, reasons, own_activation)


def _own_activation(row: Mapping[str, str], model: str | None) -> str | None:
    """Return the card's activation if the row states or implies another one and the card is certain."""
    used, known = row["activation"].removesuffix(PRESUMED), registry.cards()
    if not used or model not in known or f"{model}{SECOND_READING}" in known:
        return None
    activation = known[model].activation
    return activation if activation != used else None


def unlike(row: Mapping[str, str], entry: LeaderboardEntry) -> tuple[str, ...]:
    """Return the parts of the protocol key in which a published row and a measured run may differ."""
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
    differing = [f"{name}: {theirs}, here {ours}" for name, (theirs, ours, equal) in same.items() if not equal]
    return (*differing, *(f"{name} not as the protocol defines" for name in entry.changed))
