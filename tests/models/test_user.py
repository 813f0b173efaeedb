"""A user's object: what it must have, what it may leave out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from senbench.errors import UsageError
from senbench.models.user import UserEncoder

TILES = [np.full((4, 4, 3), value, np.uint8) for value in (10, 20, 30)]


class Model:
    """Three numbers of a tile or a text; keeps what it was asked."""

    def __init__(self, **attributes):
        self.asked = []
        self.__dict__.update(attributes)

    def encode_images(self, tiles):
        self.asked.append(len(tiles))
        return np.array([[tile.mean(), 1, 0] for tile in tiles])

    def encode_texts(self, texts):
        self.asked.append(len(texts))
        return torch.tensor([[float(len(text)), 0, 2] for text in texts], requires_grad=True)


@pytest.mark.parametrize("name", ["encode_images", "encode_texts"])
def test_both_methods_must_be_there(name):
    class Half(Model):
        pass

    setattr(Half, name, 3)
    with pytest.raises(UsageError, match=f"model Half has no method {name}; give a model id or an adapter"):
        UserEncoder(Half())


def test_rows_are_unit_rows_of_whatever_numpy_can_read():
    encoder = UserEncoder(Model())
    images = encoder.encode_prepared([encoder.prepare(tile) for tile in TILES])
    np.testing.assert_allclose(images, [[v, 1, 0] / np.hypot(v, 1) for v in (10, 20, 30)], rtol=1e-6)
    np.testing.assert_array_equal(encoder.begin(TILES)(), images)
    assert images.dtype == np.float32
    raw = encoder.encode_texts(["ab", "abcd"], normalize=False)
    np.testing.assert_array_equal(raw, [[2, 0, 2], [4, 0, 2]])
    np.testing.assert_allclose(encoder.encode_texts(["ab"]), [[2**-0.5, 0, 2**-0.5]], rtol=1e-6)


def test_texts_go_in_batches_and_progress_is_told():
    model, told = Model(), []
    encoder = UserEncoder(model)
    rows = encoder.encode_texts(["x" * n for n in range(150)], normalize=False, advance=told.append)
    assert rows[:, 0].tolist() == list(range(150))
    assert model.asked == [1, 64, 64, 22]  # the first tells the dimension
    assert told == [150]


def test_nothing_is_known_of_it_but_what_it_says():
    plain = UserEncoder(Model())
    assert (plain.name, plain.embed_dim, plain.logit_scale, plain.logit_bias) == ("Model", 3, None, None)
    assert (plain.card, plain.device, plain.preprocess, plain.path) == (None, None, None, None)
    assert (plain.dtype, plain.overlaps, plain.warnings) == ("unknown", False, ())
    assert plain.image_identity() is plain.text_identity() is None  # never cached
    assert plain.otherwise(dtype="bf16") is None
    assert plain.truncated(["x " * 1000]) == []
    told = UserEncoder(Model(name="mine", logit_scale=torch.tensor([100.0]), logit_bias=-10))
    assert (told.name, told.logit_scale, told.logit_bias) == ("mine", 100.0, -10.0)
    assert told.describe() == {"id": "mine", "family": "user", "title": "mine", "weights_sha256": None}


@pytest.mark.parametrize(("scale", "warned"), [(4.6, True), (1.0, False), (100.0, False), (None, False)])
def test_a_scale_that_looks_like_a_logarithm_is_told(scale, warned):
    encoder = UserEncoder(Model(logit_scale=scale))
    assert bool(encoder.warnings) is warned
    assert all("looks like a logarithm" in text for text in encoder.warnings)


@pytest.mark.parametrize("rows", [np.zeros(3), np.zeros((2, 3)), np.zeros((3, 3, 1))], ids=lambda rows: str(rows.shape))
def test_other_shapes_are_refused(rows):
    encoder = UserEncoder(Model())
    encoder.model.encode_images = lambda tiles: rows
    with pytest.raises(UsageError, match=r"shape \(.*\) for 3 inputs, expected \(3, D\)"):
        encoder.encode_prepared(TILES)
