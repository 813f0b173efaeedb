"""Outputs recorded elsewhere become results of their own kind: marked, ranked among themselves, compared, validated."""

from __future__ import annotations

import json

import numpy as np
import pytest

from senbench.audit.validate import validate
from senbench.datasets.open import open_dataset
from senbench.errors import UsageError
from senbench.evaluation.recorded_elsewhere import About, score
from senbench.report.citation.citation import cite
from senbench.report.comparison.two_results import compare
from senbench.report.leaderboard import tables
from senbench.report.leaderboard.entries import read_all
from senbench.results import store
from senbench.results.qualifications import codes

SOURCE = "somebody, example.org"
KEYS = ("Field", "Lake", "Town")


def about(**change):
    told = {"model": "clip-vit-b-32", "prompts": "theirs", "dataset": "Zoo of 2020", "source": SOURCE}
    return About(**{**told, **change})


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(1)
    labels = np.arange(300) % 3
    scores = rng.normal(size=(300, 3)).astype(np.float32)
    scores[np.arange(300), labels] += 1
    return {"labels": labels, "scores": scores, "class_names": np.array(KEYS)}


@pytest.fixture(scope="module")
def embedded():
    rng = np.random.default_rng(2)
    texts = rng.normal(size=(6, 16)).astype(np.float16)
    labels = np.arange(300) % 3
    images = (texts[labels * 2] + rng.normal(size=(300, 16)) * 2).astype(np.float16)
    return {"images": images, "texts": texts, "text_class": np.arange(6) // 2, "labels": labels, "class_names": KEYS}


def kept(tmp_path, name, arrays, **change):
    np.savez(tmp_path / f"{name}.npz", **arrays)
    return score(tmp_path / f"{name}.npz", about=about(**change), results=str(tmp_path / "r"))


def every_kind(tmp_path, arrays, embedded):
    answers = arrays["scores"].argmax(axis=1)
    confusion = np.zeros((3, 3), int)
    np.add.at(confusion, (arrays["labels"], answers), 1)
    rest = {"labels": arrays["labels"], "class_names": KEYS}
    return {
        "scores": kept(tmp_path, "s", arrays, prompts="s", declared=True),
        "predictions": kept(tmp_path, "p", {**rest, "predictions": answers}, prompts="p", shots=4, licence="MIT"),
        "confusion": kept(tmp_path, "c", {"confusion": confusion, "class_names": KEYS}, prompts="c", level=2),
        "embeddings": kept(tmp_path, "e", embedded, prompts="e", model="a model of theirs"),
    }


def test_every_kind_is_kept_marked_and_valid(tmp_path, arrays, embedded):
    made = every_kind(tmp_path, arrays, embedded)
    for kind, result in made.items():
        folder = tmp_path / "r" / result.run_id
        assert validate(folder) == []
        again = store.load(folder)
        assert again == result and again.recorded.given == kind and again.protocol == "recorded"
        assert "recorded-elsewhere" in codes(result) and "unknown-model" not in codes(result)
        assert SOURCE in next(line for line in result.warnings if "did not run the model" in line)
    assert len({made[kind].metrics["top1"].value for kind in ("scores", "predictions", "confusion")}) == 1
    assert {kind: result.access_level for kind, result in made.items()} == {
        "scores": 0,
        "predictions": 3,
        "confusion": 2,
        "embeddings": 0,
    }
    assert made["predictions"].zero_shot is False and made["scores"].zero_shot
    assert "half-precision" in codes(made["embeddings"])
    assert (made["scores"].model.title, made["embeddings"].model.title) == ("CLIP ViT-B/32", "a model of theirs")
    assert made["scores"].model.architecture == "ViT-B-32"  # how they built it is not known
    assert made["scores"].dataset.id == "zoo-of-2020"


def test_they_stand_on_boards_of_their_own_and_declared_prompts_are_ranked(tmp_path, arrays, embedded):
    every_kind(tmp_path, arrays, embedded)
    kept(
        tmp_path, "s2", {**arrays, "scores": arrays["scores"] * [1, 0.5, 1]}, prompts="s", model="other", declared=True
    )
    boards = tables.build(read_all(tmp_path / "r")[0])
    assert {board.first.result.protocol for board in boards} == {"recorded"}
    (board,) = [board for board in boards if board.first.result.access_level == 0 and len(board.ranks)]
    assert board.declared == "s" and len(board.ranks) == 2
    assert all(rank.of == 2 for rank in board.ranks.values())


def test_they_are_compared_in_pairs_unless_the_images_have_no_names(tmp_path, arrays, embedded):
    made = every_kind(tmp_path, arrays, embedded)
    folders = {kind: tmp_path / "r" / result.run_id for kind, result in made.items()}
    found = compare(folders["scores"], folders["predictions"])
    assert found.n == 300 and found.change.paired.difference == 0 and found.flips == []
    for first, second in (("confusion", "scores"), ("scores", "confusion")):
        with pytest.raises(UsageError, match="holds a confusion matrix, which names no images"):
            compare(folders[first], folders[second])
    text = cite([made["predictions"]], folders, ("methods",))
    assert text.startswith("Classification") is False and "Zero-shot" not in text
    assert (
        "The models were not run: outputs that were recorded elsewhere" in text and "Images were rendered" not in text
    )


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("metrics.top1.value", 0.9, "metrics.top1.value"),
        ("metrics.top5.value", 0.9, "metrics.top5"),
        ("metrics.nll.interval", "iid", "metrics.nll.interval"),
        ("resolved.recorded.shots", 8, "run_id"),
        ("resolved.recorded.source", "the authors", "run_id"),
        ("resolved.recorded.level", 0, "run_id"),
        ("access_level", 0, "access_level"),
        ("contamination", "none known", "contamination"),
        ("model.title", "Better CLIP", "model.title"),
        ("ensemble", "max", "ensemble"),
        ("confusion.0.0", 77, "confusion"),
        ("protocol", "standard", "protocol"),
    ],
)
def test_what_was_changed_afterwards_is_found(tmp_path, arrays, embedded, field, value, says):
    result = every_kind(tmp_path, arrays, embedded)["predictions"]
    path = tmp_path / "r" / result.run_id / "result.json"
    data = json.loads(path.read_text())
    *names, last = field.split(".")
    at = data
    for name in names:
        at = at[int(name) if isinstance(at, list) else name]
    at[int(last) if isinstance(at, list) else last] = value
    path.write_text(json.dumps(data))
    assert any(says in line for line in validate(path.parent))


