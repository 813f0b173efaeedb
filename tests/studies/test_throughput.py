"""What `senbench bench` makes of its passes, without timing anything that matters."""

from __future__ import annotations

import json

import numpy as np
import pytest
import stubs
import torch

from senbench.cli.bench import text
from senbench.errors import UsageError
from senbench.models import adapter, registry, transfer
from senbench.models.adapter import Adapter
from senbench.runtime.progress import Silent
from senbench.studies import throughput


def measurement(**change):
    rate = {"median": 10.0, "low": 9.0, "high": 11.0}
    facts = {
        "model": "m",
        "dataset": "d all",
        "tiles": 8,
        "repeats": 2,
        "batch_size": 4,
        "resized_on": "host",
        "rates": {"decode": rate, "transfer": None, "encode": rate, "text": rate},
        "limit": "encode",
        "share": 0.97,
        "ratios": {"CLIP_benchmark": 1.25},
        "left_out": {"TorchGeo + DataLoader": "not installed"},
        "host_mb": 100.0,
        "device_mb": None,
        "environment": {"device_name": "cpu", "cpus": 2, "threads": 2, "dtype": "float32", "versions": {"torch": "2"}},
    }
    return throughput.Bench.model_validate({**facts, **change})


def test_passes_are_interleaved_and_the_first_is_not_counted(monkeypatch):
    clock, order = [0.0], []
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: clock[0])

    def way(name, seconds):
        spent = iter(seconds)

        def run():
            order.append(name)
            clock[0] += next(spent)

        return run

    found = throughput._timed({"a": way("a", [99, 1, 2, 4]), "b": way("b", [50, 5, 5, 5])}, 20, 3, Silent(), "x")
    assert order == ["a", "b"] * 4
    assert found == {"a": [20, 10, 5], "b": [4, 4, 4]}
    assert throughput.Rate.of(found["a"]) == throughput.Rate(median=10, low=5, high=20)


def test_ratios_are_of_passes_side_by_side():
    # both halve in the second repeat, when the machine does something else
    assert throughput._ratio([4, 2, 4], [2, 1, 8]) == 2
    assert throughput._ratio([10, 1, 1], [5, 0.5, 8]) == 2  # medians alone would say 0.2


def test_the_figures_in_words():
    told = text(measurement())
    assert "limited by encode: end to end 97 % of the bare forward rate" in told
    assert "1.25 times the rate of CLIP_benchmark, same files" in told
    assert "TorchGeo + DataLoader: not measured, not installed" in told
    assert "transfer               -" in told
    assert "texts/s" in told
    told = text(measurement(resized_on="device", rates={"preprocess": {"median": 1, "low": 1, "high": 1}}))
    assert "preprocess             1.0 tiles/s  (1.0 to 1.0), on the device" in told


class Device(Adapter):
    """Stands in for a model on CUDA, with the CPU as the device; tiles of 8 pixels are made 16."""

    batch_size = 7
    overlaps = True
    weights_sha256 = "0" * 64

    def __init__(self, log, path):
        self.card, self.dtype, self.pixel_path, self.log = registry.find("mini"), "float32", path, log
        self.preprocess = self.card.preprocess.model_copy(update={"resolution": 16})
        self.device = torch.device("cpu")

    def _tokenize(self, texts):
        return np.ones((len(texts), 4), np.int64), np.full(len(texts), 4)

    def _encode_image_batch(self, pixels):
        self.log.append("forward")
        return pixels.flatten(1)[:, : self.card.embed_dim]

    def _build(self, card):
        raise NotImplementedError

    def _encode_token_batch(self, tokens):
        return torch.ones(len(tokens), self.card.embed_dim)


@pytest.fixture
def log(monkeypatch):
    """What a stage does, in order."""
    lines = []

    def told(module, name, line):
        inner = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a: (lines.append(line), inner(*a))[1])

    for module, name, line in (
        (transfer, "upload", "upload"),
        (adapter, "upload", "upload"),
        (adapter, "fit_batch", "resize"),
        (adapter, "fit", "PIL"),
    ):
        told(module, name, line)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: lines.append("wait"))
    return lines


@pytest.mark.parametrize("exact", [False, True])
def test_each_stage_begins_where_the_one_before_it_ended(log, exact):
    encoder, tiles = Device(log, "exact" if exact else "device"), stubs.tiles(20)
    resized_on, ways = throughput._stages(encoder, tiles)
    assert resized_on == ("host" if exact else "device")

    def done(stage):
        log.clear()
        ways[stage]()
        assert log[-1] == "wait"  # for the device: what is only begun is not done
        return log[:-1]

    assert done("decode") == []
    assert done("preprocess") == (["PIL"] * 20 if exact else ["resize"] * 3)
    assert done("transfer") == ["upload"] * 3
    assert done("encode") == done("bare forward") == ["forward"] * 3
    whole = done("end to end")
    if exact:
        assert whole.count("PIL") == 20
    else:
        assert "PIL" not in whole
    assert [line for line in whole if line != "PIL"] == ["upload", "resize", "forward"] * 3


def test_measurements_are_appended_by_machine(tmp_path):
    file, here = tmp_path / "b.json", measurement()
    there = measurement(environment={**here.environment, "device_name": "gpu"})
    for one in (here, there, here):
        throughput.append(one, file)
    known = json.loads(file.read_text())
    assert {key: len(found) for key, found in known.items()} == {here.machine: 2, there.machine: 1}


@pytest.mark.parametrize("text", ["not json", "[1]", '{"a": 3}'])
def test_another_file_is_left_as_it_is(tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(UsageError, match="give another file"):
        throughput.append(measurement(), tmp_path / "b.json")
    assert (tmp_path / "b.json").read_text() == text


@pytest.mark.slow
def test_all_stages_of_mini_are_measured_uncached(isolated_home, monkeypatch):
    from senbench.models.load import load

    monkeypatch.setattr(throughput, "open_dataset", _small(throughput.open_dataset))
    found = throughput.measure(
        lambda kernels: load("mini", device="cpu", kernels=kernels),
        "stub",
        n=12,
        repeats=1,
        data_dir=None,
        split=None,
        draw=Silent(),
    )
    stages = {"decode", "preprocess", "encode", "bare forward", "end to end", "text", "same files"}
    assert stages <= {name for name, rate in found.rates.items() if rate is not None}
    assert found.rates["transfer"] is None
    assert "TorchGeo + DataLoader" in found.ratios
    assert found.limit in throughput.IMAGE_STAGES
    assert not (isolated_home / "cache").exists()


def _small(real):
    return lambda name, **options: stubs.tiles() if name == "stub" else real(name, **options)
