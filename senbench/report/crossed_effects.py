"""The effects of cue and frame in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from senbench.schema.factorial import CueFrame, ResampledDifference


def sentence(found: CueFrame) -> str:
    """What cues and frames are worth for one model, in points with 95 % intervals, and which of it is shown."""
    shown = [
        name
        for name, effect in (("cue", found.cue), ("frame", found.frame), ("interaction", found.interaction))
        if effect.ci is not None and not effect.ci[0] <= 0 <= effect.ci[1]
    ]
    told = f"shown: {', '.join(shown)}" if shown else "none of the three is shown"
    return (
        f"With {found.model}, ground cues are worth {_points(found.cue)} points against aerial ones, a frame from the "
        f"ground {_points(found.frame)} against one from above, and ground cues {_points(found.interaction)} more in "
        f"the former than in the latter (interaction): {told}."
    )


def _points(effect: ResampledDifference) -> str:
    if effect.value is None:
        return "an undefined number of"
    ends = "no interval" if effect.ci is None else f"{100 * effect.ci[0]:+.1f} to {100 * effect.ci[1]:+.1f}"
    return f"{100 * effect.value:+.1f} ({ends})"
