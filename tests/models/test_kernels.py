"""The decision between kernels: timed once, kept under all that it depends on, read without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import narrow
import numpy as np
import pytest
import torch
from torch import nn

from senbench.errors import UnavailableError, UsageError
from senbench.models import kernels, lazy_model, onednn, registry
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.runtime import environment
from senbench.runtime.access import Access
from senbench.schema.run_spec import RunSpec

CARD = registry.find("mini")
MODEL = nn.Sequential(nn.Linear(8, 32), nn.Linear(32, 12), nn.Conv2d(64, 64, 3))


def checkpoint(**how):
    return Checkpoint(CARD, CARD.weights, "0" * 64, **{"device": "cpu", **how})


@pytest.fixture
def slower(monkeypatch):
    """What timing finds, and how often it is asked."""
    asked = []

    def choose(name):
        def timed(shape, dtype):
            asked.append(shape)
            return {one: 2.0 if one == name else 1.0 for one in ("torch", "onednn")}

        monkeypatch.setattr(kernels, "timed", timed)
        return asked

    return choose


@pytest.mark.parametrize(("slow", "wanted"), [("torch", "onednn"), ("onednn", "torch")])
def test_the_faster_is_taken_and_kept(slower, slow, wanted, isolated_home):
    asked = slower(slow)
    assert kernels.known(checkpoint()) is None
    assert kernels.chosen(checkpoint(), MODEL) == wanted
    assert kernels.known(checkpoint()) == wanted
    assert kernels.chosen(checkpoint(), MODEL) == wanted
    assert asked == [(32, 8)] or asked == [(12, 32)]
    (kept,) = (isolated_home / "kernels").iterdir()
    about = json.loads(kept.read_text())["value"]
    assert about["kernels"] == wanted
    assert about["cpu"].startswith(environment.cpu())
    assert about["threads"] == environment.threads()


def test_a_tie_keeps_torchs_bits(monkeypatch):
    monkeypatch.setattr(kernels, "timed", lambda shape, dtype: {"torch": 1.0, "onednn": 0.97})
    assert kernels.chosen(checkpoint(), MODEL) == "torch"


@pytest.mark.parametrize("what", ["cpu", "torch", "threads", "dtype", "architecture"])
def test_another_machine_or_model_decides_anew(slower, monkeypatch, what):
    slower("torch")
    kernels.chosen(checkpoint(), MODEL)
    other = checkpoint()
    if what == "cpu":
        monkeypatch.setattr(environment, "cpu_generation", lambda: "another")
    elif what == "torch":
        monkeypatch.setattr(environment, "versions", lambda: {"torch": "9.9"})
    elif what == "threads":
        monkeypatch.setenv("OMP_NUM_THREADS", "97")
    elif what == "dtype":
        other = checkpoint(dtype="bf16")
    else:
        other = replace(other, card=CARD.model_copy(update={"architecture": "another"}))
    assert kernels.known(other) is None


@pytest.mark.parametrize("harm", ["cut", "changed", "copied"])
def test_a_damaged_decision_is_made_again(slower, isolated_home, harm):
    asked = slower("torch")
    kernels.chosen(checkpoint(), MODEL)
    (kept,) = (isolated_home / "kernels").iterdir()
    text = kept.read_text()
    harmed = {"cut": text[:-9], "changed": text.replace('"onednn",', '"torch",'), "copied": text.replace("0", "1")}
    kept.write_text(harmed[harm])
    assert kernels.known(checkpoint()) is None
    assert kernels.chosen(checkpoint(), MODEL) == "onednn"
    assert len(asked) == 2
    assert kernels.known(checkpoint()) == "onednn"


def test_where_nothing_can_be_kept_the_faster_is_taken_all_the_same(slower, isolated_home):
    slower("torch")
    (isolated_home / "kernels").write_text("in the way")
    assert kernels.chosen(checkpoint(), MODEL) == "onednn"


def test_what_is_asked_for_is_not_timed(slower):
    asked = slower("onednn")
    for choice in ("torch", "onednn"):
        assert kernels.chosen(checkpoint(kernels=choice), MODEL) == choice
    assert asked == []


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"dtype": "fp16"}, "oneDNN is used in float32 and bf16, not in fp16"),
        ({"card": CARD.model_copy(update={"adapter": "mine:Adapter"})}, "model mini is built by mine, not by senbench"),
        ({"device": "cuda"}, "device cuda does not multiply by oneDNN"),
    ],
)
def test_where_it_does_not_fit(how, why, monkeypatch):
    monkeypatch.setattr(kernels.devices, "kind", lambda name: name)
    assert kernels.known(replace(checkpoint(), **how)) == "torch"
    with pytest.raises(UsageError, match=f"--kernels onednn: {why}; leave it out"):
        kernels.known(replace(checkpoint(kernels="onednn"), **how))


def test_a_torch_without_the_operators(slower, monkeypatch):
    slower("torch")
    monkeypatch.setattr(onednn, "available", lambda: False)
    assert kernels.chosen(checkpoint(), MODEL) == "torch"
    assert kernels.known(checkpoint()) is None  # nothing was timed, nothing is kept
    with pytest.raises(UnavailableError, match="give --kernels torch"):
        kernels.chosen(checkpoint(kernels="onednn"), MODEL)


def test_a_processor_without_the_instructions(monkeypatch):
    def refuse(*_):
        raise RuntimeError("mkldnn_linear_pointwise: bf16 path needs the cpu support avx512bw")

    monkeypatch.setattr(onednn, "laid_out", refuse)
    kernels.timed.cache_clear()
    try:
        assert kernels.chosen(checkpoint(dtype="bf16"), MODEL) == "torch"
    finally:
        kernels.timed.cache_clear()


def test_a_model_without_linear_layers_stays_with_torch():
    assert kernels.largest(nn.Conv2d(3, 8, 3)) is None
    assert kernels.chosen(checkpoint(), nn.Conv2d(3, 8, 3)) == "torch"


def test_timing_ends(monkeypatch):
    """Two rounds whatever they take, then no more than there is time for."""
    ticks = iter(range(1000))
    monkeypatch.setattr(kernels.time, "perf_counter", lambda: next(ticks))
    kernels.timed.cache_clear()
    try:
        assert kernels.timed((16, 8), "float32") == {"torch": 1, "onednn": 1}
        assert next(ticks) < 15
    finally:
        kernels.timed.cache_clear()


def test_exact_means_torchs_kernels():
    spec = RunSpec(models=("mini",), prompts=("clip",))
    assert Access.of(spec).kernels == "auto"
    assert Access.of(spec.model_copy(update={"exact": True})).kernels == "torch"
    assert Access.of(spec.model_copy(update={"kernels": "onednn"})).kernels == "onednn"


@pytest.mark.parametrize("name", ["narrow-vit", "narrow-rn"])
def test_they_are_part_of_the_cache_key(tmp_path, name):
    made = {one: narrow.adapter(tmp_path, name, kernels=one) for one in ("torch", "onednn")}
    for identity in ("image_identity", "text_identity"):
        of = {one: getattr(adapter, identity)() for one, adapter in made.items()}
        assert "kernels" not in of["torch"]  # rows that were kept before are torch's
        assert of["onednn"] == kernels.with_kernels(of["torch"], "onednn") != of["torch"]
        assert kernels.with_kernels(of["onednn"], "torch") == of["torch"]
    tiles = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    rows = [adapter.encode_images(tiles) for adapter in made.values()]
    np.testing.assert_allclose(*rows, atol=1e-5)


def test_a_kept_decision_is_read_without_torch(isolated_home):
    lazy_model.of(CARD, Access(device="cpu", cache=isolated_home / "cache"))
    code = """if True:
        import sys
        from senbench.models import lazy_model, registry
        from senbench.runtime.access import Access
        from senbench.runtime.paths import home
        made = lazy_model.of(registry.find("mini"), Access(device="cpu", cache=home() / "cache"))
        assert "torch" not in sys.modules
        print(made.kernels)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = lazy_model.of(CARD, Access(device="cpu", cache=isolated_home / "cache")).kernels
    assert done.stdout.strip() == wanted


def test_the_largest_layer_decides():
    assert kernels.largest(nn.Sequential(nn.Linear(8, 32), nn.Linear(100, 3), nn.Linear(5, 5))) == (3, 100)
    with torch.device("meta"):
        assert kernels.largest(nn.Linear(7, 9)) == (9, 7)
