"""Which files are accepted: layouts, hashes, damage, and nothing that runs code."""

from __future__ import annotations

import argparse
import importlib.util
import os

import checkpoints
import pytest
import torch
from places import ROOT

from senbench.errors import ContractError, UnavailableError
from senbench.models import registry
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint

CARD = registry.find("senclip").model_copy(update={"layout": "tiny"})
N = 62
"""Keys of the narrow architecture: enough to tell prefixes, damage and layouts apart."""


@pytest.fixture(scope="module")
def state():
    return checkpoints.state_dict("narrow-vit", images=2)


@pytest.fixture(scope="module")
def make_manifest():
    spec = importlib.util.spec_from_file_location("make_manifest", ROOT / "tools" / "make_manifest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def tiny(state, make_manifest, tmp_path_factory, monkeypatch):
    """A layout `tiny` beside the shipped ones, written by the tool that wrote those."""
    folder = tmp_path_factory.mktemp("manifests")
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    facts = {"source": "this test", "activation": "quickgelu", "drop": ["input_resolution", "*.position_ids"]}
    (folder / "tiny.json").write_text(make_manifest.text(shapes, facts))
    monkeypatch.setattr(state_dict, "MANIFESTS", folder)
    state_dict.manifest.cache_clear()
    yield folder
    state_dict.manifest.cache_clear()


def read(path, card=CARD, **how):
    return state_dict.read(Checkpoint(card, path, fetch.sha256(path)), **how)


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("prefix", ["", "clip."])
def test_accepted_containers(state, tmp_path, suffix, prefix):
    found = read(checkpoints.write(tmp_path / f"w{suffix}", state, prefix))
    assert set(found) == set(state)
    assert torch.equal(found["visual.proj"], state["visual.proj"])


def test_keys_outside_the_model_are_dropped(state, tmp_path):
    extra = {"input_resolution": torch.tensor(1), "text.embeddings.position_ids": torch.arange(3)}
    assert set(read(checkpoints.write(tmp_path / "w.pt", {**state, **extra}))) == set(state)


def test_foreign_prefix_names_both_sides(state, tmp_path):
    path = checkpoints.write(tmp_path / "w.pt", state, "module.")
    with pytest.raises(ContractError, match=rf"{N} keys are missing .*{N} are not expected \(module\.") as error:
        read(path)
    assert "\n" not in str(error.value)
    found = read(path, CARD.model_copy(update={"prefixes": ("", "module.", "model.")}))
    assert set(found) == set(state)


def test_two_models_in_one_file_are_not_guessed_between(state, tmp_path):
    both = {**state, **{"clip." + key: tensor for key, tensor in state.items()}}
    with pytest.raises(ContractError, match=r"not expected \(clip\."):
        read(checkpoints.write(tmp_path / "w.pt", both))


def test_missing_extra_and_misshapen_keys(state, tmp_path):
    less = {k: v for k, v in state.items() if k != "visual.ln_post.bias"}
    with pytest.raises(ContractError, match=r"1 keys are missing \(visual\.ln_post\.bias\)"):
        read(checkpoints.write(tmp_path / "a.pt", less))
    with pytest.raises(ContractError, match=r"not expected \(visual_projection\)"):
        read(checkpoints.write(tmp_path / "b.pt", {**state, "visual_projection": torch.zeros(2)}))
    odd = {**state, "visual.proj": state["visual.proj"].T.contiguous()}
    with pytest.raises(ContractError, match=r"visual\.proj has shape \[64, 128\].*\[128, 64\]"):
        read(checkpoints.write(tmp_path / "c.pt", odd))


def test_a_scale_may_be_stored_as_a_vector_of_one(state, tmp_path):
    found = read(checkpoints.write(tmp_path / "w.pt", {**state, "logit_scale": state["logit_scale"].reshape(1)}))
    assert found["logit_scale"].shape == ()


def test_only_tensors(state, tmp_path):
    torch.save({**state, "ln_final.bias": [0.0] * 128}, tmp_path / "w.pt")
    with pytest.raises(ContractError, match=r"only tensors are accepted, found others \(ln_final\.bias\)"):
        read(tmp_path / "w.pt")


def test_another_architectures_file(tmp_path):
    path = checkpoints.write(tmp_path / "rn.pt", checkpoints.state_dict("narrow-rn", images=2))
    with pytest.raises(ContractError, match="do not have the layout 'tiny' of senclip-vit-b-32-avgpool"):
        read(path)


@pytest.mark.parametrize("nesting", ["state_dict", ("state_dict", ""), ("model", "state_dict")])
def test_nested_as_a_training_run_writes_it(state, tmp_path, nesting):
    card = CARD.model_copy(update={"nesting": nesting, "prefixes": ("module.",)})
    assert set(read(checkpoints.write(tmp_path / "w.pt", state, "module.", "state_dict"), card)) == set(state)


def test_nesting_must_be_the_cards(state, tmp_path):
    bare = checkpoints.write(tmp_path / "bare.pt", state)
    assert set(read(bare, CARD.model_copy(update={"nesting": ("state_dict", "")}))) == set(state)
    with pytest.raises(ContractError, match="expects the state dict under 'state_dict', the file has "):
        read(bare, CARD.model_copy(update={"nesting": "state_dict"}))
    nested = checkpoints.write(tmp_path / "nested.pt", state, nesting="state_dict")
    with pytest.raises(
        ContractError,
        match=r"not expected .*; a card with nesting = \"state_dict\" reads them \(`senbench models new` w",
    ):
        read(nested)
    torch.save({"epoch": 3, "optimizer": {"state": {}}, "model": {"module." + k: v for k, v in state.items()}}, bare)
    does = r"; a card with nesting = \"model\" and prefixes = \[\"module\.\"\] reads them \(`senbench models new` w"
    with pytest.raises(ContractError, match=does):
        read(bare)
    assert set(read(bare, CARD.model_copy(update={"nesting": "model", "prefixes": ("module.",)}))) == set(state)
    with pytest.raises(
        ContractError,
        match=r"; a card with prefixes = \[\"module\.\"\] reads them \(`senbench models new` w",
    ):
        read(bare, CARD.model_copy(update={"nesting": "model"}))
    torch.save({"state_dict": {k: v for k, v in state.items() if k != "visual.proj"}}, bare)
    with pytest.raises(ContractError, match="accepted key prefixes: ''"):  # nothing would read it
        read(bare)
    torch.save({"epoch": 3, "optimizer": {"state": {}}}, bare)
    with pytest.raises(ContractError, match="accepted key prefixes: ''"):
        read(bare)


def test_without_a_layout_the_architectures_keys_are_expected(state, tmp_path):
    card = CARD.model_copy(update={"layout": None, "prefixes": ("", "clip.", "clip.model.")})
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    path = checkpoints.write(tmp_path / "w.pt", state, "clip.model.")
    assert set(read(path, card, shapes=shapes)) == set(state)
    # nobody says what to expect: the longest prefix that every key carries
    assert set(read(path, card)) == set(state)
    with pytest.raises(ContractError, match=r"the keys of 'ViT-B-32-quickgelu'.*1 keys are missing \(more\)"):
        read(path, card, shapes={**shapes, "more": [1]})


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_truncated_file(state, tmp_path, suffix):
    path = checkpoints.write(tmp_path / f"w{suffix}", state)
    with path.open("rb+") as stream:
        stream.truncate(path.stat().st_size // 2)
    with pytest.raises(UnavailableError, match="cannot be read as a checkpoint") as error:
        read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xd8\xff\xe0" * 100, b"<html>404</html>"])
def test_foreign_file(tmp_path, content):
    path = tmp_path / "w.pt"
    path.write_bytes(content)
    with pytest.raises(UnavailableError, match=r"w\.pt"):
        read(path)


def test_random_damage_is_one_line(tmp_path):
    import random

    small = {f"k{i}": torch.zeros(3) for i in range(4)}
    torch.save({**small, 7: torch.zeros(2)}, tmp_path / "w.pt")
    with pytest.raises(ContractError, match=f"{N} keys are missing"):
        read(tmp_path / "w.pt")
    data = (tmp_path / "w.pt").read_bytes()
    rng = random.Random(0)
    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(4):
            damaged[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "w.pt").write_bytes(damaged)
        with pytest.raises((ContractError, UnavailableError)) as error:
            read(tmp_path / "w.pt")
        assert "\n" not in str(error.value)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("pwned",)


def test_pickled_code_never_runs(state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({**state, "x": Evil()}, "w.pt")
    with pytest.raises(UnavailableError, match="safely"):
        read(tmp_path / "w.pt")
    assert not (tmp_path / "pwned").exists()


def test_what_is_no_tensor_in_a_training_checkpoint_is_named(state, tmp_path):
    torch.save({"state_dict": state, "args": argparse.Namespace(lr=1e-4)}, tmp_path / "w.pt")
    with pytest.raises(ContractError) as error:
        read(tmp_path / "w.pt")
    said = str(error.value)
    assert "weights w.pt hold argparse.Namespace beside tensors" in said
    assert "save the model's state_dict() alone" in said
    assert said.isprintable()


def test_torchscript_only_with_a_known_hash(tmp_path):
    path = tmp_path / "w.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(ContractError, match="TorchScript"):
        read(path)
    known = CARD.weights.model_copy(update={"also_sha256": (fetch.sha256(path),)})
    with pytest.raises(ContractError, match=f"{N} keys are missing"):  # read, then held against the manifest
        read(path, CARD.model_copy(update={"weights": known}))


def test_expansion():
    assert state_dict.expand("a.b") == ["a.b"]
    assert state_dict.expand("a.{0-2}.b") == ["a.0.b", "a.1.b", "a.2.b"]
    assert state_dict.expand("{9-10}.{0-1}") == ["9.0", "9.1", "10.0", "10.1"]


def test_compaction_is_undone_by_expansion(make_manifest):
    shapes = {"a.0.w": [2], "a.1.w": [2], "a.3.w": [2], "a.2.w": [3], "b": [], "a.0.c.5.w": [1]}
    lines = make_manifest.compact(shapes)
    assert lines == {"a.{0-1}.w": [2], "a.3.w": [2], "a.2.w": [3], "b": [], "a.0.c.5.w": [1]}
    assert {key: shape for line, shape in lines.items() for key in state_dict.expand(line)} == shapes


def test_like_shares_keys_and_states_its_own_activation(tiny, state):
    (tiny / "other.json").write_text('{"like": "tiny", "source": "x", "activation": "gelu", "activation_source": "y"}')
    shared = state_dict.manifest("other")
    assert shared["activation"] == "gelu"
    assert set(shared["keys"]) == set(state)
    assert shared["drop"] == state_dict.manifest("tiny")["drop"]
    assert shared["parameters"] == sum(tensor.numel() for tensor in state.values())


def test_shipped_manifests_are_those_of_the_reference_classes(make_manifest, monkeypatch):
    shipped = ROOT / "senbench" / "models" / "manifests"
    monkeypatch.setattr(state_dict, "MANIFESTS", shipped)
    names = set()
    for name, shapes, facts in make_manifest.classes():
        names.add(name)
        listed = state_dict.manifest(name)
        assert listed["keys"] == shapes, name
        assert listed["activation"] == facts["activation"]
        assert listed.get("text_activation") == facts.get("text_activation")
    written_by_hand = {path.stem for path in shipped.glob("*.json") if '"like"' in path.read_text()}
    others = {path.stem for path in shipped.glob("*.json")} - names - written_by_hand
    assert not [name for name in others if name.startswith(("openai-", "openclip-"))]
