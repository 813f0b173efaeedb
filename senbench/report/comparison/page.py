"""The page of a comparison: settings, changes, and pictures of the images that flipped."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from senbench.report import html
from senbench.report.numbers import by_block_size, equivalence
from senbench.results.qualifications import model_name, qualifications

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.report.comparison.two_results import Comparison, Flip

LISTED = 1000
"""Number of flips of each kind listed without a picture."""
DRAWN = 96
"""Number of flips of each kind shown with a picture if the data are available; about 2 kB each."""
KINDS = {
    "lost": "Right in the first run, wrong in the second",
    "gained": "Wrong in the first run, right in the second",
    "other": "Wrong in both, but another answer",
}
KINDS_MULTI = {
    "lost": "Fewer true labels among the best",
    "gained": "More true labels among the best",
}


def wanted(flips: Sequence[Flip], pictures: Mapping[str, bytes]) -> list[str]:
    """Return the flipped tiles of which a picture is missing, so that every kind has `DRAWN` pictures.

    They are chosen by a hash of the id, as thumbnails are, because ids are often sorted by class.

    Args:
        flips: All flips.
        pictures: Tile id -> picture, for the existing pictures.

    Returns:
        Ids, in the order of the flips.
    """
    chosen: set[str] = set()
    for kind in KINDS:
        of_kind = [flip.id for flip in flips if flip.kind == kind]
        without = [name for name in of_kind if name not in pictures]
        n = max(0, DRAWN - (len(of_kind) - len(without)))
        chosen.update(sorted(without, key=lambda name: hashlib.sha256(name.encode()).digest())[:n])
    return [flip.id for flip in flips if flip.id in chosen]


def render(comparison: Comparison, pictures: Mapping[str, bytes]) -> str:
    """Render one HTML document without scripts or external requests; equal comparisons give equal bytes.

    Args:
        comparison: The comparison.
        pictures: Tile id -> WebP bytes, stored by either run or made for the page.
    """
    kinds = KINDS if comparison.metric == "top1" else KINDS_MULTI
    groups = []
    for kind, title in kinds.items():
        flips = [flip for flip in comparison.flips if flip.kind == kind]
        shown = [(flip, html.picture(pictures[flip.id])) for flip in flips if flip.id in pictures]
        hidden = [flip for flip in flips if flip.id not in pictures]
        groups.append({"title": title, "kind": kind, "n": len(flips), "shown": shown, "hidden": hidden})
    missing = (change.paired.interval for change in comparison.classes.values() if change.paired.ci is None)
    return html.render(
        "compare.html.j2",
        style="compare.css",
        c=comparison,
        equivalence=equivalence,
        by_block_size=by_block_size,
        runs=[("first", comparison.before), ("second", comparison.after)],
        model_name=model_name,
        qualifications=qualifications,
        groups=groups,
        most=LISTED,
        drawn=DRAWN,
        reasons=list(dict.fromkeys(reason.removeprefix("none: ") for reason in missing)),
    )
