"""Embeddings as CSV and Parquet: the same arrays as an .npz, and one line for each misfit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from senbench.errors import UsageError
from senbench.io.embeddings_npz import check
from senbench.io.recorded_outputs import load

KEYS = ("River, wide", "Lake", "Forêt")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    centres = rng.normal(size=(3, 4))
    return {
        "images": (centres[labels] + rng.normal(size=(30, 4))).astype(np.float32),
        "labels": labels,
        "texts": np.repeat(centres, 2, axis=0).astype(np.float32),
        "text_class": np.repeat(np.arange(3), 2),
        "class_names": np.array(KEYS),
        "ids": np.array([f"tile {k}" for k in range(30)]),
        "clusters": np.array([f"p{k % 7}" for k in range(30)]),
        "logit_scale": np.float64(50),
    }


def table(arrays, *, listed=False, names=True):
    """Prompts first, then images."""
    rows = np.concatenate([arrays["texts"], arrays["images"]])
    label = np.concatenate([arrays["text_class"], arrays["labels"]])
    p, n = len(arrays["texts"]), len(arrays["images"])
    columns = {
        "id": [None] * p + arrays["ids"].tolist(),
        "label": [KEYS[k] if names else int(k) for k in label],
        "text": [f"a photo, {k}" for k in range(p)] + [None] * n,
        "cluster": [None] * p + arrays["clusters"].tolist(),
        "logit_scale": [50.0] + [None] * (p + n - 1),
    }
    columns |= {"embedding": rows.tolist()} if listed else {f"embedding_{k}": rows[:, k] for k in range(rows.shape[1])}
    return pa.table(columns)


def written(folder, kind, given):
    path = folder / f"e.{kind}"
    if kind == "parquet":
        parquet.write_table(given, path)
    else:
        from pyarrow import csv

        csv.write_csv(given, path)
    return path


@pytest.mark.parametrize(("kind", "listed"), [("csv", False), ("parquet", False), ("parquet", True)])
@pytest.mark.parametrize("names", [True, False])
def test_the_same_arrays_as_an_npz(tmp_path, arrays, kind, listed, names):
    found = load(written(tmp_path, kind, table(arrays, listed=listed, names=names)))
    expected = {name: array for name, array in arrays.items() if names or name != "class_names"}
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=name not in ("ids", "clusters", "class_names"))
    assert check(found).class_names == (KEYS if names else ("0", "1", "2"))


def test_images_alone_are_anchors(tmp_path, arrays):
    given = table(arrays).filter(pa.array([False] * 6 + [True] * 30)).drop_columns(["text", "logit_scale"])
    found = load(written(tmp_path, "csv", given))
    assert set(found) == {"images", "labels", "ids", "clusters"}
    assert found["labels"].tolist() == [KEYS[k] for k in arrays["labels"]]


def without(text, name):
    rows = [line.split(",") for line in text.splitlines()]
    at = rows[0].index(name)
    return "\n".join(",".join(cell for k, cell in enumerate(row) if k != at) for row in rows)


GOOD = "id,label,text,embedding_0,embedding_1\n,x,a,1,0\n,y,b,0,1\np,x,,1,0.1\nq,y,,0.2,1\n"
BAD = {
    "no label": (without(GOOD, "label"), "no column 'label'"),
    "gap": (GOOD.replace("embedding_0", "embedding_2"), "column 'embedding_0' is missing"),
    "unknown column": (GOOD.replace("id,", "name,"), "column 'name' is unknown"),
    "twice": (GOOD.replace("id,", "text,"), "two columns have one name"),
    "no number": (GOOD.replace("0.1", "zero"), "zero"),
    "nan": (GOOD.replace("0.1", "nan"), "the embedding of row 4 is empty or not finite"),
    "empty number": (GOOD.replace("0.1", ""), "the embedding of row 4 is empty or not finite"),
    "empty label": (GOOD.replace("p,x", "p,"), "column 'label' is empty in row 4"),
    "empty id": (GOOD.replace("p,x", ",x"), "column 'id' is empty in row 4"),
    "class without prompt": (GOOD.replace("q,y", "q,z"), "label 'z' of row 5 is no class that a prompt has"),
    "short row": (GOOD + "r,x\n", "Expected 5 columns, got 2"),
    "no rows": (GOOD.splitlines()[0] + "\n", "no row below"),
    "ids twice": (GOOD.replace("q,y", "p,y"), "ids are not unique"),
    "no prompts": (without(without(GOOD, "text"), "id"), "no array 'texts'"),
}


@pytest.mark.parametrize("name", BAD)
def test_misfits_are_told_in_one_line(tmp_path, name):
    text, says = BAD[name]
    (tmp_path / "e.csv").write_text(text)
    with pytest.raises(UsageError) as raised:
        check(load(tmp_path / "e.csv"))
    assert says in str(raised.value) and "\n" not in str(raised.value)


def test_line_ends_inside_of_prompts(tmp_path):
    (tmp_path / "e.csv").write_text(GOOD.replace(",a,", ',"a\nphoto",'))
    assert check(load(tmp_path / "e.csv")).texts.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"label": ["x"], "embedding": [[1.0, None]]}, "not finite"),
        ({"label": ["x", "y"], "embedding": [[1.0, 2.0], [1.0]]}, "have lengths [1, 2]"),
        ({"label": ["x"], "embedding": [["a"]]}, "something else than numbers"),
        ({"label": ["x"], "embedding": [[1.0]], "embedding_0": [1.0]}, "or as one column of lists"),
        ({"label": ["x", "y"], "embedding": [[1.0], [1.0]], "logit_scale": [1.0, 2.0]}, "'logit_scale' holds 1.0, 2.0"),
    ],
)
def test_parquet_that_does_not_fit_is_refused(tmp_path, columns, says):
    parquet.write_table(pa.table(columns), tmp_path / "e.parquet")
    with pytest.raises(UsageError) as raised:
        load(tmp_path / "e.parquet")
    assert says in str(raised.value) and "\n" not in str(raised.value)
