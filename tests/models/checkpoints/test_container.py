"""What a file is, by its bytes: five ways to be no checkpoint have five messages."""

from __future__ import annotations

import json
import re
import zipfile
from typing import TYPE_CHECKING

import checkpoints
import pytest
import torch

from senbench.models.checkpoints import container

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def state():
    return {"a.weight": torch.randn(8, 8), "b": torch.randn(3)}


def index(path: Path) -> None:
    names = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    path.write_text(json.dumps({"metadata": {}, "weight_map": names}))


CASES = {
    "a web page": lambda path: path.write_text("<html>sign in</html>"),
    "a Git LFS pointer": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\nsize 5\n"),
    r"the index of a checkpoint in 2 files \(model-00001": index,
    "a JSON file": lambda path: path.write_text('{"model_type": "clip"}'),
    "a NumPy array": lambda path: path.write_bytes(b"\x93NUMPY\x01"),
    "an empty file": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("what", CASES)
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_each_cause_has_its_message(tmp_path, what, name):
    CASES[what](tmp_path / name)
    found = container.fault(tmp_path / name)
    assert found is not None
    assert re.search(what, found)
    assert found.isprintable()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_says_so(tmp_path, state, suffix):
    path = checkpoints.write(tmp_path / f"w{suffix}", state)
    assert container.fault(path) is None
    data = path.read_bytes()
    for end in (len(data) // 2, len(data) - 1, 20):
        path.write_bytes(data[:end])
        assert str(container.fault(path)).startswith("truncated")


@pytest.mark.parametrize(("suffix", "kind"), [(".pt", "torch"), (".safetensors", "safetensors")])
def test_the_name_does_not_matter(tmp_path, state, suffix, kind):
    path = checkpoints.write(tmp_path / f"w{suffix}", state)
    for other in ("w.bin", "w.pt", "w.safetensors"):
        path = path.rename(tmp_path / other)
        assert container.kind(path) == kind
        assert container.fault(path) is None


def test_a_large_member_of_a_small_zip_is_refused_unread(tmp_path):
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", b"x")
        with archive.open("w/data/0", "w") as member:
            for _ in range(100):
                member.write(bytes(1 << 20))
    found = str(container.fault(path))
    assert "not a plausible checkpoint" in found
    assert "104,857,600" in found


def test_a_zip_around_a_checkpoint_is_named(tmp_path):
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/epoch_20.pt", b"x")
    assert "a zip that holds folder/epoch_20.pt: unpack it" in str(container.fault(path))


def test_shards_are_known_by_name(tmp_path):
    assert container.shard(tmp_path / "model-00001-of-00002.safetensors") == (1, 2)
    assert container.shard(tmp_path / "model-00001-of-00001.safetensors") is None
    assert container.shard(tmp_path / "model.safetensors") is None
