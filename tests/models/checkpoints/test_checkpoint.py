"""A checkpoint with its settings: found and identified under what a run may touch."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.runtime.access import Access

MINI = registry.find("mini")


def test_it_holds_what_the_run_says():
    how = MINI.preprocess.model_copy(update={"interpolation": "bilinear"})
    found = Checkpoint.of(MINI, Access(offline=True, device="cpu", dtype="bf16"), preprocess=how, path="device")
    file = fetch.SHIPPED / "mini.safetensors"
    assert found == Checkpoint(MINI, file, fetch.sha256(file), "cpu", "bf16", how, "device")
    assert found.preprocessing == how
    with pytest.raises(FrozenInstanceError):
        found.dtype = "float32"


def test_the_cards_preprocessing_is_in_force_unless_replaced():
    found = Checkpoint.of(MINI, Access(offline=True))
    assert (found.preprocess, found.path, found.preprocessing) == (None, None, MINI.preprocess)


def test_nothing_is_fetched_offline_and_a_changed_file_is_refused(tmp_path):
    with pytest.raises(UnavailableError, match="offline"):
        Checkpoint.of(registry.find("senclip"), Access(offline=True))
    with pytest.raises(UsageError, match="no such file; give the checkpoint of mini"):
        Checkpoint.of(MINI, Access(weights=str(tmp_path / "none.pt")))
    own = tmp_path / "w.pt"
    own.write_bytes(b"other weights")
    with pytest.raises(ContractError, match="not the release the card pins"):
        Checkpoint.of(MINI, Access(weights=str(own)))
    accepted = Checkpoint.of(MINI, Access(weights=str(own), accept_new_weights=True))
    assert (accepted.file, accepted.digest) == (own, fetch.sha256(own))
