"""A file of what single prompts get right goes with the results beside it, and is bound by its name."""

from __future__ import annotations

import json
import shutil

import nudges
import pytest
from places import ROOT

from senbench.audit import prompt_counts


@pytest.fixture
def kept(tmp_path):
    (path,) = (ROOT / "leaderboard" / "results").glob("single-prompts-*.json")
    for name in json.loads(path.read_text())["right"]:
        shutil.copytree(path.parent / name, tmp_path / name)
    return shutil.copy(path, tmp_path / path.name)


def test_every_leaf_that_is_changed_is_noticed(kept):
    assert prompt_counts.findings(kept) == []
    data = json.loads(kept.read_text())
    data["prompts"], short = data["prompts"][:3], {name: counts[:3] for name, counts in data["right"].items()}
    kept.write_text(json.dumps({**data, "right": short}))
    (line,) = prompt_counts.findings(kept)
    named = kept.rename(kept.with_name(line.rpartition(" ")[2]))
    assert prompt_counts.findings(named) == []
    n, missed = nudges.unnoticed(named, lambda: prompt_counts.findings(named), ())
    assert n > 30 and missed == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"index_hash": "0" * 64}, "is a result on other images"),
        ({"prompts": ["a CLASS."]}, "has 106 counts for 1 prompts"),
        ({"n": 300}, "counts from"),
        ({"right": {"nobody": [1]}}, "nobody"),
        ({"schema_version": 9}, "version 9"),
    ],
)
def test_what_does_not_go_together_is_named(kept, change, says):
    kept.write_text(json.dumps({**json.loads(kept.read_text()), **change}))
    assert any(says in line for line in prompt_counts.findings(kept))
