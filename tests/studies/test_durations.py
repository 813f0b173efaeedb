"""How long runs take, by model: drawn weights of the real shapes, and nothing fetched."""

from __future__ import annotations

import numpy as np
import stubs

from senbench.runtime.progress import Silent
from senbench.studies import durations


def test_a_drawn_model_encodes_and_is_never_cached(isolated_home):
    model = durations.generated("mini", "cpu", "float32")
    rows = model.encode_images(np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8))
    assert rows.shape == (3, model.embed_dim) and np.isfinite(rows).all()
    assert model.image_identity() is None
    assert not any(parameter.is_meta for parameter in model.model.parameters())


def test_every_model_is_measured_for_about_as_long(isolated_home, monkeypatch):
    seen = []
    tiles = stubs.tiles(40)
    monkeypatch.setattr(durations, "open_dataset", lambda *_, **__: tiles)
    monkeypatch.setattr(durations, "MODELS", ("mini", "clip-vit-b-32"))
    monkeypatch.setattr(durations, "generated", lambda name, device, dtype: seen.append((name, device, dtype)) or slow)
    clock = iter(np.cumsum([0, *[1] * 400]) * 0.5)
    monkeypatch.setattr(durations.time, "perf_counter", lambda: float(next(clock)))
    passes = []
    monkeypatch.setattr(durations, "embed_images", lambda encoder, some, cache: passes.append(len(some)))

    class Slow(stubs.StubEncoder):
        batch_size, kernels = 4, "torch"
        card = durations.registry.find("mini")

    slow = Slow()
    found = durations.measure("demo", data_dir=None, split=None, device="cpu", dtype="float32", draw=Silent())
    assert seen == [("mini", "cpu", "float32"), ("clip-vit-b-32", "cpu", "float32")]
    assert passes == [4, 4, 24] * 2  # a batch takes half a second: six of them in three
    assert [pace.rate for pace in found] == [48.0, 48.0]
