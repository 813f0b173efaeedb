"""Effects of the cue of a prompt, of the frame around it, and their interaction."""

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
    """Return the three effects for every model that was run with the four styles at one access level.

    Args:
        cells: (model, style) -> its figures.
        models: Models in the desired order.
        sample: The evaluated images.
    """
    out = []
    for model in models:
        by_style = [cells.get((model, style)) for style in STYLES]
        present = [cell for cell in by_style if cell is not None]
        if len(present) < len(STYLES) or len({cell.access_level for cell in present}) > 1:
            continue
        effects = {
            name: difference(list(zip(present, weights, strict=True)), 0, sample) for name, weights in EFFECTS.items()
        }
        out.append(CueFrame(model=model, **effects))
    return tuple(out)
