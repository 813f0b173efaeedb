"""Weights as `run` meets them: fetched from a hub, in a folder of transformers, and no weights at all."""

from __future__ import annotations

import hashlib
import json
import tomllib

import checkpoints
import hf_release
import pytest
import torch

from senbench.models.checkpoints import fetch
from senbench.results import store
from senbench.results.qualifications import weights_state
from senbench.runtime.paths import PACKAGE

WORDS = ("--prompts", "generic", "--dataset", "demo", "--device", "cpu", "--json")
MINI = fetch.SHIPPED / "mini.safetensors"
OTHER = MINI.read_bytes()[:-1] + bytes([MINI.read_bytes()[-1] ^ 1])
"""The weights of `mini` but for one bit: a file that no card knows."""


@pytest.fixture(autouse=True)
def few_tiles(monkeypatch):
    from senbench.datasets.eurosat import multispectral

    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 2)


@pytest.fixture
def run(senbench, tmp_path):
    """Run a model; the one result, or what was said."""

    def call(*words, fails=False):
        done = senbench("run", *words, *WORDS, "--results", tmp_path / "results")
        if fails:
            assert done.code in (2, 3) and done.out == ""
            (line,) = [one for one in done.err.splitlines() if one.startswith("senbench: ")]
            return line
        assert done.code == 0, done.err
        (path,) = store.folders(tmp_path / "results")
        return store.load(path)

    return call


def released_card(folder, **source):
    """The card of `mini` as a user's, with its weights elsewhere."""
    import tomlkit

    (card,) = tomllib.loads((PACKAGE / "models" / "cards" / "mini.toml").read_text())["model"]
    card |= {"id": "released", "verified": False, "fingerprint": [], "weights": source}
    path = folder / "released.toml"
    path.write_text(tomlkit.dumps({"model": [card]}))
    return path


@pytest.mark.parametrize("lfs", [True, False], ids=["in LFS", "in git"])
def test_the_revision_of_fetched_weights_reaches_the_result(hub, run, tmp_path, lfs):
    hub.add("owner/name", "w.safetensors", OTHER, lfs=lfs)
    card = released_card(tmp_path, repo="owner/name", file="w.safetensors")
    for _ in range(2):  # the second run finds everything kept, and loads nothing
        result = run("--model", card)
        assert result.model.weights_revision == "f" * 40
        assert result.model.weights_sha256 == hashlib.sha256(OTHER).hexdigest()
        assert weights_state(result.model, result.spec.weights) == "as fetched"


def test_of_an_address_the_etag_does(hub, run, tmp_path):
    url = hub.add_url("/files/w.safetensors", OTHER)
    result = run("--model", released_card(tmp_path, url=url))
    assert result.model.weights_revision == hashlib.sha256(OTHER).hexdigest()  # which is this server's ETag


def test_of_a_local_file_there_is_none(run, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(OTHER)
    result = run("--model", released_card(tmp_path, path="w.safetensors"))
    assert result.model.weights_revision is None
    assert weights_state(result.model, result.spec.weights) == "unknown origin"


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("form", ["{}", "local-dir:{}", "hf:{}", "{}/model.safetensors"])
@pytest.mark.usefixtures("no_sockets")
def test_a_folder_that_transformers_saved_runs(run, tmp_path, kind, form):
    folder = hf_release.folder(tmp_path / f"my-{kind}", kind)
    result = run("--model", form.format(folder), "--offline")
    assert result.model.id == f"local-dir:my-{kind}"
    assert result.model.weights_sha256 == fetch.sha256(folder / "model.safetensors")
    assert (result.dataset.n_evaluated, result.model.weights_revision) == (20, None)
    assert str(tmp_path) not in result.model_dump_json()


def test_a_card_after_a_folder_of_transformers_runs_too(senbench, run, tmp_path):
    folder = hf_release.folder(tmp_path / "my-clip", "clip")
    made = senbench("models", "new", "--like", folder, "--weights", folder / "model.safetensors")
    assert made.code == 0, made.err
    result = run("--model", folder / "model.toml", "--offline")
    assert result.model.weights_sha256 == (result.model.model_extra or {})["weights"]["sha256"]


def shard(path):
    state = checkpoints.state_dict("narrow-vit", images=2)
    checkpoints.write(path, dict(list(state.items())[: len(state) // 2]))


INDEX = {"metadata": {}, "weight_map": {"a": "m-00001-of-00002.safetensors", "b": "m-00002-of-00002.safetensors"}}
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 605143884\n"
DAMAGED = {
    "model.safetensors.index.json": (
        lambda path: path.write_text(json.dumps(INDEX)),
        "it is the index of a checkpoint in 2 files",
    ),
    "m-00001-of-00002.safetensors": (shard, "this is file 1 of 2 of one checkpoint"),
    "pointer.pt": (lambda path: path.write_text(POINTER), "it is a Git LFS pointer to a file of 605,143,884 bytes"),
    "page.safetensors": (
        lambda path: path.write_text("<!DOCTYPE html>\n<html><body>Log in</body></html>"),
        "it is a web page",
    ),
    "half.pt": (lambda path: path.write_bytes(MINI.read_bytes()[:100_000]), "truncated: it has 100,000 bytes where"),
    "half.safetensors": (
        lambda path: (torch.save({"a": torch.ones(9, 99)}, path), path.write_bytes(path.read_bytes()[:2000])),
        "truncated or damaged: the directory at the end of the archive",
    ),
    "keras.pt": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99)), "it is an HDF5 file"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_each_cause_of_unreadable_weights_has_its_own_message(run, tmp_path, name):
    write, said = DAMAGED[name]
    write(tmp_path / name)
    line = run("--model", "mini", "--weights", tmp_path / name, "--accept-new-weights", fails=True)
    assert said in line
    others = [other for _, other in DAMAGED.values() if other != said]
    assert not [other for other in others if other in line]


def test_safetensors_under_another_name_are_no_damage(run, tmp_path):
    (tmp_path / "w.pt").write_bytes(MINI.read_bytes())
    assert run("--model", "mini", "--weights", tmp_path / "w.pt").metrics["top1"].value > 0.5
