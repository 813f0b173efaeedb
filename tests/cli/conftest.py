"""Calls the command line in this process and returns what a shell would see; one small run for many tests."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest
import runs
from typer.testing import CliRunner

from senbench.cli.main import application, main
from senbench.datasets.open import dataset_info
from senbench.datasets.synthetic.scenes import CLASSES, write_eurosat
from senbench.prompts import load_prompts, vocabulary_for

if TYPE_CHECKING:
    from pathlib import Path

SCENES_SEED = 6262  # no other test, no training and no choice of a default uses it
PER_CLASS = 32
SITES = 8  # of `write_eurosat`: tile n lies at site n modulo 8
OFF_TOPIC = ["a photo of a cat asleep.", "a page of printed text."]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def senbench(monkeypatch, capsys):
    def call(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["senbench", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def stub_results(tmp_path_factory):
    """Results of two stub models on the same tiles, in the folder; the second is wrong more often."""
    folder = tmp_path_factory.mktemp("stubs")
    runs.run(folder, "good", 0.1, runs.located(60))
    runs.run(folder, "worse", 0.4, runs.located(60))
    return folder


class MiniRun(NamedTuple):
    home: Path
    """SENBENCH_HOME with what was embedded."""
    results: Path
    out: str
    err: str


@pytest.fixture(scope="session")
def mini_home(tmp_path_factory):
    """One real run: `mini` with two styles on 20 tiles of the synthetic demo."""
    from senbench.datasets.eurosat import multispectral

    home, results = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("mini")
    words = ["run", "--model", "mini", "--prompts", "generic,clip", "--dataset", "demo", "--offline", "--device", "cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENBENCH_HOME", str(home))
        patch.setattr(multispectral, "DEMO_PER_CLASS", 2)
        done = CliRunner().invoke(application("run"), [*words, "--results", str(results)])
    assert done.exit_code == 0, done.output
    return MiniRun(home, results, done.stdout, done.stderr)


@pytest.fixture
def mini_run(mini_home, monkeypatch):
    """That run, and its home to continue in; commands must not change it."""
    from senbench.datasets.eurosat import multispectral

    monkeypatch.setenv("SENBENCH_HOME", str(mini_home.home))
    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 2)
    return mini_home


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Fresh scenes; four places to select on, four others, hundreds of km away, to evaluate."""
    root = tmp_path_factory.mktemp("scenes")
    write_eurosat(root, PER_CLASS, SCENES_SEED, split=(0, 0))
    for name, sites in (("select", range(4)), ("held-out", range(4, 8))):
        ids = [f"{key}_{i + 1}" for key in CLASSES for i in range(PER_CLASS) if i % SITES in sites]
        (root / f"{name}.txt").write_text("\n".join(ids))
    return root


@pytest.fixture(scope="session")
def spoilt(tmp_path_factory):
    """Per class five of its ground prompts, four of the next class, two of nothing here."""
    info = dataset_info("eurosat")
    vocabulary, names = vocabulary_for(info, None)
    ground = load_prompts("ground", info, vocabulary, names).texts
    pool = {key: [*ground[key][:5], *ground[CLASSES[(c + 1) % 10]][20:24], *OFF_TOPIC] for c, key in enumerate(CLASSES)}
    path = tmp_path_factory.mktemp("prompts") / "spoilt.json"
    path.write_text(json.dumps(pool))
    return path
