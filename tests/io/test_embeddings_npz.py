"""Embeddings files: arrays checked against each other, never unpickled."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import SenbenchError, UnavailableError, UsageError
from senbench.io.embeddings_npz import OPTIONAL, REQUIRED, check, load


def arrays(**change):
    """Five images of two classes, three texts; a change to None leaves an array out."""
    rng = np.random.default_rng(0)
    given = {
        "images": rng.normal(size=(5, 4)).astype(np.float32),
        "labels": np.array([0, 1, 1, 0, 1]),
        "texts": rng.normal(size=(3, 4)),
        "text_class": np.array([0, 1, 1]),
    } | change
    return {name: np.asarray(array) for name, array in given.items() if array is not None}


def test_what_is_right_comes_in_its_final_types():
    found = check(arrays(labels=np.array([0, 1, 1, 0, 1], np.uint8), logit_scale=np.float32(20), logit_bias=-3))
    assert (found.labels.dtype, found.text_class.dtype, found.multi_label) == (np.int64, np.int64, False)
    assert (found.logit_scale, found.logit_bias, found.class_names) == (20.0, -3.0, ("0", "1"))
    assert (found.clusters, found.template_aligned, found.warnings) == (None, False, ())
    several = check(arrays(labels=np.eye(5, 3, dtype=int), template_aligned=True, clusters=list("aabbb")))
    assert several.multi_label and several.labels.dtype == bool and several.template_aligned
    assert several.class_names == ("0", "1", "2") and several.clusters.tolist() == list("aabbb")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"texts": None}, "no array 'texts'; the file holds images, labels, text_class"),
        ({"texts": np.ones((3, 5))}, "images have 4 columns, texts 5"),
        ({"images": np.ones(4)}, r"images is float64 of shape \(4,\)"),
        ({"images": np.ones((0, 4))}, "none empty"),
        ({"text_class": [0, 1]}, r"text_class is int64 of shape \(2,\); expected 3 integers, as many as texts"),
        ({"text_class": [0, 1, -1]}, r"text_class is -1 in row 2; expected 0\.\.1"),
        ({"labels": [0, 1, 1, 0, 2]}, r"labels is 2 in row 4; expected 0\.\.1"),
        ({"labels": [0] * 5, "text_class": [0] * 3}, "there is a single class"),
        ({"labels": np.full((5, 2), 0.5)}, "multi-hot labels hold 0.5 in row 0"),
        ({"labels": np.zeros((4, 2))}, r"expected \(5,\) integers or \(5, classes\)"),
        ({"logit_scale": 0}, "logit_scale is 0; expected the positive multiplier"),
        ({"logit_scale": np.nan}, "expected one finite number"),
        ({"ids": list("aabcd")}, "ids are not unique"),
        ({"class_names": ["a", "b"], "clusters": ["x"]}, "clusters is .* expected 5 strings or integers"),
        ({"template_aligned": "yes"}, "expected one true or false"),
    ],
)
def test_what_does_not_fit_is_named(change, says):
    with pytest.raises(UsageError, match=says) as error:
        check(arrays(**change))
    assert "\n" not in str(error.value)


def test_what_a_reader_must_know():
    found = check(arrays(logit_scale=4.6052, colour=1))
    assert found.warnings == (
        "array 'colour' is unknown and ignored",
        "logit_scale 4.6052 looks like a logarithm; its exponential is 100",
    )
    assert check(arrays(logit_scale=6.0)).warnings == check(arrays(logit_scale=1.0)).warnings == ()


@given(
    st.dictionaries(
        st.sampled_from(REQUIRED + OPTIONAL),
        st.sampled_from([np.ones(3), np.ones((5, 4)), np.array("x"), np.array([], int), np.zeros((2, 2, 2), bool)]),
    )
)
def test_any_arrays_pass_or_are_refused_in_one_line(change):
    try:
        found = check(arrays(**change))
    except SenbenchError as error:
        assert "\n" not in str(error)
    else:
        assert len(found.images) == len(found.labels) and len(found.texts) == len(found.text_class)


def test_files(tmp_path):
    file = tmp_path / "e.npz"
    with pytest.raises(UsageError, match="no such file"):
        load(file)
    np.savez(file, **arrays())
    assert set(load(file)) == set(REQUIRED)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnavailableError, match=r"e\.npz is damaged"):
        load(file)
    file.write_bytes(b"text")
    with pytest.raises(UsageError, match=r"is not an \.npz"):
        load(file)
    np.savez(file, images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UsageError, match="array 'images' holds Python objects"):
        load(file)


def test_classes_without_a_text_are_never_counted_up():
    with pytest.raises(UsageError, match=r"text_class is 1000000000 in row 2, but there are 3 texts"):
        check(arrays(text_class=np.array([0, 1, 10**9])))


def _npz(path, header: bytes, **how):
    with zipfile.ZipFile(path, "w", **how) as archive:
        archive.writestr("images.npy", header)
    return path


def test_what_a_header_announces_is_held_against_the_file(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": (10**9, 512), "fortran_order": False, "descr": "<f4"})
    with pytest.raises(UnavailableError, match=r"'images' announces shape .* 2,048,000,000,128 bytes, and has 136"):
        load(_npz(tmp_path / "announced.npz", stream.getvalue() + b"12345678"))
    zeros = _npz(tmp_path / "zeros.npz", bytes(1 << 27), compression=zipfile.ZIP_DEFLATED)
    assert zeros.stat().st_size < 200_000
    with pytest.raises(UsageError, match="and would unpack to 134,217,728; embeddings are never that empty"):
        load(zeros)


def test_numbers_beyond_64_bits_are_told_as_they_are():
    with pytest.raises(UsageError, match=f"text_class is {2**63} in row 2; expected the number of a class"):
        check(arrays(text_class=np.array([0, 1, 2**63], np.uint64)))
