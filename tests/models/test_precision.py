"""What is computed how on CUDA, as far as a CPU can tell: TF32 only where asked for, ResNets laid out by channel."""

from __future__ import annotations

from functools import partial

import narrow
import numpy as np
import pytest
import torch

from senbench.errors import UnavailableError, UsageError
from senbench.models.load import load

TILES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Adapters over narrow checkpoints of OpenAI's two architectures."""
    folder = tmp_path_factory.mktemp("narrow")

    return partial(narrow.adapter, folder)


def switches() -> list[bool]:
    return [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32]


@pytest.fixture(params=[False, True])
def before(request):
    """Both switches as a user's script left them."""
    found = switches()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = request.param
    yield request.param
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = found


def during(adapter, monkeypatch) -> dict[str, list[bool]]:
    """The switches while each tower computes."""
    seen = {}

    def watched(hook):
        inner = getattr(adapter, hook)
        return lambda batch: seen.update({hook: switches()}) or inner(batch)

    for hook in ("_encode_image_batch", "_encode_token_batch"):
        monkeypatch.setattr(adapter, hook, watched(hook))
    adapter.encode_images(TILES)
    adapter.encode_texts(["a river"])
    return seen


@pytest.mark.parametrize(("dtype", "want"), [("float32", False), ("tf32", True), ("bf16", False)])
def test_products_are_tf32_where_asked_for_and_nowhere_else(make, monkeypatch, before, dtype, want):
    seen = during(make(dtype=dtype), monkeypatch)
    assert seen == {"_encode_image_batch": [want] * 2, "_encode_token_batch": [want] * 2}
    assert switches() == [before] * 2  # a user's script goes on as it was


def test_tf32_is_another_cache_key_and_the_same_parameters(make):
    plain, fast = make(kernels="torch"), make(dtype="tf32")
    assert fast.image_identity() == {**plain.image_identity(), "dtype": "tf32"}
    assert fast.text_identity() == {**plain.text_identity(), "dtype": "tf32"}
    np.testing.assert_array_equal(fast.encode_images(TILES), plain.encode_images(TILES))  # a CPU has none


def test_the_command_refuses_tf32_before_anything_is_fetched(monkeypatch, capsys):
    from senbench.cli.run import run
    from senbench.datasets import open as registry

    monkeypatch.setattr(registry, "open_dataset", None)
    with pytest.raises(UnavailableError, match="--tf32"):
        run(model="mini", prompts=["clip"], dataset="demo", device="cpu", tf32=True)
    with pytest.raises(UsageError, match="leave it out, or --dtype bf16"):
        run(model="mini", prompts=["clip"], dataset="demo", device="cpu", tf32=True, dtype="bf16")


def test_a_resnet_is_laid_out_by_channel_and_computes_the_same(make, monkeypatch):
    plain, laid = make("narrow-rn"), make("narrow-rn")
    assert not plain.channels_last  # on a CPU
    laid._by_channel()
    weight = laid.model.visual.layer1[0].conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    seen = []
    forward = laid.model.encode_image
    monkeypatch.setattr(laid.model, "encode_image", lambda pixels: seen.append(pixels) or forward(pixels))
    np.testing.assert_allclose(laid.encode_images(TILES), plain.encode_images(TILES), atol=2e-5)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    assert laid.image_identity() == {**plain.image_identity(), "layout": "channels_last"}
    assert laid.text_identity() == plain.text_identity()


def test_batches_on_a_cpu_are_small_by_the_kind_of_model(make):
    assert make("narrow-rn").batch_size == 8
    adapter = make()
    assert adapter.batch_size == 32
    small = load("mini", device="cpu")
    assert small.convolutional
    assert small.batch_size == 256


def test_a_transformer_is_left_as_it_is(make):
    adapter = make()
    adapter._by_channel()
    assert not adapter.channels_last
    assert "layout" not in adapter.image_identity()
