from __future__ import annotations

import lucas_files
import numpy as np
import pytest

from senbench.align import pairs
from senbench.errors import UsageError

HEAD = "point_id,tile,photo,direction,lat,lon"
GOOD = ["1,a.tif,p1.jpg,north,47,8", "2,b.tif,p3.jpg,,48,9", "1,a.tif,p2.jpg,east,47,8"]


def written(folder, rows, head=HEAD):
    path = folder / "pairs.csv"
    path.write_text("\n".join([head, *rows, ""]))
    return path


def test_rows_are_gathered_by_point_in_their_order(tmp_path):
    found = pairs.read(written(tmp_path, GOOD))
    assert found.points == ["1", "2"]
    assert found.tiles == ["a.tif", "b.tif"]
    assert found.photo_rows.tolist() == [[0, 2], [1, -1]]
    assert found.photos.to_pylist() == ["p1.jpg", "p3.jpg", "p2.jpg"]
    assert found.latitude.tolist() == [47, 48]
    assert found.held is None
    assert found.place("a.tif") == tmp_path.resolve() / "a.tif"


def test_parquet_is_as_csv(tmp_path):
    path = lucas_files.manifest(tmp_path, 3)
    one = pairs.read(path)
    columns = {name: list(values) for name, values in _columns(path).items()}
    pairs.write(tmp_path / "pairs.parquet", columns)
    other = pairs.read(tmp_path / "pairs.parquet")
    assert (one.points, one.tiles) == (other.points, other.tiles)
    assert np.array_equal(one.photo_rows, other.photo_rows)
    assert np.array_equal(one.latitude, other.latitude)
    assert one.photos.equals(other.photos)


def _columns(path):
    import csv

    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    return {name: [float(r[name]) if name in ("lat", "lon") else r[name] for r in rows] for name in rows[0]}


def test_the_split_of_the_manifest(tmp_path):
    rows = [f"{row},{split}" for row, split in zip(GOOD, ("train", "val", "train"), strict=True)]
    assert pairs.read(written(tmp_path, rows, f"{HEAD},split")).held.tolist() == [False, True]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["1,a.tif,,north,47,8"], r"row 1 \(point 1\) has no photo"),
        (["1,a.tif,p.jpg,n,47,8", "2,, p.jpg,n,47,8"], r"row 2 \(point 2\) has no tile"),
        (["1,a.tif,p.jpg,n,47,8", "1,b.tif,q.jpg,n,47,8"], "point 1 has tile 'a.tif' in row 1 and 'b.tif' in row 2"),
        (["1,a.tif,p.jpg,n,47,8", "1,a.tif,q.jpg,n,48,8"], "point 1 has lat '47'"),
        (["1,a.tif,p.jpg,n,x,8"], "lat 'x', which is no number"),
        (["1,a.tif,p.jpg,n,95,8"], "beyond 90 degrees; are the columns lat and lon exchanged"),
        (["1,a.tif,p.jpg,n,47,188"], "beyond 180"),
        ([f"1,a.tif,p{i}.jpg,n,47,8" for i in range(17)], "has 17 photos"),
        ([], "no rows"),
    ],
)
def test_what_contradicts_itself_is_told(rows, said, tmp_path):
    with pytest.raises(UsageError, match=said) as told:
        pairs.read(written(tmp_path, rows))
    assert "\n" not in str(told.value)


def test_exchanged_columns_of_european_points_are_seen(tmp_path):
    rows = ["1,a.tif,p.jpg,n,8,47,AT", "2,b.tif,q.jpg,n,9,48,AT"]
    with pytest.raises(UsageError, match="exchange the columns"):
        pairs.read(written(tmp_path, rows, f"{HEAD},nuts0"))
    assert pairs.read(written(tmp_path, [r.removesuffix(",AT") for r in rows])).points == ["1", "2"]  # of elsewhere


def test_a_place_may_be_unknown(tmp_path):
    assert np.isnan(pairs.read(written(tmp_path, ["1,a.tif,p.jpg,n,,"])).latitude).all()


def test_columns_and_files_that_are_missing(tmp_path):
    with pytest.raises(UsageError, match="no column 'photo'"):
        pairs.read(written(tmp_path, ["1,a.tif"], "point_id,tile"))
    with pytest.raises(UsageError, match="no such manifest"):
        pairs.read(tmp_path / "none.csv")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(UsageError, match="cannot be read"):
        pairs.read(tmp_path / "x.parquet")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        pairs.read(tmp_path / "x.txt")


def test_a_manifest_is_not_written_over(tmp_path):
    path = written(tmp_path, GOOD)
    with pytest.raises(UsageError, match="there already"):
        pairs.write(path, {"point_id": ["1"]})
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        pairs.write(tmp_path / "x.json", {"point_id": ["1"]})
