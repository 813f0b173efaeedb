"""The caption of a figure: what it shows, of which images, and everything that qualifies its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.results.qualifications import model_name, qualifications
from senbench.runtime.environment import own_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import RunResult

SHOWS = {
    "confusion": "Confusion matrix: rows are true classes, columns predicted classes",
    "classes": "Figures of each class with 95 % intervals",
    "intervals": "Headline figures with 95 % intervals; a hollow marker is a synthetic model or dataset",
    "differences": "Paired differences to {first} in percentage points with 95 % intervals; grey: the interval holds 0",
    "reliability": "Accuracy against confidence in bins of equal mass",
    "sensitivity": "Top-1 accuracy of every single prompt (bars) and of the prompts together (diamond)",
    "tiles": "Tiles of each class; the frame is blue where the answer is right, and orange with the answer where not",
}
"""Kind of figure -> what it shows."""


def caption(kind: str, results: Sequence[RunResult]) -> str:
    """The caption of a figure as plain text, one paragraph and a line for each result.

    Args:
        kind: Kind of figure.
        results: The results in it, in order.
    """
    first = results[0]
    images = (
        f"{first.dataset.title or first.dataset.id}, split {first.dataset.split}, {first.dataset.n_evaluated:,} images"
    )
    shows = SHOWS[kind].format(first=f"{model_name(first)} with {first.prompts.id}")
    lines = [f"{shows}. {images}. Made with senbench {own_version()}.", ""]
    for result in results:
        found = result.metrics[result.headline]
        value = "undefined" if found.value is None else f"{100 * found.value:.1f} %"
        ends = (
            "no interval" if found.ci is None else f"95 % interval {100 * found.ci[0]:.1f} to {100 * found.ci[1]:.1f}"
        )
        lines.append(f"{model_name(result)}, prompts {result.prompts.id}: {result.headline} {value} ({ends}).")
        lines += [f"  {one.line}" for one in qualifications(result)]
        lines.append(f"  Run {result.run_id}.")
    return "\n".join(lines) + "\n"
