"""A file of comparisons whose figures are not those of the results beside it is found out."""

from __future__ import annotations

import nudges
import pytest
from places import ROOT

from senbench.audit import factorials
from senbench.evaluation.grid import run_crossed
from senbench.schema.run_spec import RunSpec


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crossed")
    spec = RunSpec(models=("mini",), prompts=("generic", "aerial"), datasets=("demo",), offline=True, device="cpu")
    run_crossed(spec.model_copy(update={"results": str(folder)}))
    (path,) = folder.glob("factorial-*.json")
    return path


def test_every_leaf_that_is_changed_is_noticed_the_list_apart(kept):
    assert factorials.findings(kept) == []
    patterns = [entry.pattern for entry in factorials.UNKNOWABLE]
    n, missed = nudges.unnoticed(kept, lambda: factorials.findings(kept), patterns)
    assert n > 90
    assert missed == []


def test_the_committed_one_and_one_without_its_results(tmp_path):
    paths = sorted((ROOT / "leaderboard" / "results").glob("factorial-*.json"))
    assert len(paths) == 2
    for path in paths:
        assert factorials.findings(path) == []
    alone = tmp_path / path.name
    alone.write_bytes(path.read_bytes())
    assert "result" in factorials.findings(alone)[0]
