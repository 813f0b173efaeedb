"""Verification: green on the real thing, red on every wrong thing, and what a contributor sends back."""

from __future__ import annotations

import json
import sys

import checkpoints
import numpy as np
import pytest
import tomlkit
import torch
from safetensors.torch import load_file, save_file

from senbench.models import card_files, registry, verify
from senbench.models.checkpoints import fetch

MINI = registry.find("mini")
GOLDEN_SUM = 2454834


def items(found):
    return {item.name: item for item in found.items}


def test_the_shipped_model_verifies_against_its_blessed_fingerprint():
    found = verify.verify(MINI, offline=True)
    assert found.ok, found.items
    assert all(item.ok for item in found.items)
    assert len(MINI.fingerprint) == len(verify.PROMPTS) == 5
    assert max(abs(a - b) for a, b in zip(found.fingerprint, MINI.fingerprint, strict=True)) < verify.TOLERANCE


def test_the_golden_image_is_fixed_and_tells_mistakes_apart():
    image = verify.golden_image(MINI.bands, "uint8")
    assert (image.shape, image.dtype) == ((72, 96, 3), np.uint8)
    # a literal: the fingerprints in the cards depend on it
    assert int(image.astype(np.int64).sum()) == GOLDEN_SUM
    assert np.abs(image[..., 0].astype(int) - image[..., 2]).mean() > 10  # BGR shows
    dn = verify.golden_image(verify.BANDS, "dn")
    assert (dn.shape, dn.dtype) == ((72, 96, 13), np.uint16)
    assert dn.max() > 3000
    assert len({dn[..., c].tobytes() for c in range(13)}) == 13


@pytest.mark.parametrize(
    "change",
    [
        {"mean": MINI.preprocess.mean[::-1]},
        {"std": MINI.preprocess.std[::-1]},
        {"mean": MINI.preprocess.std, "std": MINI.preprocess.mean},
        {"resize_mode": "shortest-crop"},
        {"interpolation": "bilinear"},
    ],
)
def test_a_wrong_preprocessing_in_the_card_breaks_the_fingerprint(change):
    wrong = MINI.model_copy(update={"preprocess": MINI.preprocess.model_copy(update=change)})
    found = verify.verify(wrong, offline=True)
    assert items(found)["fingerprint"].ok is False
    assert not found.ok


def test_changed_weights_break_the_fingerprint(tmp_path):
    state = load_file(fetch.SHIPPED / "mini.safetensors")
    state["text_projection"] = state["text_projection"].flip(1).contiguous()
    save_file(state, tmp_path / "w.safetensors")
    loose = MINI.model_copy(update={"weights": MINI.weights.model_copy(update={"sha256": None})})
    found = verify.verify(loose, file=str(tmp_path / "w.safetensors"), offline=True)
    assert items(found)["fingerprint"].ok is False


def test_a_contradicted_contract_is_a_failed_item_not_an_error():
    wrong = MINI.model_copy(update={"activation": "quickgelu"})
    found = verify.verify(wrong, offline=True)
    assert items(found)["contract"].ok is False
    assert "quickgelu" in items(found)["contract"].detail
    assert not found.fingerprint


def test_the_number_of_parameters_is_counted():
    assert items(verify.verify(MINI, offline=True))["parameters"].detail == f"{MINI.parameters:,}"
    wrong = MINI.model_copy(update={"parameters": MINI.parameters + 1})
    found = items(verify.verify(wrong, offline=True))["parameters"]
    assert (found.ok, found.detail) == (False, f"{MINI.parameters:,}, the card states {MINI.parameters + 1:,}")


@pytest.fixture
def clip_here(vit_state, isolated_home):
    """The generated OpenAI file where `models fetch clip-vit-b-32` would have put it."""
    base = registry.find("clip-vit-b-32")
    path = fetch.released_folder(base) / base.weights.file
    path.parent.mkdir(parents=True)
    return checkpoints.write(path, vit_state)


def altered(state, key):
    return {k: (v + 1e-4 if k == key else v) for k, v in state.items()}


def senclip(tmp_path, state):
    # a new name each time: a file that changed since it was first used would be refused
    path = checkpoints.write(tmp_path / f"senclip-{len(list(tmp_path.iterdir()))}.ckpt", state)
    return items(verify.verify(registry.find("senclip"), file=str(path), offline=True))["lineage"]


