"""Cue, frame and their interaction: weights, pairing of draws, what is needed."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.scoring.comparison.contrasts import ResampledCell
from senbench.scoring.comparison.cue_frame import STYLES, cue_frame
from senbench.scoring.intervals.crossed_bootstrap import Draws
from senbench.scoring.sample import Sample

SAMPLE = Sample(np.arange(60) % 2, ("x", "y"), np.arange(60) // 2)
VALUES = dict(zip(STYLES, (0.70, 0.66, 0.61, 0.60), strict=True))


def cell(value, noise, level=0):
    parts = [value + noise[j][:, None] * np.ones(3) for j in range(3)]
    return ResampledCell(value, np.array([value, value]), Draws(*parts), 20, level)


def cells(shared=0.05, own=0.0, **levels):
    rng = np.random.default_rng(3)
    common = [shared * rng.normal(size=200) for _ in range(3)]
    return {
        ("m", style): cell(value, [c + own * rng.normal(size=200) for c in common], levels.get(style, 0))
        for style, value in VALUES.items()
    }


def test_the_effects_are_the_weighted_sums_of_the_four_figures():
    (found,) = cue_frame(cells(own=0.001), ["m"], SAMPLE)
    assert found.cue.value == pytest.approx(((0.70 - 0.61) + (0.66 - 0.60)) / 2)
    assert found.frame.value == pytest.approx(((0.70 - 0.66) + (0.61 - 0.60)) / 2)
    assert found.interaction.value == pytest.approx((0.70 - 0.66) - (0.61 - 0.60))


def test_what_all_four_draws_share_widens_no_interval():
    (found,) = cue_frame(cells(shared=0.3, own=0.001), ["m"], SAMPLE)
    for effect in (found.cue, found.frame, found.interaction):
        assert effect.ci[1] - effect.ci[0] < 0.02
    (wide,) = cue_frame(cells(shared=0.0, own=0.02), ["m"], SAMPLE)
    assert wide.cue.ci[1] - wide.cue.ci[0] > 0.04
    # an interaction has twice the weights of a mean over two, so twice the error
    assert wide.interaction.error_prompts / wide.cue.error_prompts == pytest.approx(2, rel=0.3)


def test_a_missing_style_or_another_access_level_gives_none():
    some = cells()
    del some["m", "control-aerial-from-ground"]
    assert cue_frame(some, ["m"], SAMPLE) == ()
    assert cue_frame(cells(aerial=2), ["m"], SAMPLE) == ()
    assert cue_frame(cells(), ["another"], SAMPLE) == ()
