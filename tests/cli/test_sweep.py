"""`senbench sweep radiometry`: every rendering, on the same tiles, and what each does to the values."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.datasets.eurosat import multispectral
from senbench.datasets.radiometry import POLICIES
from senbench.errors import UsageError

WORDS = ["sweep", "radiometry", "--model", "mini", "--prompts", "ground", "--offline", "--device", "cpu"]


def test_every_rendering_of_the_same_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 5)
    where = ["--dataset", "demo", "--limit", "40", "--results", str(tmp_path), "--json"]
    outcome = CliRunner().invoke(application(), [*WORDS, *where])
    assert outcome.exit_code == 0, outcome.output
    found = {r["dataset"]["radiometry"]: r for r in json.loads(outcome.stdout)}
    assert list(found) == list(POLICIES)
    assert len({r["dataset"]["index_hash"] for r in found.values()}) == 1
    assert len({r["run_id"] for r in found.values()}) == len(POLICIES)
    means = {policy: sum(r["dataset"]["rendering"]["channel_means"]) for policy, r in found.items()}
    assert means["dn10000"] < means["dn3000"] < means["eurosat-jpeg"] < means["dn2000"]
    assert found["dn2000"]["dataset"]["rendering"]["saturated"] > found["dn10000"]["dataset"]["rendering"]["saturated"]
    assert "scaling alone moves top-1 by" in outcome.stderr
    usual = [r for r in found.values() if not r["resolved"]["overrides"]]
    assert [r["dataset"]["radiometry"] for r in usual] == ["eurosat-jpeg"]  # the others say that they differ


def test_8_bit_data_have_nothing_to_sweep(tmp_path):
    outcome = CliRunner().invoke(application(), [*WORDS, "--dataset", "eurosat-rgb", "--results", str(tmp_path)])
    assert isinstance(outcome.exception, UsageError)
    assert "8-bit already" in str(outcome.exception)


@pytest.mark.parametrize("value", ["0", "-3"])
def test_limit_must_be_positive(tmp_path, value):
    outcome = CliRunner().invoke(
        application(), [*WORDS, "--dataset", "demo", "--limit", value, "--results", str(tmp_path)]
    )
    assert outcome.exit_code == 2
