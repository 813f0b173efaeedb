"""`senbench bench`: what it measures is asked for, told in words and appended to a file."""

from __future__ import annotations

import json

import pytest

from senbench.models import load as loading
from senbench.studies import throughput

RATE = {"median": 10.0, "low": 9.0, "high": 11.0}
FACTS = {
    "model": "mini", "dataset": "demo test", "tiles": 8, "repeats": 2, "batch_size": 4, "resized_on": "host",
    "rates": {"decode": RATE, "transfer": None, "text": RATE, "end to end": RATE}, "limit": "decode", "share": 0.5,
    "ratios": {"CLIP_benchmark": 2.0}, "left_out": {"TorchGeo + DataLoader": "not installed"}, "host_mb": 1.0,
    "device_mb": None,
    "environment": {"device_name": "cpu", "cpus": 2, "threads": 2, "dtype": "float32", "versions": {"torch": "2"}},
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """Measures nothing; what was asked for."""
    seen: dict = {}
    monkeypatch.setattr(loading, "load", lambda name, **options: seen.update(model=name, **options))

    def measure(loaded, dataset, **options):
        loaded("auto")
        seen.update(dataset=dataset, **options)
        return throughput.Bench.model_validate(FACTS)

    monkeypatch.setattr(throughput, "measure", measure)
    return seen


def test_figures_in_words_and_in_a_file(senbench, asked, tmp_path):
    words = ("bench", "--model", "mini", "--tiles", 8, "--repeats", 2, "--device", "cpu", "--dtype", "bf16")
    done = senbench(*words, "--json", tmp_path / "b.json")
    assert done.code == 0, done.err
    assert {name: asked[name] for name in ("model", "dataset", "n", "repeats", "device", "dtype", "split")} == {
        "model": "mini", "dataset": "demo", "n": 8, "repeats": 2, "device": "cpu", "dtype": "bf16", "split": None,
    }  # fmt: skip
    assert "limited by decode: end to end 50 % of the bare forward rate" in done.out
    assert "transfer               -" in done.out
    assert "tiles, without the seconds of start-up: 1,000 in " in done.out
    assert "2.00 times the rate of CLIP_benchmark, same files" in done.out
    assert "TorchGeo + DataLoader: not measured, not installed" in done.out
    assert "loading mini" in done.err
    ((machine, (kept,)),) = json.loads((tmp_path / "b.json").read_text()).items()
    assert f"added to {tmp_path / 'b.json'} under machine {machine}" in done.err
    assert kept["limit"] == "decode"


def test_another_precision_is_refused_by_its_list(senbench, asked):
    done = senbench("bench", "--model", "mini", "--dtype", "int8")
    assert (done.code, asked) == (2, {})
    assert "bf16" in done.err


def test_how_long_a_run_takes_is_said_in_two_digits():
    from senbench.cli.bench import _duration

    told = [_duration(seconds) for seconds in (0.5, 19.4, 60, 1350, 5400, 900_000)]
    assert told == ["0.5 s", "19 s", "1 min", "22 min", "1.5 h", "250 h"]


def test_a_table_by_model(senbench, monkeypatch):
    from senbench.studies import durations

    pace = durations.Pace(model="clip-rn50", dtype="bf16", kernels="torch", rate=20.0)
    seen = {}
    monkeypatch.setattr(durations, "measure", lambda dataset, **how: seen.update(dataset=dataset, **how) or [pace])
    done = senbench("bench", "--table", "--dtype", "bf16", "--device", "cpu")
    assert done.code == 0, done.err
    assert "| model | tiles/s | 1,000 tiles | 27,000 tiles | 100,000 tiles |" in done.out
    assert "| clip-rn50, bf16, torch | 20.0 | 50 s | 22 min | 1.4 h |" in done.out
    assert (seen["dataset"], seen["dtype"], seen["device"]) == ("demo", "bf16", "cpu")


@pytest.mark.parametrize("words", [(), ("--table", "--model", "mini"), ("--table", "--json", "x.json")], ids=str)
def test_a_model_or_a_table(senbench, asked, words):
    done = senbench("bench", *words)
    assert (done.code, asked) == (2, {})
    assert "--table" in done.err and "Traceback" not in done.err
