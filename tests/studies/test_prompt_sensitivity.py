"""Resampled prompts end to end: harmful ones are named, models share their draws, what is no band is refused."""

from __future__ import annotations

import numpy as np
import prompt_studies
import pytest
from prompt_studies import spec

from senbench.errors import UsageError
from senbench.studies.prompt_sensitivity import best, measure


@pytest.fixture
def ground(monkeypatch, tmp_path):
    return prompt_studies.ground(monkeypatch, tmp_path)


def test_sensitivity_names_the_harmful_prompts(ground):
    pool, *_ = ground
    found = measure(spec(pool, split="train"), draws=50)
    (model,) = found.models
    assert (found.k, found.headline, found.draws) == (2, "top1", 50)
    assert list(model.curve) == [1, 2]
    assert model.curve[1].low <= model.everything["top1"]
    kept = best(found, 3)
    assert kept.access_level == 3
    assert kept.provenance["selected_on"]["split"] == "train"
    assert [len(t) for t in kept.texts.values()] == [3, 3, 3]
    for key, gains in model.contributions.items():
        order = np.argsort(-gains, kind="stable")[:3]
        assert kept.texts[key] == tuple(found.prompts.texts[key][j] for j in order)


def test_sensitivity_refuses_what_is_no_band(ground):
    pool, *_ = ground
    for options, said in (
        ({"k": 3}, "shrinks artificially"),
        ({"k": 1, "bootstrap": True}, "does not go with --bootstrap"),
        ({"draws": 5}, "at least 20"),
    ):
        with pytest.raises(UsageError, match=said):
            measure(spec(pool), **options)
    with pytest.raises(UsageError, match="only means of prompts"):
        measure(spec(pool, ensemble="dap"))


def test_two_models_share_their_draws(ground):
    pool, *_ = ground
    found = measure(spec(pool, models=("mini", "mini")), draws=30)
    assert found.models[0].bands == found.models[1].bands
    assert found.flips.pairs == {(0, 1): None}


def test_models_draw_the_same_prompts(ground, monkeypatch):
    """Shares of turned rankings mean nothing unless every draw is the same prompts for all models."""
    from senbench.prompts import resampling

    pool, *_ = ground
    drawn, resampled = [], resampling.resampled
    monkeypatch.setattr(resampling, "resampled", lambda p, t, w: drawn.append(w) or resampled(p, t, w))
    measure(spec(pool, models=("mini", "mini")), draws=20)
    one, other = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
    assert len(one) == 3  # the band, and the curve at 1 and 2
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