def test_tiles_of_a_dataset_are_joined_by_name(tmp_path):
    tiles = open_dataset("demo", split=None, data_dir=None, offline=True)
    order = np.random.default_rng(5).permutation(len(tiles))
    keys = tiles.info.classes
    answers = np.array([keys[k] for k in tiles.tile_labels[order]])
    answers[:40] = keys[0]
    ids = np.array(tiles.tile_ids)[order]
    result = kept(tmp_path, "p", {"ids": ids, "predictions": answers}, dataset="demo")
    assert result.recorded.joined and result.complete and result.dataset.index_hash == tiles.index_hash()
    assert validate(tmp_path / "r" / result.run_id) == []
    assert result.metrics["top1"].value == np.mean(answers == np.array([keys[k] for k in tiles.tile_labels[order]]))
    part = kept(tmp_path, "q", {"ids": ids[:100], "predictions": answers[:100]}, dataset="demo")
    assert not part.complete and "incomplete" in codes(part)


def test_several_labels_need_scores(tmp_path, arrays):
    labels = np.eye(3, dtype=int)[arrays["labels"]] | np.eye(3, dtype=int)[(arrays["labels"] + 1) % 3]
    result = kept(tmp_path, "m", {**arrays, "labels": labels})
    assert result.headline == "map_macro" and validate(tmp_path / "r" / result.run_id) == []
    with pytest.raises(UsageError, match=r"p\.npz: predictions are one class per image, the labels several"):
        kept(tmp_path, "p", {"labels": labels, "predictions": arrays["labels"], "class_names": KEYS})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": " "}, "--source is missing"),
        ({"model": ""}, "--model is missing"),
        ({"shots": 0}, "--shots 0"),
        ({"level": 4}, "--level 4"),
    ],
)
def test_what_must_be_said_of_them(tmp_path, arrays, change, says):
    with pytest.raises(UsageError, match=says):
        kept(tmp_path, "s", arrays, **change)
    assert not (tmp_path / "r").exists()
