"""`predictions.parquet`: written small, read back as it was, refused where it is of other classes."""

from __future__ import annotations

import numpy as np
import pytest
import runs
from changed_results import changed
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.results import predictions, store


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return runs.three(tmp_path_factory.mktemp("three"))


def test_predictions_are_written_small_and_whole(three):
    from pyarrow import parquet

    r = store.load_all(three)[0]
    file = parquet.ParquetFile(three / r.run_id / "predictions.parquet")
    encodings = {c.path_in_schema: c.encodings for c in (file.metadata.row_group(0).column(i) for i in range(7))}
    assert "BYTE_STREAM_SPLIT" in encodings["score_Lake"]
    assert "DELTA_BYTE_ARRAY" in encodings["id"]


@pytest.mark.slow
def test_predictions_open_with_datasets(three, tmp_path):
    from datasets import load_dataset

    r = store.load_all(three)[0]
    path = str(three / r.run_id / "predictions.parquet")
    data = load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path))
    assert len(data) == 200
    assert data.features["score_Lake"].dtype == "float32"
    assert sum(row["label"] == row["prediction"] for row in data) / 200 == r.metrics["top1"].value


def results_of(folder):
    """A single-label and a multi-label result of one folder."""
    return runs.run(folder, "one"), runs.run(folder, "several", tiles=runs.multi())


@given(st.integers(1, 30), st.booleans(), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_read(both, n, clustered, several, random):
    folder, result = both
    rng = np.random.default_rng(random.randrange(1 << 32))
    classes = len(result[several].dataset.classes)
    labels = rng.random((n, classes)) < 0.4 if several else rng.integers(0, classes, n)
    table = predictions.Predictions(
        ids=tuple(f"tile é{i}" for i in rng.permutation(n)),
        labels=labels,
        clusters=np.array([f"c{k}" for k in rng.integers(0, 3, n)]) if clustered else None,
        scores=rng.normal(size=(n, classes)).astype(np.float32),
        predicted=None if several else rng.integers(0, classes, n),
    )
    predictions.write(folder, result[several], table)
    found = predictions.read(folder, result[several])
    assert found.ids == table.ids
    for name in ("labels", "clusters", "scores", "predicted"):
        np.testing.assert_array_equal(getattr(found, name), getattr(table, name))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    return folder, results_of(folder)


def test_labels_of_an_image_as_text():
    classes = ("a", "b", "c")
    several = predictions.Predictions(("x", "y"), np.array([[1, 0, 1], [0, 0, 0]], bool), None, np.zeros((2, 3)), None)
    assert [several.label_text(i, classes) for i in range(2)] == ["a; c", ""]
    one = predictions.Predictions(("x",), np.array([2]), None, np.zeros((1, 3)), np.array([0]))
    assert one.label_text(0, classes) == "c"


def test_predictions_of_other_classes_are_refused(both):
    folder, (one, _) = both
    table = predictions.Predictions(("x",), np.array([0]), None, np.zeros((1, 3), np.float32), np.array([0]))
    predictions.write(folder, one, table)
    with pytest.raises(UsageError, match="column 'score_Town' is not expected"):
        predictions.read(folder, changed(one, dataset={"classes": ("Field", "Lake")}))
    with pytest.raises(UsageError, match="is missing in nowhere"):
        predictions.read(folder / "nowhere", one)
