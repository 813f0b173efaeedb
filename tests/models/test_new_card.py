"""`models new`: the card that it writes loads, whatever the file carries beside the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from senbench.errors import ContractError, UsageError
from senbench.models import load, new_card, registry
from senbench.models.checkpoints import fetch

MINI = registry.find("mini")
TEXTS = ["a field", "a lake"]


@pytest.fixture(scope="module")
def state():
    return load_file(fetch.SHIPPED / MINI.weights.package)


@pytest.fixture(scope="module")
def rows():
    return load.load("mini", device="cpu").encode_texts(TEXTS)


def saved(path, state, **how):
    prefix, nesting = how.get("prefix", ""), how.get("nesting", "")
    inner = {**{prefix + key: value for key, value in state.items()}, **how.get("more", {})}
    torch.save({"epoch": 3, nesting: inner} if nesting else inner, path)
    return path


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"prefix": "module.", "more": {"n_averaged": torch.tensor(3), "criterion.weight": torch.ones(3)}},
        {"prefix": "module.", "nesting": "state_dict", "more": {"module.head.a": torch.ones(1)}},
    ],
)
def test_its_card_loads_and_gives_the_same_rows(tmp_path, state, rows, how):
    file = saved(tmp_path / "mine.pt", {key: value + 0 for key, value in state.items()}, **how)
    path, notes = new_card.write(MINI, str(file))
    assert path == tmp_path / "mine.toml"
    assert "check them" in notes[0]
    card = registry.find(str(path))
    assert card.weights.sha256 == fetch.sha256(file)
    assert (card.id, card.licence, card.synthetic, card.verified) == ("mine", "none stated", False, False)
    np.testing.assert_array_equal(load.load(card, device="cpu").encode_texts(TEXTS), rows)


def test_a_scale_that_is_missing_or_stored_as_it_is_is_stated(tmp_path, state):
    without = {key: value for key, value in state.items() if key != "logit_scale"}
    path, notes = new_card.write(MINI, str(saved(tmp_path / "a.pt", without)))
    assert "the file has no logit_scale" in notes[1]
    assert load.load(str(path), device="cpu").logit_scale == 100.0
    path, notes = new_card.write(MINI, str(saved(tmp_path / "b.pt", {**without, "logit_scale": torch.tensor(50.0)})))
    assert "not as its logarithm" in notes[1]
    assert load.load(str(path), device="cpu").logit_scale == 50.0


def test_what_it_refuses(tmp_path, state):
    with pytest.raises(UsageError, match="no such file"):
        new_card.write(MINI, str(tmp_path / "none.pt"))
    file = saved(tmp_path / "mine.pt", {"x": torch.ones(2)})
    with pytest.raises(ContractError, match="keys are missing"):
        new_card.write(MINI, str(file))
    assert not (tmp_path / "mine.toml").exists()
    with pytest.raises(UsageError, match=r"a card is a \.toml file"):
        new_card.write(MINI, str(file), str(tmp_path / "card.json"))
    file.with_suffix(".toml").write_text("")
    with pytest.raises(UsageError, match="exists already"):
        new_card.write(MINI, str(file))
