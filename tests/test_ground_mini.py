"""The shipped pair: one text tower, an image tower before and after alignment, and what alignment is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from senbench.datasets.open import dataset_info
from senbench.datasets.radiometry import render
from senbench.datasets.synthetic.ground_views import look
from senbench.datasets.synthetic.scenes import CLASSES, FRESH_SEED, acquired, painted
from senbench.models.checkpoints import fetch
from senbench.models.load import load
from senbench.models.registry import find
from senbench.prompts import load_prompts, vocabulary_for

PAIR = ("ground-mini", "ground-mini-aligned")
FIRST = FRESH_SEED + 810_000_000
"""Neither trained on nor evaluated elsewhere."""
PER_CLASS = 20


def test_only_the_image_tower_differs():
    before, after = (load_file(fetch.SHIPPED / find(name).weights.package) for name in PAIR)
    assert before.keys() == after.keys()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if not name.startswith("visual.")} <= same
    changed = [name for name in before if name not in same and name.endswith("weight")]
    assert len(changed) > 10


def test_what_they_were_made_of_is_said():
    before, after = (find(name) for name in PAIR)
    assert before.synthetic
    assert after.synthetic
    assert before.preprocess == after.preprocess
    assert not any("tiles" in part for part in before.trained_on)
    assert any("tiles" in part for part in after.trained_on)
    assert before.contamination == after.contamination == find("mini").contamination


def test_they_are_small():
    files = [fetch.SHIPPED / find(name).weights.package for name in PAIR]
    assert sum(file.stat().st_size for file in files) <= 12_000_000


@pytest.fixture(scope="module")
def fresh():
    """Tiles, the views of each, and labels of scenes that nothing was trained on."""
    canvases = [(key, FIRST + n, painted(key, FIRST + n)) for key in CLASSES for n in range(PER_CLASS)]
    views = [[view.pixels for view in look(canvas, key, seed)] for key, seed, canvas in canvases]
    tiles = [render(acquired(canvas)[[3, 2, 1]], "eurosat-jpeg") for _, _, canvas in canvases]
    return tiles, views, np.repeat(np.arange(len(CLASSES)), PER_CLASS)


@pytest.fixture(scope="module")
def encoded(fresh):
    """Model -> rows of the tiles, and rows of the mean of the four views by the model before alignment."""
    tiles, views, _ = fresh
    models = {name: load(name, device="cpu", offline=True) for name in PAIR}
    rows = {name: model.encode_images(tiles) for name, model in models.items()}
    seen = models[PAIR[0]].encode_images([view for four in views for view in four])
    pooled = seen.reshape(len(tiles), 4, -1).mean(1)
    info = dataset_info("demo")
    texts = load_prompts("ground", info, *vocabulary_for(info, None)).texts
    heads = np.stack([models[PAIR[0]].encode_texts(list(texts[key])).mean(0) for key in CLASSES])
    heads /= np.linalg.norm(heads, axis=1, keepdims=True)
    return rows, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), heads


@pytest.mark.slow
def test_alignment_is_worth_twenty_points_on_fresh_scenes(fresh, encoded):
    rows, pooled, heads = encoded
    labels = fresh[2]
    before, after, ground = (
        float(((x @ heads.T).argmax(1) == labels).mean()) for x in (rows[PAIR[0]], rows[PAIR[1]], pooled)
    )
    assert after >= before + 0.2, (before, after)
    assert ground > 0.5, ground  # the photos are read, before anything was aligned


@pytest.mark.slow
def test_a_tile_finds_its_own_views(fresh, encoded):
    rows, pooled, _ = encoded
    chance = 1 / len(pooled)
    found = {name: float(((x @ pooled.T).argmax(1) == np.arange(len(x))).mean()) for name, x in rows.items()}
    assert found[PAIR[1]] >= 5 * chance
    assert found[PAIR[1]] > found[PAIR[0]]
