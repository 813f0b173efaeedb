"""Recorded outputs: read from three formats alike, and refused in one line where they do not fit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from senbench.errors import SenbenchError, UsageError
from senbench.io import recorded_outputs as io

NAMES = ("Forest", "River", "Lake é")
SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)


def written(path, head, rows):
    path.write_text("\n".join([",".join(head), *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return path


def test_scores_are_the_same_from_three_formats(tmp_path):
    columns = {"id": ["a.jpg", "b.jpg"], "label": ["River", "Forest"]}
    columns |= {f"score_{name}": SCORES[:, k].tolist() for k, name in enumerate(NAMES)}
    written(tmp_path / "a.csv", list(columns), zip(*columns.values(), strict=True))
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    given = {"scores": SCORES, "ids": ["a.jpg", "b.jpg"], "labels": ["River", "Forest"], "class_names": NAMES}
    np.savez(tmp_path / "a.npz", **given)
    for name in ("a.csv", "a.parquet", "a.npz"):
        found = io.check(io.load(tmp_path / name))
        assert (found.kind, found.ids, found.class_names) == ("scores", ("a.jpg", "b.jpg"), NAMES)
        assert np.array_equal(found.values, SCORES) and found.labels.tolist() == ["River", "Forest"]


def test_predictions_and_counts_from_a_table(tmp_path):
    found = io.check(io.load(written(tmp_path / "p.csv", ["ids", "labels", "predictions"], [("a", 0, 1), ("b", 1, 1)])))
    assert (found.kind, found.values.tolist(), found.labels.tolist()) == ("predictions", [1, 1], [0, 1])
    rows = [("x", 5, 1), ("y", 0, 4)]
    found = io.check(io.load(written(tmp_path / "c.csv", ["confusion", "x", "y"], rows)))
    assert (found.kind, found.class_names, found.values.tolist()) == ("confusion", ("x", "y"), [[5, 1], [0, 4]])


def test_what_senbench_keeps_of_a_run_is_read_as_scores(tmp_path):
    columns = {"id": ["a"], "label": ["x"], "prediction": ["y"], "cluster": pa.array([None], pa.string())}
    table = pa.table({**columns, "score_x": [0.1], "score_y": [0.2]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert io.check(io.load(tmp_path / "a.parquet")).kind == "scores"


GOOD = {"scores": SCORES, "labels": np.array([1, 0]), "ids": np.array(["a", "b"]), "class_names": np.array(NAMES)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scores": np.array([[0.1, np.nan, 0.2], [0.5, 0.2, 0.3]])}, "scores of row 0 are not finite: nan"),
        ({"scores": SCORES[:, :1]}, "C at least 2"),
        ({"scores": SCORES[0]}, "scores is float32 of shape"),
        ({"ids": np.array(["a", "a"])}, "ids are not unique, a the first"),
        ({"ids": np.array(["a"])}, "ids are 1, scores have 2 rows"),
        ({"labels": np.array([1, 0, 1])}, "labels is int64 of shape"),
        ({"labels": np.array([0.5, 1.0])}, "expected 2 class indices or names"),
        ({"class_names": np.array(["a", "b"])}, "class_names are 2, scores have 3 columns"),
        ({"class_names": np.array(["a", "b", "a"])}, "class_names holds a name twice"),
        ({"clusters": np.array(["t"])}, "clusters are 1, scores have 2 rows"),
        ({"confusion": np.eye(3)}, "holds both scores and confusion"),
        ({"predictions": np.array([0, 0])}, "not the classes with the best scores, row 0 the first"),
        ({"scores": None}, "neither images, scores, predictions nor confusion"),
        ({"logit_scale": np.array([1.0, 2.0])}, "logit_scale is"),
    ],
)
def test_scores_that_do_not_fit_are_refused(change, says):
    given = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(UsageError, match=says):
        io.check(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"confusion": np.array([[1, 2, 3], [1, 2, 3]])}, "expected counts"),
        ({"confusion": np.array([[1, -1], [0, 2]])}, "other than counts"),
        ({"confusion": np.array([[0.9, 0.1], [0.2, 0.8]])}, "give whole numbers from 0, not shares"),
        ({"confusion": np.zeros((2, 2), int)}, "counts no image"),
        ({"confusion": np.full((2, 2), 10**7)}, "40,000,000 images"),
        ({"confusion": np.eye(2, dtype=int), "labels": np.array([0, 0])}, "counts 1 images of class 0, labels have 2"),
        ({"predictions": np.array([0.5, 1.0]), "labels": np.array([0, 1])}, "expected one class index or name"),
        ({"predictions": np.zeros((2, 2), int)}, "expected one class index or name"),
    ],
)
def test_counts_and_answers_that_do_not_fit_are_refused(given, says):
    with pytest.raises(UsageError, match=says):
        io.check(given)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "id,label\na,1,2\n", "row 2 has 3 cells"),
        ("a.csv", "id,id\na,b\n", "two columns have one name"),
        ("a.csv", "id,label\n", "no row below"),
        ("a.csv", "id,label,prediction\na,,1\n", "column 'label' is empty in row 2"),
        ("a.csv", "id,score_x,score_y\na,1,much\n", "column 'score_y' holds 'much'"),
        ("a.csv", "confusion,x,y\ny,1,2\nx,1,2\n", "not the classes of its columns"),
        ("a.csv", "", "no row below"),
        ("a.parquet", "no parquet", "a.parquet"),
        ("a.txt", "x", "not an .npz"),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path, name, text, says):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(SenbenchError, match=says) as caught:
        io.check(io.load(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    for name in ("a.csv", "a.npz"):
        with pytest.raises(UsageError, match="no such file"):
            io.load(tmp_path / name)
