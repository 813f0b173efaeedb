"""From a name or a card to an adapter: what is passed on, and what is refused before the file is read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import load as loading
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.load import load

MINI = registry.find("mini")
FILE = fetch.SHIPPED / "mini.safetensors"


def test_a_name_a_card_and_a_file_give_the_same_model():
    models = [
        load("mini", device="cpu", offline=True),
        load(MINI, device="cpu"),
        load("MINI", file=str(FILE), device="cpu"),
        loading.from_file(Checkpoint(MINI, FILE, fetch.sha256(FILE), "cpu")),
    ]
    rows = [model.encode_texts(["a lake"]) for model in models]
    assert all(np.array_equal(row, rows[0]) for row in rows)
    assert {model.weights_sha256 for model in models} == {fetch.sha256(FILE)}


def test_settings_reach_the_adapter():
    how = MINI.preprocess.model_copy(update={"resolution": 64, "interpolation": "bilinear"})
    changed = MINI.model_copy(update={"preprocess": how})
    model = load(changed, device="cpu", dtype="bf16", kernels="torch")
    assert model.kernels == "torch"
    assert (model.preprocess, model.dtype, model.device) == (how, "bf16", torch.device("cpu"))
    assert load("mini", device="cpu").preprocess == MINI.preprocess


def test_what_cannot_be_loaded_is_refused(tmp_path):
    with pytest.raises(UsageError, match="unknown model 'minni'"):
        load("minni")
    with pytest.raises(UsageError, match="no such file; give the checkpoint of mini"):
        load("mini", file=str(tmp_path / "none.pt"))
    with pytest.raises(UsageError, match="unknown device 'gpu'"):
        load("mini", device="gpu")
    with pytest.raises(UnavailableError, match="--tf32: device cpu has no TF32"):
        load("mini", device="cpu", dtype="tf32")


def test_a_changed_file_is_refused_unless_accepted(tmp_path):
    path = tmp_path / "own.safetensors"
    path.write_bytes(b"first")
    loose = MINI.model_copy(update={"weights": MINI.weights.model_copy(update={"sha256": None})})
    fetch.identify(loose, path)
    path.write_bytes(b"second")
    with pytest.raises(ContractError, match="changed since it was first used"):
        load(loose, file=str(path), device="cpu")
    with pytest.raises(UnavailableError, match="cannot be read as a checkpoint"):  # accepted, and then damaged
        load(loose, file=str(path), device="cpu", accept_new_weights=True)


@pytest.mark.parametrize("load_it", [loading.from_file, loading.texts_from_file])
def test_float32_means_float32_from_the_first_model_on(load_it):
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = True
        load_it(Checkpoint(MINI, FILE, fetch.sha256(FILE), "cpu"))
        assert [switch.allow_tf32 for switch in switches] == [False, False]
    finally:
        for switch, was in zip(switches, before, strict=True):
            switch.allow_tf32 = was


def test_the_text_tower_alone_holds_no_image_tower():
    texts = loading.texts_from_file(Checkpoint(MINI, FILE, fetch.sha256(FILE), "cpu"))
    assert not hasattr(texts.model, "visual")
    np.testing.assert_array_equal(texts.encode_texts(["a lake"]), load("mini", device="cpu").encode_texts(["a lake"]))


@pytest.mark.parametrize(
    "target", ["os:system", "os:path", "json:JSONDecoder", "nowhere:X", "senbench.models.adapter:torch_dtype", "x"]
)
def test_an_adapter_that_is_none_is_refused_in_one_line(target):
    card = MINI.model_copy(update={"adapter": target})
    with pytest.raises(ContractError, match=f"card mini: adapter '{target}'") as error:
        loading.adapter_class(card)
    assert "\n" not in str(error.value)


def test_bytes_that_changed_unseen_are_refused_when_they_are_loaded(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(FILE.read_bytes())
    known = fetch.sha256(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # bit rot: no time, no size tells
    path.write_bytes(data)
    for how in (loading.from_file, loading.texts_from_file):
        with pytest.raises(ContractError, match="not the bytes that were recorded") as error:
            how(Checkpoint(MINI, path, known, "cpu"))
        assert "\n" not in str(error.value)
