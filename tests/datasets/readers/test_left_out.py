"""Files that are not read, counted by reason; the natural order of names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from senbench.datasets.readers.left_out import beside, left_out, natural


def test_files_are_counted_by_suffix_and_the_first_are_named():
    names = [f"a/x_{i}.part" for i in range(12, 0, -1)] + ["a/README", "b/y.NPY"]
    found = {one.reason: (one.n, one.names) for one in left_out(names)}
    assert found == {
        "no suffix": (1, ("a/README",)),
        "suffix .npy": (1, ("b/y.NPY",)),
        "suffix .part": (12, tuple(f"a/x_{i}.part" for i in range(1, 6))),
    }


def test_what_lies_beside_tiles_is_no_tile():
    assert all(map(beside, ("x.tif.aux.xml", "notes.TXT", "x.tfw", "labels.csv")))
    assert not any(map(beside, ("x.jpg.part", "x.npy", "x.heic", "x")))


@given(st.lists(st.text(alphabet="ab_019", min_size=1, max_size=8), unique=True))
def test_natural_order_is_total_and_orders_numbers(names):
    assert len({repr(natural(n)) for n in names}) == len(names)
    backwards = names[::-1]
    assert sorted(names, key=natural) == sorted(backwards, key=natural)
    numbers = sorted({len(n) for n in names})
    assert sorted((f"t_{n}" for n in numbers), key=natural) == [f"t_{n}" for n in numbers]
