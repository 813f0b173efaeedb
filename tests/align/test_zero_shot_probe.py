from __future__ import annotations

import pytest

import senbench
from senbench.align.zero_shot_probe import Probe, measure
from senbench.models import load


def test_it_is_the_figure_of_a_run():
    adapter = load.load("mini", device="cpu", kernels="torch")
    found = measure(adapter, Probe("demo", "ground", limit=40))
    result = senbench.evaluate("mini", "demo", "ground", limit=40, device="cpu", cache=False, exact=True)
    assert found["value"] == pytest.approx(result.metrics["top1"].value)
    assert (found["metric"], found["n"], found["dataset"]) == ("top1", 40, "demo")
    assert found["interval"][0] <= found["value"] <= found["interval"][1]
