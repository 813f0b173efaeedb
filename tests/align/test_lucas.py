from __future__ import annotations

import lucas_files
import pyarrow as pa
import pytest

from senbench.align import lucas
from senbench.errors import UsageError


@pytest.mark.parametrize("year", [2018, 2022])
def test_both_schemes_give_four_photos_a_point_and_not_the_point_itself(year, tmp_path):
    lucas_files.survey(tmp_path, 3, year)
    found = lucas.pairs(tmp_path / "photos", tmp_path / "points.csv", tmp_path / "tiles", tmp_path)
    assert found.rows["direction"][:4] == ["north", "east", "south", "west"]
    assert len(found.rows["photo"]) == 12
    assert found.rows["photo"][0] == "photos/" + lucas_files.photo_name(0, "N", year)
    assert found.rows["tile"][0] == f"tiles/{lucas_files.point_id(0)}.png"
    assert (found.rows["lat"][4], found.rows["lon"][4]) == lucas_files.place(1)
    assert set(found.rows["nuts0"]) == {"AT"}
    assert found.counts["points paired"] == 3


def test_points_without_a_tile_a_photo_or_a_row_are_counted(tmp_path):
    lucas_files.survey(tmp_path, 4)
    (tmp_path / "tiles" / f"{lucas_files.point_id(0)}.png").unlink()
    for direction in "NESWP":
        (tmp_path / "photos" / lucas_files.photo_name(1, direction, 2018)).unlink()
    (tmp_path / "photos" / lucas_files.photo_name(2, "E", 2018)).unlink()
    lines = (tmp_path / "points.csv").read_text().splitlines()
    (tmp_path / "points.csv").write_text("\n".join(lines[:-1]))
    found = lucas.pairs(tmp_path / "photos", tmp_path / "points.csv", tmp_path / "tiles", tmp_path)
    assert set(found.rows["point_id"]) == {lucas_files.point_id(2)}
    assert found.rows["direction"] == ["north", "south", "west"]
    assert list(found.counts.values()) == [3, 3, 3, 1, 3, 1]


@pytest.mark.parametrize(
    "text",
    [
        "point_id;th_lat;th_long\n45802800;47.5;8.5\n",
        "\ufeffPOINT_ID,POINT_LAT,POINT_LONG,POINT_NUTS0\n45802800.0,47.5,8.5,\n",
    ],
)
def test_tables_of_several_years_are_read(text, tmp_path):
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    found = lucas.read_survey(tmp_path / "points.csv")
    assert found == {"45802800": {"lat": 47.5, "lon": 8.5, "nuts0": None, "date": None}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("point_id,th_lat\n1,2\n", "no column of the point's lon"),
        ("point_id,th_lat,th_long\n45802800,north,8\n", "line 2 has lat 'north'"),
        ("point_id,th_lat,th_long\n45802800,47\n", "line 2 has lon ''"),
        ("point_id,th_lat,th_long\n", "no rows"),
    ],
)
def test_tables_that_are_none_are_told(text, said, tmp_path):
    (tmp_path / "points.csv").write_text(text)
    with pytest.raises(UsageError, match=said):
        lucas.read_survey(tmp_path / "points.csv")


def test_two_files_of_one_point_are_refused(tmp_path):
    lucas_files.survey(tmp_path, 2)
    point = lucas_files.point_id(0)
    copy = tmp_path / "photos" / f"{point}N.jpg"
    copy.write_bytes(b"")
    with pytest.raises(UsageError, match="same point's photo"):
        lucas.photos_of(tmp_path / "photos")
    copy.unlink()
    (tmp_path / "tiles" / f"s2_{point}_2018.tif").write_bytes(b"")
    with pytest.raises(UsageError, match=f"both of point {point}"):
        lucas.tiles_of(tmp_path / "tiles")


def test_folders_that_hold_nothing_of_the_kind_are_told(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        lucas.photos_of(tmp_path / "none")
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="no photo named as in 2018"):
        lucas.photos_of(tmp_path)
    with pytest.raises(UsageError, match="no image whose name"):
        lucas.tiles_of(tmp_path)


def test_keys_are_those_of_the_published_embeddings():
    photos = [
        "AT/458/028/45802814N.jpg",
        "202245802814LCLU_West.jpg",
        "AT_45802814S",
        "x/AT_45802814E.jpg",
        "other.jpg",
    ]
    assert lucas.keys_of(pa.array(photos), None, None) == [
        "AT_45802814N", None, "AT_45802814S", "AT_45802814E", None,
    ]  # fmt: skip
    assert lucas.keys_of(pa.array(photos[1:2]), pa.array(["DE"]), None) == ["DE_45802814W"]
