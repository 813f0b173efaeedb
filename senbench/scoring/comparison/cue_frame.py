"""What the cue of a prompt is worth, what the frame around it, and whether the one depends on the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.schema.factorial import CueFrame
from senbench.scoring.comparison.contrasts import difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.scoring.comparison.contrasts import ResampledCell
    from senbench.scoring.sample import Sample

STYLES = ("ground", "control-ground-from-above", "control-aerial-from-ground", "aerial")
"""Cues and frame from the ground; ground cues from above; aerial cues from the ground; both from above."""
EFFECTS = {
    "cue": (0.5, 0.5, -0.5, -0.5),
    "frame": (0.5, -0.5, 0.5, -0.5),
    "interaction": (1.0, -1.0, -1.0, 1.0),
}
"""Effect -> weights of `STYLES`: ground cues minus aerial ones, as a mean over the two frames; frames from the ground
minus those from above, as a mean over the two kinds of cue; and by how much ground cues are worth more in frames
from the ground than in those from above."""


def cue_frame(
    cells: Mapping[tuple[str, str], ResampledCell], models: Sequence[str], sample: Sample
) -> tuple[CueFrame, ...]:
    """The three effects of every model that was run with the four styles at one access level.

    Args:
        cells: (model, style) -> its figures.
        models: Models in the order wanted.
        sample: The images that the figures are made on.
    """
    out = []
    for model in models:
        own = [cells.get((model, style)) for style in STYLES]
        found = [cell for cell in own if cell is not None]
        if len(found) < len(STYLES) or len({cell.access_level for cell in found}) > 1:
            continue
        effects = {
            name: difference(list(zip(found, weights, strict=True)), 0, sample) for name, weights in EFFECTS.items()
        }
        out.append(CueFrame(model=model, **effects))
    return tuple(out)
