"""`senbench models`: the list, a contract, and what fetching prints and says of what is missing."""

from __future__ import annotations

import hashlib
import importlib
import re
import subprocess
import sys

import pytest
from outcomes import refused
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.runtime.access import Access

SENCLIP = ("pallavijainpj/SenCLIP", "SenCLIP_AvgPool_ViTB32.ckpt")
CLIP = ("timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors")
DATA = bytes(range(251)) * 400


@pytest.fixture
def hosted(hub):
    """Both models on the hub, at whatever commit their cards name."""
    for name, (repo, file) in (("senclip", SENCLIP), ("clip-vit-b-32", CLIP)):
        card = registry.find(name)
        assert (card.weights.repo, card.weights.file) == (repo, file)
        hub.add(repo, file, DATA + name.encode(), revision=card.weights.revision or "main")
    return hub


def test_a_line_per_model(hosted, senbench, isolated_home):
    done = senbench("models", "fetch", "senclip", "clip", "senclip-vit-b-32-avgpool")
    assert done.code == 0, done.err
    first, second = done.out.splitlines()  # an alias and its id are one model
    assert first.startswith("senclip-vit-b-32-avgpool: ")
    for part in (str(isolated_home), SENCLIP[1], "0.1 MB", hashlib.sha256(DATA + b"senclip").hexdigest(), "main"):
        assert part in first
    assert first.endswith("  recorded")
    assert second.startswith("clip-vit-b-32: ")
    assert "fetching weights of senclip-vit-b-32-avgpool" in done.err


def test_the_licence_is_said_once_and_only_when_fetched(hosted, senbench):
    words = ("models", "fetch", "senclip", "clip")
    line = "licence of senclip-vit-b-32-avgpool: none stated by the authors; ask them before commercial use"
    done = senbench(*words)
    assert done.err.count("licence of") == 1  # CLIP's allows it
    assert line in done.err
    again = senbench(*words)
    assert again.err == ""
    assert again.out == done.out


def test_pinned(hosted, senbench, monkeypatch):
    card = registry.find("senclip")
    pin = card.weights.model_copy(update={"sha256": hashlib.sha256(DATA + b"senclip").hexdigest()})
    pinned = card.model_copy(update={"weights": pin})
    monkeypatch.setattr(registry.card_files, "shipped_as", lambda name: pinned)
    assert senbench("models", "fetch", "senclip").out.endswith("  pinned\n")


def test_shipped(senbench, no_sockets):
    done = senbench("models", "fetch", "mini")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("mini: ")
    assert done.out.endswith("revision -  pinned\n")


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("how", ["flag", "environment"])
def test_offline_says_what_is_missing(senbench, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = senbench("models", "fetch", "senclip", "mini", "clip", *["--offline"] * (how == "flag"))
    assert done.code == 3
    assert done.out.startswith("mini: ")
    missing = done.err.splitlines()
    assert len(missing) == 2
    for line, name in zip(missing, ("senclip-vit-b-32-avgpool", "clip-vit-b-32"), strict=True):
        assert line.startswith(f"senbench: weights of {name}")
        assert "nothing is fetched offline" in line


def test_offline_after_a_fetch(hosted, senbench):
    there = senbench("models", "fetch", "senclip")
    hosted.requests.clear()
    assert senbench("models", "fetch", "senclip", "--offline").out == there.out
    assert hosted.requests == []


def test_one_failure_does_not_stop_the_others(hosted, senbench):
    hosted.files.pop(f"/{SENCLIP[0]}/resolve/main/{SENCLIP[1]}")
    done = senbench("models", "fetch", "senclip", "clip")
    assert done.code == 3
    assert "no such file" in done.err
    assert done.out.startswith("clip-vit-b-32: ")


def test_an_unknown_name_is_found_out_before_anything_is_fetched(hosted, senbench):
    done = senbench("models", "fetch", "senclip", "nonsense")
    assert done.code == 2
    assert "unknown model 'nonsense'" in done.err
    assert hosted.requests == []


def test_a_changed_file_is_refused_until_accepted(hosted, senbench):
    senbench("models", "fetch", "senclip")
    path = fetch.locate(registry.find("senclip"), Access(offline=True))
    path.write_bytes(b"changed")
    done = senbench("models", "fetch", "senclip")
    assert done.code == 2
    assert "changed since it was first used" in done.err and "--accept-new-weights" in done.err
    assert done.out == ""
    for words in (["--accept-new-weights"], []):
        done = senbench("models", "fetch", "senclip", *words)
        assert (done.code, done.err) == (0, "")
        assert hashlib.sha256(b"changed").hexdigest() in done.out


@pytest.mark.parametrize("flag", [True, False])
def test_run_passes_the_flag_on(senbench, monkeypatch, flag):
    seen = []
    runner = importlib.import_module("senbench.evaluation.grid")
    monkeypatch.setattr(runner, "run_crossed", lambda spec, *_: seen.append(spec) or runner.Grid([], []))
    senbench("run", "--model", "mini", "--prompts", "ground", *["--accept-new-weights"] * flag)
    assert [spec.accept_new_weights for spec in seen] == [flag]


def test_interrupted(hosted, senbench, monkeypatch):
    def stop(*given: object, **how: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "locate", stop)
    done = senbench("models", "fetch", "senclip")
    assert done.code == 130
    assert "the same command continues" in done.err


def test_torch_is_not_needed_to_fetch(hosted):
    code = """
import sys
sys.argv = ["senbench", "models", "fetch", "senclip"]
from senbench.cli.main import main
try:
    main()
except SystemExit as stop:
    assert not stop.code
assert not {"torch", "open_clip", "transformers", "torchgeo"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "recorded" in done.stdout


@pytest.mark.parametrize("name", ["mini", "clip-rn50", "georsclip-vit-h-14"])
def test_values_stand_in_one_column_apart_from_the_names(name):
    lines = CliRunner().invoke(application(), ["models", "show", name]).stdout.splitlines()
    starts = {re.match(r"\S+ {2,}", line).end() for line in lines}
    assert len(lines) > 30
    assert len(starts) == 1


def test_a_card_for_ones_own_file_is_written_and_runs(tmp_path, senbench):
    import torch
    from safetensors.torch import load_file

    state = load_file(fetch.SHIPPED / "mini.safetensors")
    state = {"module." + key: value for key, value in state.items()}
    torch.save({"epoch": 3, "model": {**state, "n_averaged": torch.tensor(1)}}, tmp_path / "mine.pt")
    done = senbench("models", "new", "--like", "mini", "--weights", str(tmp_path / "mine.pt"))
    assert done.code == 0, done.err
    card = str(tmp_path / "mine.toml")
    done = senbench("run", "--model", card, "--prompts", "generic", "--dataset", "demo", "--limit", "20", "--offline")
    assert done.code == 0, done.err


def test_verify_on_a_dataset_names_what_it_lacks(senbench, tmp_path):
    refused(senbench("models", "verify", "mini", "--data-dir", tmp_path), 2, "are for the recorded protocols of --on")
    refused(senbench("models", "verify", "mini", "--on", "eurosat-rgb"), 2, "nothing is recorded of mini")
