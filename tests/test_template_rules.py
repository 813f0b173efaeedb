"""The tool behind docs/prompt-rules.md: pairs of templates, sets, intervals."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from places import ROOT

from senbench.scoring.classifier import unit


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("template_rules", ROOT / "tools" / "template_rules.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def model(tool):
    rng = np.random.default_rng(0)
    centres = np.eye(4, 8, dtype=np.float32)
    labels = np.arange(80) % 4
    images = unit((centres[labels] + 0.3 * rng.normal(size=(80, 8))).astype(np.float32), "images")
    good, bad = centres, np.roll(centres, 1, axis=0)
    return tool.Model("made up", images, labels, np.stack([good, bad, good]))


def test_a_set_of_templates_is_averaged(model):
    assert model.right([0]).mean() > 0.8 and model.right([1]).mean() < 0.2
    assert (model.right([0, 2]) == model.right([0])).all()


def test_a_word_is_compared_with_the_same_template_without_it(tool, model):
    templates = ["a photo of a", "a photo of a small", "a photo of the"]
    found = tool._word(templates, model, "small")
    assert found.mean() == pytest.approx(model.right([1]).mean() - model.right([0]).mean())
    assert tool.interval(np.zeros(80)) == "+0.0 [+0.0, +0.0]"
