"""The project's own gate: passes as it is, and a changed prompt, rule or statistic turns it red."""

from __future__ import annotations

import importlib.util
import shutil
import sys

import pytest
from places import ROOT

from senbench.gate.comparison import check


@pytest.fixture(scope="module")
def gate():
    spec = importlib.util.spec_from_file_location("gate", ROOT / "tools" / "gate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gate"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    module.SETS = {"demo": "test"}
    return module


def problems(gate, folder, **options) -> list[str]:
    """Problems of the one run that is scored again; the other five are missing."""
    shutil.rmtree(folder, ignore_errors=True)
    gate.score(folder, ("ground",), **options)
    found = check(gate.FOLDER / "mini.json", folder).problems
    missing = [one for one in found if one.kind == "missing"]
    assert len(missing) == 5
    return [one.message for one in found if one.kind != "missing"]


def test_committed_files_are_small_and_of_one_kind(gate) -> None:
    files = sorted(gate.FOLDER.iterdir())
    assert {file.suffix for file in files} == {".json", ".npz"}
    assert sum(file.stat().st_size for file in files) < 3_000_000


@pytest.mark.slow
def test_gate_passes_and_sabotage_turns_it_red(gate, tmp_path, monkeypatch) -> None:
    assert problems(gate, tmp_path / "r") == []
    said = " ".join(problems(gate, tmp_path / "r", ensemble="logit-mean"))
    assert "ensemble changed: norm-mean-norm -> logit-mean" in said
    assert "changed beyond the numeric noise" in said

    from senbench.scoring.intervals import clustered

    monkeypatch.setattr(clustered, "jackknife_error", lambda left_out: 0.02)
    (said,) = problems(gate, tmp_path / "r")
    assert "top1 interval low" in said
    monkeypatch.undo()

    from senbench.prompts import load as styles

    genuine = styles.load_prompts

    def altered(*given):
        pack = genuine(*given)
        key = next(iter(pack.texts))
        return pack.model_copy(update={"texts": {**pack.texts, key: ("a photo of a cat",)}, "hash": "f" * 64})

    monkeypatch.setattr("senbench.evaluation.grid.load_prompts", altered)
    said = " ".join(problems(gate, tmp_path / "r"))
    assert "prompts.hash changed" in said
    assert "not shown to be as good as before" in said
