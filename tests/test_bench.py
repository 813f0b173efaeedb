"""What `senbench bench` makes of its passes, without timing anything that matters."""

from __future__ import annotations

import json

import pytest
import stubs

from senbench import bench
from senbench.cli.bench import text
from senbench.errors import UsageError
from senbench.progress import Silent


def measurement(**change):
    rate = {"median": 10.0, "low": 9.0, "high": 11.0}
    facts = {
        "model": "m",
        "dataset": "d all",
        "tiles": 8,
        "repeats": 2,
        "batch_size": 4,
        "rates": {"decode": rate, "transfer": None, "encode": rate, "text": rate},
        "limit": "encode",
        "share": 0.97,
        "ratios": {"CLIP_benchmark": 1.25},
        "left_out": {"TorchGeo + DataLoader": "not installed"},
        "host_mb": 100.0,
        "device_mb": None,
        "environment": {"device_name": "cpu", "cpus": 2, "threads": 2, "dtype": "float32", "versions": {"torch": "2"}},
    }
    return bench.Bench.model_validate({**facts, **change})


def test_passes_are_interleaved_and_the_first_is_not_counted(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(bench.time, "perf_counter", lambda: clock[0])

    def way(name, seconds):
        spent = iter(seconds)

        def run():
            order.append(name)
            clock[0] += next(spent)

        return run

    found = bench._timed({"a": way("a", [99, 1, 2, 4]), "b": way("b", [50, 5, 5, 5])}, 20, 3, Silent(), "x")
    assert order == ["a", "b"] * 4
    assert found["a"] == bench.Rate(median=10, low=5, high=20)
    assert found["b"].median == 4


def test_the_figures_in_words():
    told = text(measurement())
    assert "limited by encode: end to end 97 % of the bare forward rate" in told
    assert "1.25 times the rate of CLIP_benchmark, same files" in told
    assert "TorchGeo + DataLoader: not measured, not installed" in told
    assert "transfer               -" in told
    assert "texts/s" in told


def test_measurements_are_appended_by_machine(tmp_path):
    file, here = tmp_path / "b.json", measurement()
    there = measurement(environment={**here.environment, "device_name": "gpu"})
    for one in (here, there, here):
        bench.append(one, file)
    known = json.loads(file.read_text())
    assert {key: len(found) for key, found in known.items()} == {here.machine: 2, there.machine: 1}


@pytest.mark.parametrize("text", ["not json", "[1]", '{"a": 3}'])
def test_another_file_is_left_as_it_is(tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(UsageError, match="give another file"):
        bench.append(measurement(), tmp_path / "b.json")
    assert (tmp_path / "b.json").read_text() == text


@pytest.mark.slow
def test_all_stages_of_mini_are_measured_uncached(isolated_home, monkeypatch):
    from senbench.models.load import load

    monkeypatch.setattr(bench, "open_dataset", _small(bench.open_dataset))
    found = bench.measure(
        lambda: load("mini", device="cpu"), "stub", n=12, repeats=1, data_dir=None, split=None, draw=Silent()
    )
    stages = {"decode", "preprocess", "encode", "bare forward", "end to end", "text", "same files"}
    assert stages <= {name for name, rate in found.rates.items() if rate is not None}
    assert found.rates["transfer"] is None
    assert "TorchGeo + DataLoader" in found.ratios
    assert found.limit in bench.IMAGE_STAGES
    assert not (isolated_home / "cache").exists()


def _small(real):
    return lambda name, **options: stubs.tiles() if name == "stub" else real(name, **options)