def test_lineage_of_senclip(clip_here, vit_state, tmp_path):
    trained = altered(vit_state, "visual.transformer.resblocks.11.mlp.c_fc.weight")
    assert senclip(tmp_path, trained).ok is True
    wrong = senclip(tmp_path, altered(trained, "transformer.resblocks.3.attn.in_proj_weight"))
    assert wrong.ok is False
    assert "transformer.resblocks.3.attn.in_proj_weight" in wrong.detail
    told = senclip(tmp_path, altered(trained, "visual.transformer.resblocks.10.ln_1.weight"))
    assert told.ok is None  # the paper says frozen, the released code would train it
    assert "of 132" in told.detail


def test_lineage_cannot_be_checked_without_the_other_file(vit_file):
    found = verify.verify(registry.find("senclip"), file=str(vit_file), offline=True)
    lineage = items(found)["lineage"]
    assert lineage.ok is None
    assert "senbench models fetch clip-vit-b-32" in lineage.detail
    assert found.ok  # nothing failed; what could not be looked at says so


def command(monkeypatch, capsys, *words):
    from senbench.cli.main import main

    monkeypatch.setattr(sys, "argv", ["senbench", "models", "verify", *words])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def own_card(tmp_path):
    document = tomlkit.parse((card_files.CARDS / "mini.toml").read_text())
    table = document["model"][0]
    table["id"], table["verified"] = "own", False
    table.pop("fingerprint", None)
    table["weights"] = {"path": "own.safetensors"}
    state = load_file(fetch.SHIPPED / "mini.safetensors")
    state["ln_final.weight"] *= 2  # mini's own bytes would be refused under another name
    save_file(state, tmp_path / "own.safetensors")
    (tmp_path / "own.toml").write_text("# a comment that stays\n" + tomlkit.dumps(document))
    return tmp_path / "own.toml"


def test_bless_writes_hash_and_fingerprint_and_only_then_it_is_verified(own_card, monkeypatch, capsys):
    code, out, _ = command(monkeypatch, capsys, str(own_card))
    assert code == 0
    assert "the card has none to compare with" in out
    assert not registry.find(str(own_card)).verified
    code, _, err = command(monkeypatch, capsys, str(own_card), "--bless")
    assert (code, "blessed: own.toml" in err) == (0, True)
    card = registry.find(str(own_card))
    assert card.verified
    assert card.weights.sha256 == fetch.sha256(own_card.parent / "own.safetensors")
    assert len(card.fingerprint) == 5
    assert own_card.read_text().startswith("# a comment that stays")
    assert command(monkeypatch, capsys, str(own_card))[0] == 0
    broken = card.fingerprint[0] + 0.01
    own_card.write_text(own_card.read_text().replace(str(card.fingerprint[0]), str(broken)))
    code, out, _ = command(monkeypatch, capsys, str(own_card))
    assert code == 1
    assert "WRONG" in out


def test_a_failed_verification_is_never_blessed(own_card, monkeypatch, capsys):
    own_card.write_text(own_card.read_text().replace("resolution = 64", "resolution = 65"))
    before = own_card.read_bytes()
    code, out, _ = command(monkeypatch, capsys, str(own_card), "--bless")
    assert (code, "WRONG" in out) == (1, True)
    assert own_card.read_bytes() == before


def test_the_report_holds_facts_and_no_paths(own_card, monkeypatch, capsys):
    out = own_card.parent / "report.json"
    code, _, _ = command(monkeypatch, capsys, str(own_card), "--report", str(out))
    assert code == 0
    told = json.loads(out.read_text())
    assert told["file"]["sha256"] == fetch.sha256(own_card.parent / "own.safetensors")
    assert told["file"]["bytes"] == (own_card.parent / "own.safetensors").stat().st_size
    assert len(told["fingerprint"]) == 5
    assert told["ok"] is True
    assert str(own_card.parent) not in out.read_text()


def test_missing_weights_are_one_line_and_exit_3(monkeypatch, capsys):
    code, _, err = command(monkeypatch, capsys, "senclip", "--offline")
    assert code == 3
    assert len(err.strip().splitlines()) == 1


def test_fingerprint_is_float32_and_repeatable():
    adapter_a = verify.fingerprint(_mini())
    torch.manual_seed(1)
    assert adapter_a == verify.fingerprint(_mini())


def _mini():
    from senbench.models.load import load

    return load("mini", device="cpu")
