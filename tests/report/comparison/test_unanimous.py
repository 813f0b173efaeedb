"""Tiles that no run of a set gets right: found, listed with all answers, and asked about, never corrected."""

from __future__ import annotations

import csv
import re

import answers
import numpy as np
import pytest

from senbench.errors import UsageError
from senbench.report.comparison import unanimous
from senbench.results import store

EVIL = "</style></script><img src=x onerror=alert(1)>"
LABELS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
GIVEN = np.array(
    [
        [1, 0, 1, 1, 0, 2, 2, 0, 0, 1],
        [2, 1, 0, 1, 0, 2, 2, 0, 1, 2],
        [1, 1, 1, 1, 0, 0, 2, 0, 1, 1],
    ]
)
"""Answers of three runs: rows 0, 4, 5, 7 and 8 are right in none."""


def save(folder, row, labels=LABELS, **options):
    return answers.save(
        folder, answers.one_hot(GIVEN[row][: len(labels)]), labels, weights=f"{row}" * 64, accept_pixels=True, **options
    )


@pytest.fixture
def folders(tmp_path):
    return [save(tmp_path, row) for row in range(3)]


def test_tiles_right_in_no_run_with_their_answers_by_agreement(folders):
    found = unanimous.collect(folders)
    assert (found.n, found.left_out) == (10, 0)
    assert found.supports == {"Field": 3, "Lake": 3, "Town": 4}
    assert [(tile.id, tile.label, tile.answers) for tile in found.tiles] == [
        ("tile_0004", "Lake", (("Field", 3),)),
        ("tile_0007", "Town", (("Field", 3),)),
        ("tile_0000", "Field", (("Lake", 2), ("Town", 1))),
        ("tile_0005", "Lake", (("Town", 2), ("Field", 1))),
        ("tile_0008", "Town", (("Lake", 2), ("Field", 1))),
    ]
    assert found.by_class() == [("Lake", 2, 3, "Field"), ("Town", 2, 4, "Field"), ("Field", 1, 3, "Lake")]
    assert found.as_json()["tiles"][2] == {"id": "tile_0000", "label": "Field", "answers": {"Lake": 2, "Town": 1}}


def test_a_run_named_twice_counts_once(folders):
    assert unanimous.collect([*folders, folders[0]]).runs == unanimous.collect(folders).runs
    with pytest.raises(UsageError, match="1 run is not enough"):
        unanimous.collect([folders[0], folders[0]])


def test_only_tiles_of_all_runs_are_looked_at_and_the_others_counted(folders, tmp_path):
    few = save(tmp_path, 1, LABELS[:8])
    found = unanimous.collect([folders[0], few])
    assert (found.n, found.left_out) == (8, 2)
    assert {tile.id for tile in found.tiles} == {"tile_0000", "tile_0004", "tile_0005", "tile_0007"}
    ids = tuple(f"other_{i}" for i in range(10))
    with pytest.raises(UsageError, match="no tile was evaluated by all 2 runs"):
        unanimous.collect([folders[0], save(tmp_path / "other", 1, change={"ids": ids})])


def test_other_labels_and_several_labels_are_refused(folders, tmp_path):
    labels = LABELS.copy()
    labels[3] = 2
    with pytest.raises(UsageError, match=r"1 tiles have other labels in .* than in .*, tile_0003 the first"):
        unanimous.collect([folders[0], save(tmp_path / "other", 1, labels)])
    multi = np.eye(3, dtype=bool)[LABELS]
    with pytest.raises(UsageError, match="is multi-label: only an answer of one class"):
        unanimous.collect([folders[0], save(tmp_path / "multi", 1, multi)])


def test_the_page_asks_and_shows_hostile_names_as_text(tmp_path):
    ids = tuple(f"{EVIL}{i:04}" for i in range(10))
    folders = [save(tmp_path, row, change={"ids": ids}) for row in range(3)]
    found = unanimous.collect(folders)
    kept = {name: data for name, (_, data) in store.read_thumbnails(folders[0]).items()}
    page = unanimous.render(found, {name: kept[name] for name in list(kept)[:8] if name in kept})
    assert "Nothing is corrected" in page and "<img src=x" not in page
    assert re.findall(r"<script|https?://", page) == []
    shown = page.count('<img src="data:image/webp;base64,')
    assert 0 < shown < len(found.tiles)
    assert shown + page.count("&lt;img src=x onerror=alert(1)&gt;00") - 2 * shown == len(found.tiles)
    assert unanimous.wanted(found.tiles, kept) == []
    assert unanimous.wanted(found.tiles, {}) == [tile.id for tile in found.tiles]


@pytest.mark.shared
def test_on_ten_recorded_prediction_sets_1047_tiles_are_never_right(shared):
    with np.load(shared / "recorded" / "clip-vit-b-32_eurosat_few-shot_predictions.npz") as held:
        sets = np.stack([held[name] for name in held.files if name.endswith("shot")])
        rows = unanimous.never_right(held["labels"], sets)
        names = set(held["ids"][rows].tolist())
    assert sets.shape == (10, 27000)
    assert len(rows) == 1047
    with (shared / "recorded" / "never-right.csv").open(encoding="utf-8", newline="") as stream:
        of_all_heads = {row["id"] for row in csv.DictReader(stream)}
    assert len(of_all_heads) == 547 and of_all_heads <= names
