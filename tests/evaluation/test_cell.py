"""One cell: what is scored, what its result says, and what is written of it."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import stubs

from senbench.embedding.engine import TextEmbeddings
from senbench.evaluation.cell import Cell, Extras, score_cell
from senbench.evaluation.data import EvalData
from senbench.evaluation.embed import Embedder
from senbench.prompts.load import prompts_from_dict
from senbench.results import predictions, store
from senbench.runtime.progress import Silent
from senbench.schema.dataset import ClassEntry, Vocabulary
from senbench.schema.run_spec import RunSpec

CLASSES = Vocabulary(
    id="stub",
    title="stub",
    default_names="own",
    classes=tuple(ClassEntry(key=key, names={"own": key}) for key in stubs.CLASSES),
)


def made(tiles=None, encoder=None, clusters=None, **options) -> SimpleNamespace:
    """A cell with its embeddings."""
    tiles, encoder = tiles or stubs.tiles(), encoder or stubs.StubEncoder()
    spec = RunSpec(models=("m",), prompts=("mine.json",), datasets=("stub",), cache=False, **options)
    pack = prompts_from_dict({key: [f"a {key}", f"the {key}"] for key in stubs.CLASSES}, tiles.info, CLASSES)
    embedder = Embedder.of(encoder, spec, Silent())
    cell = Cell(spec, embedder, EvalData("stub", tiles, (pack,), clusters), pack, "m", "mine.json")
    return SimpleNamespace(cell=cell, images=embedder.images(tiles), texts=embedder.texts(pack.lines))


def test_what_was_asked_and_what_was_done_stand_apart():
    one = made()
    result = score_cell(one.cell, one.images, one.texts, Extras(), None)
    assert (result.resolved.model, result.resolved.prompts, result.resolved.dataset) == ("m", "mine.json", "stub")
    assert (result.model.id, result.prompts.id, result.dataset.id) == ("stub", "custom", "stub")
    assert result.metrics["top1"].value == 1.0
    assert result.complete
    assert result.timings.images_encoded == 60


def test_nothing_is_written_without_a_folder_and_all_of_it_with_one(tmp_path):
    one = made(clusters=np.array(["a", "b"] * 30))
    result = score_cell(one.cell, one.images, one.texts, Extras(), tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name == result.run_id
    assert store.load(folder) == result
    table = predictions.read(folder, result)
    assert list(table.clusters) == ["a", "b"] * 30
    assert {row.split("_")[0] for row in table.ids} == set(stubs.CLASSES)
    assert store.read_thumbnails(folder)


def test_skipped_tiles_are_named_and_leave_it_incomplete():
    one = made(stubs.tiles(bad=[2, 5]), on_error="skip")
    result = score_cell(one.cell, one.images, one.texts, Extras(), None)
    assert not result.complete
    assert len(json.loads(result.model_dump_json())["dataset"]["skipped"]) == 2
    assert any("2 tiles could not be decoded" in line for line in result.warnings)


def test_only_the_cells_own_prompts_count():
    one = made()
    others = {"something else": np.ones(8, np.float32)}
    texts = TextEmbeddings({**one.texts.rows, **others}, 7, 1.5)
    result = score_cell(one.cell, one.images, texts, Extras(), None)
    plain = score_cell(one.cell, one.images, one.texts, Extras(), None)
    assert result.metrics == plain.metrics
    assert (result.timings.texts, result.timings.texts_encoded) == (1.5, 7)


@pytest.mark.parametrize("n", [20, 41])
def test_some_of_the_tiles_are_scored_at_their_own_labels(n):
    one = made()
    chosen = np.random.default_rng(n).permutation(60)[:n]
    found = one.cell.outcome(one.images.rows[chosen], one.texts.rows, one.images.positions[chosen])
    assert found.metrics["top1"].value == 1.0
    assert len(found.scores) == n
    wrong = one.cell.outcome(one.images.rows[chosen], one.texts.rows, one.images.positions[(chosen + 1) % 60])
    assert wrong.metrics["top1"].value < 0.5
