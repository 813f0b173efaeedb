"""Files of classified tiles: the same figures in three formats, with the run's qualifications."""

from __future__ import annotations

import csv
import errno
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from rasterio.warp import transform

from senbench.datasets.readers.footprint import Footprint
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.mapping import answer_files
from senbench.evaluation.mapping.settled import Answers
from senbench.evaluation.mapping.tile_answers import TileAnswers

HERE = Footprint("EPSG:32633", 500_000.0, 5_200_000.0, 500_640.0, 5_200_640.0)


@pytest.fixture
def found(settled):
    scores = np.random.default_rng(5).normal(size=(3, 10)).astype(np.float32)
    return TileAnswers(
        settled, "tiles/", ("=a.tif", "b.tif", "c.tif"), Answers.of(scores), (HERE, None, HERE), None, {}, ("a mark",)
    )


def test_parquet_has_a_row_per_tile_and_tells_how_it_was_made(found, settled, tmp_path):
    answer_files.write(found, tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert table["id"].to_pylist() == list(found.ids)
    assert table["class"].to_pylist() == [settled.classes[k] for k in found.answers.best]
    np.testing.assert_array_equal(table["margin"], found.answers.margin)
    for k, key in enumerate(settled.classes):
        np.testing.assert_array_equal(table[f"score_{key}"], found.answers.scores[:, k])
    told = json.loads(table.schema.metadata[b"senbench"])
    assert told["run"] == settled.result.run_id
    assert told["weights_sha256"] == settled.model.digest
    assert told["qualifications"] == ["a mark"]


def test_csv_reads_back_to_the_same_floats_and_runs_no_formula(found, settled, tmp_path):
    first, second = answer_files.write(found, tmp_path / "x.csv")
    rows = list(csv.DictReader(first.open()))
    assert rows[0]["id"] == "'=a.tif"
    assert [np.float32(row["margin"]) for row in rows] == found.answers.margin.tolist()
    assert rows[1]["lon"] == ""
    assert json.loads(second.read_text())["qualifications"] == ["a mark"]


def test_geojson_outlines_tiles_counterclockwise_in_degrees(found, tmp_path):
    answer_files.write(found, tmp_path / "x.geojson")
    whole = json.loads((tmp_path / "x.geojson").read_text())
    ring = whole["features"][0]["geometry"]["coordinates"][0]
    lon, lat = transform(HERE.crs, "EPSG:4326", [HERE.left, HERE.right], [HERE.bottom, HERE.bottom])
    np.testing.assert_allclose(ring[:2], list(zip(lon, lat, strict=True)), atol=1e-9)
    assert ring[0] == ring[-1]
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))
    assert area > 0
    assert whole["features"][1]["geometry"] is None
    assert whole["senbench"]["qualifications"] == ["a mark"]


def test_without_any_position_there_is_no_geojson(found, tmp_path):
    nowhere = TileAnswers(**{**vars(found), "places": (None,) * 3})
    with pytest.raises(UsageError, match=r"no position is known of any tile; write \.parquet or \.csv"):
        answer_files.write(nowhere, tmp_path / "x.geojson")


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "there.csv").touch()
    for name, kind, message in (
        ("x.xlsx", UsageError, r"end it in \.parquet, \.csv, \.geojson"),
        ("there.csv", UsageError, "exists"),
        ("no/x.csv", UnavailableError, "there is no folder"),
    ):
        with pytest.raises(kind, match=message):
            answer_files.checked(str(tmp_path / name))


def test_a_full_disk_leaves_nothing_behind(found, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(self, data):
        write(self, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UnavailableError, match="cannot be written: No space left"):
        answer_files.write(found, tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []
