"""The noise floor: encoded anew, measured against the reference, and known to the gate."""

from __future__ import annotations

import numpy as np
import pytest
import runs
import stubs

from senbench.embedding.engine import embed_images
from senbench.errors import UsageError
from senbench.evaluation import embed, numeric_noise
from senbench.evaluation.embed import Embedder
from senbench.gate.bless import bless
from senbench.models import lazy_model, registry
from senbench.results import store
from senbench.runtime.access import Access
from senbench.runtime.progress import Silent
from senbench.schema.run_spec import RunSpec


class Batchwise(stubs.StubEncoder):
    """Depends on the batch that a tile is in: turned towards its neighbour's colour by `amount`."""

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def encode_prepared(self, batch):
        rows = super().encode_prepared(batch)
        rows = rows + self.amount * np.roll(rows, 1, axis=0)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measured(encoder, **options):
    return runs.senbench.evaluate(encoder, stubs.tiles(), runs.PROMPTS, results=None, noise=999, **options).noise


def test_a_deterministic_encoder_has_no_noise_and_every_variant_is_encoded():
    encoder = stubs.StubEncoder()
    found = measured(encoder)
    assert [v.name for v in found.variants] == ["same again", "batch 1", "batch 3"]
    assert (found.n, found.whole, found.floor) == (60, True, 0.0)
    assert encoder.images == 60 * 5  # the run, the reference, three variants
    assert encoder.batches[-20:] == [3] * 20


def test_what_depends_on_the_batch_is_seen_with_its_size():
    small, large = (measured(Batchwise(amount)) for amount in (1e-3, 2.0))
    by = {v.name: v for v in large.variants}
    assert by["same again"].score == by["same again"].flips == 0
    # alone in its batch a tile is right; in a larger one it takes the class of its neighbour, which is another
    assert by["batch 1"].flips > 0.8
    assert by["batch 1"].headline == pytest.approx(by["batch 1"].flips)
    assert large.floor >= by["batch 1"].flips
    assert by["batch 1"].figure >= abs(by["batch 1"].headline)  # of all figures the headline is one
    assert by["same again"].figure == 0
    tiny = {v.name: v for v in small.variants}["batch 1"]
    assert 0 < tiny.score < 0.01
    assert tiny.flips == tiny.headline == 0
    # rows turned by an angle of about 1e-3 times the distance of two colours
    assert 1e-9 < tiny.cosine < 1e-6


def test_it_changes_neither_figures_nor_the_id():
    plain = runs.senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), runs.PROMPTS, results=None)
    again = runs.senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), runs.PROMPTS, results=None, noise=30)
    assert plain.noise is None
    assert (again.run_id, again.metrics) == (plain.run_id, plain.metrics)
    assert (again.noise.n, again.noise.whole) == (30, False)


def test_tiles_that_cannot_be_decoded_are_left_out_of_both_sides():
    tiles = stubs.tiles(bad=[4, 5])
    found = runs.senbench.evaluate(
        stubs.StubEncoder(), tiles, runs.PROMPTS, results=None, noise=999, on_error="skip"
    ).noise
    assert (found.n, found.whole, found.floor) == (58, True, 0.0)


def test_several_labels():
    found = runs.senbench.evaluate(Batchwise(2.0), runs.multi(), runs.PROMPTS, results=None, noise=999).noise
    assert {v.name: v for v in found.variants}["batch 1"].flips > 0


def mini(tmp_path):
    return lazy_model.of(registry.find("mini"), Access(offline=True, device="cpu", kernels="torch", cache=tmp_path))


def repeated(encoder, tiles):
    spec = RunSpec(models=("mini",), prompts=("x",), noise=20)
    return numeric_noise.repeat(Embedder.of(encoder, spec, Silent()), tiles, ["a field", "a lake"], 20, 0)


@pytest.mark.slow
def test_a_card_is_repeated_in_every_precision_and_never_from_the_cache(tmp_path, monkeypatch):
    tiles, encoder, seen = stubs.tiles(), mini(tmp_path), []
    embed_images(encoder, tiles, tmp_path)
    inner = embed.embed_images

    def spy(model, view, cache, options):
        done = inner(model, view, cache, options)
        seen.append((cache, done.encoded, model.dtype, model.path))
        return done

    monkeypatch.setattr(embed, "embed_images", spy)
    found = repeated(encoder, tiles)
    assert list(found.variants) == [
        *("same again", "batch 1", "batch 7", "batch 10", "device resizing", "onednn kernels", "bf16")
    ]
    assert [call[:2] for call in seen] == [(None, 20)] * 8
    assert [call[2:] for call in seen[-3:]] == [("float32", "device"), ("float32", "exact"), ("bf16", "exact")]
    assert (encoder.dtype, encoder.path, encoder.model.path) == ("float32", "exact", "exact")
    change = {name: np.abs(rows.images - found.reference.images).max() for name, (_, rows) in found.variants.items()}
    assert change["bf16"] > 100 * change["batch 1"]
    assert found.variants["bf16"][0] != found.precision == "float32"
    texts = {
        name: np.abs(rows.texts["a lake"] - found.reference.texts["a lake"]).max()
        for name, (_, rows) in found.variants.items()
    }
    assert texts["bf16"] > 1e-4 > texts["batch 1"]

    def refuse(self, **changed):
        raise UsageError("values that are not\nfinite")

    monkeypatch.setattr(lazy_model.LazyModel, "otherwise", refuse)
    changed = ("device resizing", "onednn kernels", "bf16")
    assert repeated(encoder, tiles).left_out == dict.fromkeys(changed, "values that are not finite")


@pytest.mark.parametrize(("noise", "measured"), [(None, False), (30, False), (60, True)])
def test_the_gate_takes_it_as_its_least_noise(tmp_path, noise, measured):
    (tmp_path / "r").mkdir()
    runs.run(tmp_path / "r", noise=noise)
    (result,) = store.load_all(tmp_path / "r")
    _write_floor(tmp_path / "r" / result.run_id, 0.004)
    (run,) = bless(tmp_path / "r", tmp_path / "b.json", "right").runs
    assert run.noise == (1e-6 if noise is None else 0.004)
    assert run.noise_measured is measured


def test_a_noise_of_points_is_not_blessed(tmp_path):
    (tmp_path / "r").mkdir()
    runs.run(tmp_path / "r", noise=60)
    (result,) = store.load_all(tmp_path / "r")
    _write_floor(tmp_path / "r" / result.run_id, 0.2)
    with pytest.raises(UsageError, match="--noise measured"):
        bless(tmp_path / "r", tmp_path / "b.json", "right")


def _write_floor(folder, figure):
    result = store.load(folder)
    if result.noise is None:
        return
    changed = [v.model_copy(update={"figure": figure}) for v in result.noise.variants]
    other = result.noise.variants[0].model_copy(update={"name": "bf16", "figure": 0.9, "same_dtype": False})
    noise = result.noise.model_copy(update={"variants": (*changed, other)})
    (folder / "result.json").write_text(result.model_copy(update={"noise": noise}).model_dump_json())
