from __future__ import annotations

import datasets
import numpy as np
import pytest

from senbench.datasets.hub.features import ImageColumn, class_keys, image_column, label_column, labels_of
from senbench.errors import UsageError

TEXT, NAMES = datasets.Value("string"), datasets.ClassLabel(names=["a", "b"])


@pytest.mark.parametrize(
    ("kind", "encoded"),
    [
        (datasets.Image(), True),
        (datasets.Value("binary"), True),
        ({"bytes": datasets.Value("binary"), "path": TEXT}, True),
        (datasets.Array2D(shape=(2, 2), dtype="uint8"), False),
        (datasets.Array3D(shape=(2, 2, 3), dtype="uint16"), False),
        (datasets.List(datasets.List(datasets.Value("int64"))), False),
        ([[[datasets.Value("float32")]]], False),
    ],
)
def test_what_can_be_an_image(kind, encoded):
    features = {"id": TEXT, "it": kind, "label": NAMES}
    assert image_column(features, None, "t") == ImageColumn("it", encoded)
    assert image_column(features, "it", "t").encoded is encoded


def test_an_image_comes_before_bytes_and_bytes_before_arrays():
    features = {"box": [[datasets.Value("int64")]], "raw": datasets.Value("binary"), "pic": datasets.Image()}
    assert image_column(features, None, "t").name == "pic"
    del features["pic"]
    assert image_column(features, None, "t").name == "raw"
    with pytest.raises(UsageError, match="t: no column of images, bytes or arrays; it has label"):
        image_column({"label": NAMES}, None, "t")


def test_labels_by_name_then_by_class_names():
    assert label_column({"soil": NAMES, "label": TEXT}, None, "t").name == "label"
    assert label_column({"soil": NAMES, "note": TEXT}, None, "t") == ("soil", ("a", "b"), "single-label")
    assert label_column({"soil": datasets.List(NAMES)}, None, "t") == ("soil", ("a", "b"), "multi-label")
    with pytest.raises(UsageError, match="columns label, labels may hold the labels"):
        label_column({"label": NAMES, "labels": NAMES}, None, "t")
    with pytest.raises(UsageError, match="no column of labels is known as such; it has note"):
        label_column({"note": TEXT}, None, "t")
    with pytest.raises(UsageError, match="column 'label' holds no labels"):
        label_column({"label": datasets.Value("float32")}, None, "t")


def test_classes_of_values_are_in_natural_order_over_all_splits():
    column = label_column({"label": TEXT}, None, "t")
    assert class_keys(column, [["b10", "b2"], ["b1"]]) == ("b1", "b2", "b10")
    numbers = label_column({"label": datasets.Value("int64")}, None, "t")
    assert class_keys(numbers, [[10, 9]]) == ("9", "10")
    assert labels_of(numbers, [10, 9], ("9", "10"), "t").tolist() == [1, 0]
    several = label_column({"label": datasets.List(TEXT)}, None, "t")
    assert class_keys(several, [[["x"], None, ["a", "x"]]]) == ("a", "x")
    hot = labels_of(several, [["x"], None, ["a", "x"]], ("a", "x"), "t")
    assert np.array_equal(hot, [[False, True], [False, False], [True, True]])
