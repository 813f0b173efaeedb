"""What is sealed in an adapter: order, normalisation, tile checks, settings in the cache keys, and how it is loaded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from senbench.errors import ContractError, UsageError
from senbench.models import registry
from senbench.models.adapter import Adapter, torch_dtype
from senbench.models.checkpoints import fetch
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.openclip import OpenClipAdapter
from senbench.models.tokenizers import Tokenizer

MINI = registry.find("mini")
FILE = fetch.SHIPPED / "mini.safetensors"


class Plain(Adapter):
    """Means of colours as embeddings; a text is embedded as its tokens."""

    def _build(self, card):
        def tokenize(texts):
            return np.array([[*map(ord, text), 999, *[0] * (7 - len(text))] for text in texts])

        self._tokenizer = Tokenizer(tokenize, len)
        self.causal_text = True
        return torch.nn.Linear(2, 2)

    def _encode_image_batch(self, pixels):
        return pixels.mean(dim=(2, 3)).repeat(1, 43)[:, : self.card.embed_dim]

    def _encode_token_batch(self, tokens):
        self.seen = [*getattr(self, "seen", []), tuple(tokens.shape)]
        return torch.nn.functional.pad(tokens.float(), (0, self.card.embed_dim - tokens.shape[1]))


@pytest.fixture
def plain():
    adapter = Plain()
    adapter.card, adapter.dtype, adapter.device = MINI, "float32", torch.device("cpu")
    adapter.preprocess, adapter.weights_sha256 = MINI.preprocess, "0" * 64
    adapter.model = adapter._build(MINI)
    return adapter


def checkpoint(**change):
    return Checkpoint(MINI, FILE, fetch.sha256(FILE), **{"device": "cpu", **change})


def tiles(n, size=64):
    return list(np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8))


def test_texts_are_cut_by_length_and_given_in_order(plain):
    texts, told = ["abc", "a", "abcde", "ab"], []
    rows = plain.encode_texts(texts, normalize=False, batch_size=2, advance=told.append)
    assert [row[: len(text)].tolist() for row, text in zip(rows, texts, strict=True)] == [
        [*map(ord, text)] for text in texts
    ]
    assert plain.seen == [(2, 3), (2, 6)]  # the two shortest first, each batch as long as its longest
    assert told == [2, 2]
    np.testing.assert_allclose(np.linalg.norm(plain.encode_texts(texts), axis=1), 1, atol=1e-6)
    assert plain.encode_texts([]).shape == (0, MINI.embed_dim)


def test_a_text_that_does_not_fit_is_told(plain):
    limit = MINI.context_length
    assert plain.truncated(["x" * limit, "x" * (limit + 1)]) == ["x" * (limit + 1)]


def test_images_of_any_sizes_come_back_in_order(plain):
    mixed = [*tiles(2, 64), *tiles(1, 32), *tiles(1, 80)]
    rows = plain.encode_images(mixed)
    each = np.concatenate([plain.encode_images([tile]) for tile in mixed])
    np.testing.assert_allclose(rows, each, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert plain.encode_images([]).shape == (0, MINI.embed_dim)


@pytest.mark.parametrize(
    "tile", [np.zeros((8, 8, 3), np.uint16), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8), np.uint8)], ids=str
)
def test_other_tiles_are_refused(plain, tile):
    with pytest.raises(UsageError, match=r"takes uint8 tiles \(H, W, 3\) with bands B04, B03, B02, got"):
        plain.prepare(tile)


def test_values_that_are_not_finite_are_refused(plain, monkeypatch):
    monkeypatch.setattr(plain, "_encode_image_batch", lambda pixels: torch.full((len(pixels), 3), torch.nan))
    with pytest.raises(UsageError, match="not finite in float32; `senbench models verify`"):
        plain.encode_images(tiles(1))
    plain.dtype = "fp16"
    with pytest.raises(UsageError, match="not finite in fp16; low precision may overflow: try --dtype float32"):
        plain.encode_images(tiles(1))


def test_statistics_are_one_per_band(plain):
    plain.preprocess = plain.preprocess.model_copy(update={"mean": (0.5,)})
    with pytest.raises(ContractError, match="has 3 bands, but 1 means and 3 standard deviations"):
        plain.encode_prepared(tiles(1))


def test_an_object_from_python_is_never_cached_and_has_no_hash(plain):
    assert plain.image_identity()["weights"] == plain.text_identity()["weights"] == "0" * 64
    plain.live = True
    assert (plain.image_identity(), plain.text_identity(), plain.describe()["weights_sha256"]) == (None, None, None)


def test_where_tiles_are_resized_is_the_devices_choice_unless_told(plain):
    assert (plain.path, plain.overlaps) == ("exact", False)
    plain.device = torch.device("cuda")
    assert (plain.path, plain.overlaps) == ("device", True)
    plain.pixel_path = "exact"
    assert plain.path == plain.image_identity()["path"] == "exact"


def test_batches_grow_with_the_device_and_shrink_with_the_model(plain):
    sizes = {}
    for n in (1e6, 100e6, 300e6):
        plain.card = MINI.model_copy(update={"parameters": int(n)})
        for device in ("cpu", "cuda"):
            plain.device = torch.device(device)
            sizes[device, int(n / 1e6)] = plain.batch_size
    assert sizes == {
        ("cpu", 1): 256,
        ("cpu", 100): 32,
        ("cpu", 300): 32,
        ("cuda", 1): 1024,
        ("cuda", 100): 1024,
        ("cuda", 300): 256,
    }
    plain.card = MINI.model_copy(update={"unit": "dn"})
    assert plain.batch_size == 128


def test_loading_sets_what_the_checkpoint_says():
    how = MINI.preprocess.model_copy(update={"interpolation": "bilinear"})
    adapter = OpenClipAdapter.load(checkpoint(dtype="bf16", preprocess=how, path="device"))
    assert (adapter.card, adapter.dtype, adapter.preprocess, adapter.path) == (MINI, "bf16", how, "device")
    assert adapter.weights_sha256 == fetch.sha256(FILE)
    assert {p.dtype for p in adapter.model.parameters()} == {torch.bfloat16}
    assert adapter.logit_scale == OpenClipAdapter.load(checkpoint()).logit_scale  # read before it is rounded
    assert adapter.otherwise(dtype="float32") is None
    assert adapter.warnings == ()


def test_a_scale_of_the_card_replaces_the_files():
    fixed = MINI.model_copy(update={"logit_scale": 50.0, "logit_bias": -3.0})
    adapter = OpenClipAdapter.load(Checkpoint(fixed, FILE, fetch.sha256(FILE), "cpu"))
    assert (adapter.logit_scale, adapter.logit_bias) == (50.0, -3.0)


def test_the_released_keys_and_the_own_state_are_a_familys(tmp_path):
    """A family whose file lists every key under another name."""
    from safetensors.torch import load_file, save_file

    class Renamed(OpenClipAdapter):
        def _released_keys(self, keys):
            return {f"their.{key}": shape for key, shape in keys.items()}

        def _own_state(self, state, checkpoint):
            assert checkpoint.file.name == "their.safetensors"
            return {key.removeprefix("their."): value for key, value in state.items()}

    save_file({f"their.{key}": value for key, value in load_file(FILE).items()}, tmp_path / "their.safetensors")
    card = MINI.model_copy(update={"layout": None})
    renamed = Checkpoint(card, tmp_path / "their.safetensors", fetch.sha256(tmp_path / "their.safetensors"), "cpu")
    whole, wanted = Renamed.load(renamed), OpenClipAdapter.load(checkpoint())
    np.testing.assert_array_equal(whole.encode_images(tiles(2)), wanted.encode_images(tiles(2)))
    np.testing.assert_array_equal(Renamed.load_texts(renamed).encode_texts(["a"]), wanted.encode_texts(["a"]))
    with pytest.raises(ContractError, match="are missing"):
        OpenClipAdapter.load(renamed)


def test_precisions_are_torchs():
    names = ("float32", "tf32", "bf16", "fp16")
    assert [torch_dtype(name) for name in names] == [torch.float32, torch.float32, torch.bfloat16, torch.float16]
