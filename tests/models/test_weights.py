"""Which files are accepted: layouts, hashes, damage, and nothing that runs code."""

from __future__ import annotations

import os

import checkpoints
import pytest
import torch

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import files, weights, zoo
from senbench.models.load import pick_device

CARD = zoo.find("senclip")


def read(path):
    return weights.read(path, CARD, files.sha256(path))


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("prefix", ["", "clip."])
def test_accepted_containers(vit_state, tmp_path, suffix, prefix):
    state = read(checkpoints.write(tmp_path / f"w{suffix}", vit_state, prefix))
    assert set(state) == set(vit_state)
    assert torch.equal(state["visual.proj"], vit_state["visual.proj"])


def test_openai_scalars_are_dropped(vit_state, tmp_path):
    extra = {name: torch.tensor(1) for name in ("input_resolution", "context_length", "vocab_size")}
    assert set(read(checkpoints.write(tmp_path / "w.pt", {**vit_state, **extra}))) == set(vit_state)


def test_foreign_prefix_names_both_sides(vit_state, tmp_path):
    with pytest.raises(ContractError, match=r"302 keys are missing .*302 are not expected \(module\.") as error:
        read(checkpoints.write(tmp_path / "w.pt", vit_state, "module."))
    assert "\n" not in str(error.value)


def test_missing_extra_and_misshapen_keys(vit_state, tmp_path):
    less = {k: v for k, v in vit_state.items() if k != "visual.ln_post.bias"}
    with pytest.raises(ContractError, match=r"1 keys are missing \(visual\.ln_post\.bias\)"):
        read(checkpoints.write(tmp_path / "a.pt", less))
    with pytest.raises(ContractError, match=r"not expected \(visual_projection\)"):
        read(checkpoints.write(tmp_path / "b.pt", {**vit_state, "visual_projection": torch.zeros(2)}))
    odd = {**vit_state, "visual.proj": vit_state["visual.proj"].T.contiguous()}
    with pytest.raises(ContractError, match=r"visual\.proj has shape \[512, 768\].*\[768, 512\]"):
        read(checkpoints.write(tmp_path / "c.pt", odd))


def test_another_architectures_file(tmp_path):
    path = checkpoints.write(tmp_path / "rn50.pt", checkpoints.state_dict("openai-rn50"))
    with pytest.raises(ContractError, match="openai-vit-b-32"):
        read(path)


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_truncated_file(vit_state, tmp_path, suffix):
    path = checkpoints.write(tmp_path / f"w{suffix}", vit_state)
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
    with pytest.raises(ContractError, match="302 keys are missing"):
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


def test_pickled_code_never_runs(vit_state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({**vit_state, "x": Evil()}, "w.pt")
    with pytest.raises(UnavailableError, match="safely"):
        read(tmp_path / "w.pt")
    assert not (tmp_path / "pwned").exists()


def test_torchscript_only_with_a_known_hash(tmp_path):
    path = tmp_path / "w.pt"
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
    with pytest.raises(ContractError, match="TorchScript"):
        read(path)
    known = CARD.weights.model_copy(update={"also_sha256": (files.sha256(path),)})
    with pytest.raises(ContractError, match="302 keys are missing"):  # read, then held against the manifest
        weights.read(path, CARD.model_copy(update={"weights": known}), files.sha256(path))


def test_devices():
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="use auto"):
        pick_device("gpu")
    with pytest.raises(UsageError, match="not supported"):
        pick_device("mps")
    if not torch.cuda.is_available():
        with pytest.raises(UnavailableError, match="0 CUDA devices"):
            pick_device("cuda")
