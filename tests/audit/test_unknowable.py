"""The list of what cannot be known is all that can be changed unseen, and what is on it must still be possible."""

from __future__ import annotations

import json

import nudges
import pytest
import runs
import stubs
from typer.testing import CliRunner

from senbench.audit.unknowable import TOGETHER, UNKNOWABLE, listed
from senbench.audit.validate import validate
from senbench.cli.main import application

KINDS = {"single": stubs.tiles, "located": runs.located, "multi": runs.multi}


@pytest.mark.parametrize("kind", KINDS)
def test_every_leaf_that_is_changed_is_noticed_the_list_apart(tmp_path, kind):
    folder = tmp_path / runs.run(tmp_path, share=0.3, tiles=KINDS[kind]()).run_id
    assert validate(folder) == []
    patterns = [entry.pattern for entry in UNKNOWABLE]
    n, missed = nudges.unnoticed(folder / "result.json", lambda: validate(folder), patterns)
    assert n > 200
    assert missed == []


def test_under_transclip_intervals_cannot_be_known_either(tmp_path):
    folder = tmp_path / runs.run(tmp_path, share=0.3, postprocess="transclip").run_id
    assert validate(folder) == []
    patterns = [entry.pattern for entry in (*UNKNOWABLE, *TOGETHER)]
    n, missed = nudges.unnoticed(folder / "result.json", lambda: validate(folder), patterns)
    assert n > 200
    assert missed == []


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("created",), "yesterday", "not a time with a time zone"),
        (("senbench_version",), "newest of all", "not a version"),
        (("timings", "images"), -1.0, "timings.images is -1"),
        (("timings", "images_encoded"), 7, "are not the 60 evaluated tiles"),
        (("environment", "cpus"), 0, "environment.cpus is 0"),
        (("dataset", "skipped"), [{"id": "a", "reason": "b"}], "0 were not evaluated"),
        (("dataset", "rendering"), {"tiles": 99, "saturated": 2.0}, "rendering.tiles is 99"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, path, value, found):
    folder = tmp_path / runs.run(tmp_path).run_id
    file = folder / "result.json"
    file.write_text(json.dumps(nudges.put(json.loads(file.read_text()), path, value)))
    assert any(found in line for line in validate(folder)), validate(folder)


def test_the_list_is_printed_with_its_reasons():
    got = CliRunner().invoke(application(), ["results", "validate", "--explain"])
    assert got.exit_code == 0
    assert all(f"  {pattern} " in got.output and reason in got.output for pattern, reason in UNKNOWABLE)
    assert listed(("timings", "images")).reason in got.output
    assert listed(("metrics", "top1", "value")) is None
