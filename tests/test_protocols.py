"""The protocols: what each forces, and SenCLIP's draw of BigEarthNet v1."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import stubs

from senbench import protocols
from senbench.datasets.open import dataset_info
from senbench.errors import UnavailableError
from senbench.evaluation.data import open_data
from senbench.runtime.progress import Silent
from senbench.schema.run_spec import RunSpec


def test_the_releases_draw_of_bigearthnet():
    variant = protocols.find("senclip-release").on(dataset_info("bigearthnet-v1"))
    positions = variant.sample.positions(125_866)
    # first indices as torch's random_split gives them after torch.manual_seed(42)
    assert positions[:5].tolist() == [70062, 115368, 6990, 69900, 108994]
    assert len(positions) == len(set(positions.tolist())) == 26_976  # the last, incomplete batch of 32 is dropped
    assert variant.bands == ("B02", "B03", "B04")
    assert (variant.radiometry, variant.headline) == ("minmax-per-image", "r_precision_micro")
    assert variant.postprocess == "none"


def test_the_draw_does_not_touch_the_global_generator():
    import torch

    torch.manual_seed(1)
    first = torch.rand(1)
    torch.manual_seed(1)
    protocols.find("senclip-release").on(dataset_info("bigearthnet-v1")).sample.positions(100_000)
    assert torch.equal(first, torch.rand(1))


def resolved(tiles, **options):
    spec = RunSpec(models=("m",), prompts=("p",), datasets=("d",), **options)
    return protocols.resolve(spec, tiles, stubs.StubEncoder(), "d", "p", "m")


def test_a_rendering_other_than_the_protocols_is_an_override():
    tiles = replace(stubs.tiles(), info=dataset_info("bigearthnet-v1"), split="test", radiometry="dn2000")
    assert "radiometry" not in resolved(tiles).overrides
    assert "radiometry" in resolved(replace(tiles, radiometry="dn3000")).overrides
    # the release stretches every patch by its own range: tiles opened otherwise are not the protocol's
    assert "radiometry" in resolved(tiles, protocol="senclip-release").overrides


@pytest.mark.parametrize("split", [None, "test"])
def test_the_draw_is_made_whether_or_not_the_split_is_named(split, monkeypatch):
    monkeypatch.setitem(
        protocols.PROTOCOLS["senclip-release"].variants,
        "stub",
        protocols.Variant(
            headline="top1", postprocess="none", class_names=None, sample=protocols.SeededSubset(seed=42, n=30, batch=8)
        ),
    )
    monkeypatch.setitem(protocols.PROTOCOLS["senclip-release"].splits, "stub", "test")
    tiles = replace(stubs.tiles(), split="test")
    spec = RunSpec(models=("m",), prompts=("p",), datasets=("d",), protocol="senclip-release", split=split)
    opened = open_data(spec, tiles, protocols.find("senclip-release"), (), Silent())
    assert (len(opened.tiles), opened.tiles.n_expected) == (24, 24)
    with pytest.raises(UnavailableError, match="draws from the 60 patches"):
        open_data(spec, tiles.take(range(50)), protocols.find("senclip-release"), (), Silent())


@pytest.mark.parametrize(("dataset", "headline"), [("eurosat", "top1"), ("bigearthnet-v2", "map_macro")])
def test_headline_follows_the_task(dataset, headline):
    assert protocols.find("standard").on(dataset_info(dataset)).headline == headline


def test_positions_of_a_small_split():
    sample = protocols.SeededSubset(seed=0, n=10, batch=4)
    assert len(sample.positions(9)) == 8
    assert np.all(sample.positions(9) < 9)
