"""Where files lie is remembered under SENBENCH_HOME, never in a result, and only where it fits the result."""

from __future__ import annotations

import json

import pytest
import stubs
from changed_results import changed

import senbench
from senbench.results import places
from senbench.schema.run_spec import RunSpec

PROMPTS = {k: [f"a {k.lower()}"] for k in stubs.CLASSES}


def result(**spec):
    found = senbench.evaluate(stubs.StubEncoder("stub"), stubs.tiles(), PROMPTS, results=None)
    return changed(found, spec=spec)


def spec(**given):
    return RunSpec(models=("stub",), prompts=("custom",), **given)


def test_a_path_is_found_again_by_the_run(tmp_path, isolated_home):
    (tmp_path / "tiles").mkdir()
    own = result(data_dir="tiles")
    places.remember(own.run_id, spec(data_dir=str(tmp_path / "tiles"), split="test"), "eurosat-rgb")
    here = places.spec_here(own)
    assert (here.data_dir, here.split) == (str(tmp_path / "tiles"), None)
    assert places.dataset_here(own) == own.resolved.dataset
    assert own.spec.data_dir == "tiles"


def test_a_folder_of_tiles_is_found_again(tmp_path):
    own = changed(result(), resolved={"dataset": "folder:tiles"})
    places.remember(own.run_id, spec(), f"folder:{tmp_path / 'tiles'}")
    assert places.dataset_here(own) == f"folder:{tmp_path / 'tiles'}"


@pytest.mark.parametrize("kept", ["{", "[]", json.dumps({"data_dir": "/elsewhere/other"})])
def test_what_does_not_fit_the_result_is_not_used(isolated_home, kept):
    own = result(data_dir="tiles")
    (isolated_home / "places").mkdir()
    (isolated_home / "places" / f"{own.run_id}.json").write_text(kept)
    assert places.spec_here(own).data_dir == "tiles"


def test_nothing_is_kept_where_there_is_no_path(isolated_home):
    places.remember("run", spec(split="test"), "eurosat")
    assert not (isolated_home / "places").exists()


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(isolated_home, tmp_path):
    (isolated_home / "places").write_text("")
    places.remember("run", spec(data_dir=str(tmp_path)), "eurosat")
