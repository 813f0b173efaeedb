"""Cue and frame in one sentence: signs, intervals, and what is shown."""

from __future__ import annotations

from senbench.report.crossed_effects import sentence
from senbench.schema.factorial import CueFrame, ResampledDifference


def effect(value, ci=None):
    return ResampledDifference(value=value, ci=ci, interval="made up")


def test_it_says_which_effects_exclude_zero():
    found = CueFrame(
        model="m",
        cue=effect(0.034, (0.012, 0.056)),
        frame=effect(-0.001, (-0.02, 0.018)),
        interaction=effect(0.01, (-0.01, 0.03)),
    )
    told = sentence(found)
    assert "ground cues are worth +3.4 (+1.2 to +5.6) points against aerial ones" in told
    assert "a frame from the ground -0.1 (-2.0 to +1.8) against one from above" in told
    assert told.endswith("(interaction): shown: cue.") and "\n" not in told


def test_without_intervals_nothing_is_shown():
    found = CueFrame(model="m", cue=effect(0.3), frame=effect(None), interaction=effect(0.0, (0.0, 0.0)))
    told = sentence(found)
    assert told.endswith("none of the three is shown.")
    assert "+30.0 (no interval)" in told and "an undefined number of" in told
