"""States the effects of cue and frame in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from senbench.schema.factorial import CueFrame, ResampledDifference


def sentence(effects: CueFrame) -> str:
    """Return the effects of cues and frames for one model, in points with 95 % intervals, and which are significant."""
    shown = [
        name
        for name, effect in (("cue", effects.cue), ("frame", effects.frame), ("interaction", effects.interaction))
        if effect.ci is not None and not effect.ci[0] <= 0 <= effect.ci[1]
    ]
    verdict = f"shown: {', '.join(shown)}" if shown else "none of the three is shown"
    return (
        f"With {effects.model}, ground cues are worth {_points(effects.cue)} points against aerial ones, a frame "
        f"from the ground {_points(effects.frame)} against one from above, and ground cues "
        f"{_points(effects.interaction)} more in the former than in the latter (interaction): {verdict}."
    )


def _points(effect: ResampledDifference) -> str:
    if effect.value is None:
        return "an undefined number of"
    ends = "no interval" if effect.ci is None else f"{100 * effect.ci[0]:+.1f} to {100 * effect.ci[1]:+.1f}"
    return f"{100 * effect.value:+.1f} ({ends})"
