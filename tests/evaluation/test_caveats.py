"""Sentences that follow from the fields of a result stand among its warnings."""

from __future__ import annotations

import runs
import stubs

from senbench.evaluation import caveats


def told(result, given=None):
    return caveats.told(result.resolved, result.model, result.dataset, None, result.contamination, given=given)


def test_subsets_and_lost_tiles_are_said(tmp_path):
    result = runs.run(tmp_path, tiles=stubs.tiles(bad=(3,)), on_error="skip")
    assert told(result) == [
        "1 tile could not be decoded, left out: incomplete, not ranked",
        "subset: 59 of 60 tiles (memory): incomplete, not ranked",
    ]
    assert set(told(result)) <= set(result.warnings)


def test_weights_given_as_a_file(tmp_path):
    result = runs.run(tmp_path)
    assert not caveats.unpinned(result.model, None)
    assert caveats.unpinned(result.model, "w.pt")
    assert told(result, "w.pt") == [
        "weights given as a file that the card does not pin: what it says of their training is on trust"
    ]


def test_ties():
    assert caveats.tied(0) == []
    assert caveats.tied(1) == ["1 image tied for the best score, broken by class order"]
