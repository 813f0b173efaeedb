from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import own_tiles
import pytest
import tile_tables
from tile_tables import CLASSES, rows, tiles_of, whole, write

from senbench.datasets.open import dataset_info, open_dataset
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError, UsageError


def opened(table, split=None, data_dir=None, **how):
    return open_dataset(f"table:{table}", split=split, data_dir=data_dir and str(data_dir), **how)


@pytest.mark.parametrize("name", ["tiles.csv", "tiles.parquet"])
def test_rows_become_tiles_with_their_labels_and_pixels(tmp_path, name):
    table = whole(tmp_path, name)
    tiles = opened(table, "all")
    assert tiles.info.id == f"table:{name}" and tiles.info.classes == CLASSES
    assert tiles.ids == tuple(f"img/t{i}.jpg" for i in range(9))
    assert tiles.labels.tolist() == [0, 1, 2] * 3
    assert tiles.n_expected == 9 and tiles.facts("country") == ["IT", "IT", "IT", "PE"] * 2 + ["IT"]
    for i in range(9):
        from PIL import Image

        assert np.array_equal(tiles.read(i), np.asarray(Image.open(tmp_path / "img" / f"t{i}.jpg")))
    assert str(tmp_path) not in tiles.info.id + tiles.info.title + tiles.source
    assert dataset_info(f"table:{table}") == tiles.info


def test_splits_are_the_column_s_and_test_is_the_default(tmp_path):
    table = whole(tmp_path)
    assert dataset_info(f"table:{table}").splits == {"test": 4, "train": 5, "all": 9}
    assert opened(table).tile_ids == tuple(f"img/t{i}.jpg" for i in (1, 3, 5, 7))
    assert opened(table, "train").labels.tolist() == [0, 2, 1, 0, 2]
    assert np.array_equal(opened(table).read(1), opened(table, "all").read(3))
    with pytest.raises(UsageError, match=r"unknown split of table:tiles.csv 'val'.*all, test, train"):
        opened(table, "val")


def test_positions_are_blocks_of_five_kilometres_in_their_utm_zone(tmp_path):
    tiles = opened(whole(tmp_path), "all")
    clusters = tiles.clusters()
    assert clusters[0] == clusters[1] == clusters[4] != clusters[2]
    assert clusters[0].startswith("EPSG:32632/") and clusters[3].startswith("EPSG:32718/")
    east, north = map(int, clusters[0].split("/")[1].split("_"))
    assert (east, north) == (100, 996)  # 9 E, 45 N: 500,000 E, 4,982,950 N
    assert opened(tmp_path / "tiles.csv").clusters() == [clusters[i] for i in (1, 3, 5, 7)]


def test_a_tile_without_a_position_is_a_cluster_of_its_own(tmp_path):
    table = rows()
    table[4]["lat"] = table[5]["lon"] = ""
    tiles_of(tmp_path, table)
    clusters = opened(write(tmp_path / "t.csv", table), "all").clusters()
    assert clusters[4:6] == ["unlocated/img/t4.jpg", "unlocated/img/t5.jpg"]


def test_clusters_of_the_table_come_before_positions(tmp_path):
    table = [{**row, "cluster": f"field {i // 3}"} for i, row in enumerate(rows())]
    table[8]["cluster"] = ""
    tiles_of(tmp_path, table)
    clusters = opened(write(tmp_path / "t.csv", table), "all").clusters()
    assert clusters == ["field 0"] * 3 + ["field 1"] * 3 + ["field 2"] * 2 + ["unlocated/img/t8.jpg"]


def test_several_labels(tmp_path):
    table = rows(4)
    tiles_of(tmp_path, table)
    several = [["pond"], ["orchard", "pond"], [], ["bare soil", "pond"]]
    flat = [{"path": row["path"], "labels": "; ".join(keys)} for row, keys in zip(table, several, strict=True)]
    deep = [{"path": row["path"], "tags": keys} for row, keys in zip(table, several, strict=True)]
    for name in (write(tmp_path / "t.csv", flat), f"{write(tmp_path / 't.parquet', deep)}?label=tags"):
        tiles = opened(name)
        assert tiles.info.task == "multi-label" and tiles.info.classes == CLASSES
        assert tiles.labels.astype(int).tolist() == [[0, 0, 1], [0, 1, 1], [0, 0, 0], [1, 0, 1]]


def test_other_columns_by_name_are_part_of_the_dataset_s(tmp_path):
    table = [{"file": row["path"], "first": row["label"], "second": str(i % 2)} for i, row in enumerate(rows())]
    tiles_of(tmp_path, rows())
    where = write(tmp_path / "t.csv", table)
    tiles = opened(f"{where}?image=file&label=second")
    assert tiles.info.classes == ("0", "1") and tiles.info.id == "table:t.csv?label=second"
    assert opened(f"{where}?image=file&label=first").info.classes == CLASSES


@pytest.mark.parametrize(("between", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "utf-8")])
def test_tables_as_spreadsheets_save_them(tmp_path, between, encoding):
    table = rows()
    tiles_of(tmp_path, table)
    assert opened(write(tmp_path / "t.csv", table, between, encoding), "all").labels.tolist() == [0, 1, 2] * 3


def test_classes_are_in_natural_order(tmp_path):
    table = [{"path": row["path"], "label": i + 8} for i, row in enumerate(rows(4))]
    tiles_of(tmp_path, table)
    for name in ("t.csv", "t.parquet"):
        assert opened(write(tmp_path / name, table)).info.classes == ("8", "9", "10", "11")


def test_paths_below_the_table_may_be_absolute_and_others_need_their_folder(tmp_path):
    table = rows()
    tiles_of(tmp_path / "data", table)
    absolute = [{**row, "path": str(tmp_path / "data" / row["path"])} for row in table]
    where = write(tmp_path / "tables" / "t.csv", absolute)
    with pytest.raises(UsageError, match=r"row 2: .*t0.jpg lies outside the folder of the table.*--data-dir"):
        opened(where)
    tiles = opened(where, data_dir=tmp_path / "data")
    assert tiles.ids[0] == "img/t1.jpg" and tiles.read(0).shape == (30, 40, 3)
    with pytest.raises(UnavailableError, match=r"none of its files .* img/t0.jpg the first.*give that folder"):
        opened(write(tmp_path / "tables" / "u.csv", table))
    up = [{**row, "path": f"../data/{row['path']}"} for row in table]
    assert opened(write(tmp_path / "tables" / "v.csv", up)).read(0).shape == (30, 40, 3)


def test_digital_numbers_go_through_the_same_reader_as_a_folder(tmp_path):
    own_tiles.folder(tmp_path, epsg=32633)
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*.tif"))
    table = [{"path": path, "label": path.split("/")[0], "split": "ab"[i % 2]} for i, path in enumerate(paths)]
    tiles, folder = opened(write(tmp_path / "t.csv", table), "b"), own_tiles.opened(tmp_path)
    assert (tiles.info.bands, tiles.info.unit, tiles.info.level) == (own_tiles.FOUR, "dn", "L2A")
    for i, place in enumerate((1, 3)):
        assert np.array_equal(tiles.read(i), folder.read(place))
        assert np.array_equal(tiles.reader.bands(i, ("B08",)), folder.reader.bands(place, ("B08",)))
        assert tiles.key(i) == folder.key(place)
    assert tiles.clusters() == [folder.clusters()[i] for i in (1, 3)]
    assert tiles.facts_of_source["dn_offset"] == 1000
    assert opened(tmp_path / "t.csv", "b", dn_offset="0").reader.bands(0, ("B02",)).max() > 1000


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda t: [{"file": r["path"], "label": r["label"]} for r in t],
            r"no column 'path'; it has file, label",
        ),
        (lambda t: [{"path": r["path"], "kind": r["label"]} for r in t], r"no column 'label'; it has path, kind.*--la"),
        (lambda t: [{**r, "labels": "x"} for r in t], "has the columns label and labels: choose one"),
        (lambda t: [*t, t[2]], r"row \d+: img/t2.jpg is there already, in row \d"),
        (lambda t: [*t, {**t[0], "path": ""}], r"row \d+: column 'path' names no file \(''\)"),
        (lambda t: [*t, {**t[0], "path": "x.jpg", "label": " "}], r"row \d+: column 'label' has no label"),
        (lambda t: [{**r, "label": "one"} for r in t], "1 class, need at least 2"),
        (
            lambda t: [*t, {**t[0], "path": "x.jpg", "label": "Pond"}],
            r"classes .* differ in marks or case",
        ),
        (lambda t: [{**r, "split": "all"} for r in t], r"row \d: a split cannot be called 'all'"),
        (lambda t: [{k: v for k, v in r.items() if k != "lat"} for r in t], "one of the columns lat and lon"),
        (lambda t: [*t, {**t[0], "path": "x.jpg", "lat": 91.5}], r"row \d+: lat 91.5 is outside -90 to 90"),
        (lambda t: [*t, {**t[0], "path": "x.jpg", "lon": -200.0}], r"row \d+: lon -200.0 is outside -180 to 180"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line_with_its_row(tmp_path, name, change, says):
    tiles_of(tmp_path, rows())
    with pytest.raises(UsageError, match=says) as error:
        opened(write(tmp_path / name, change(rows())))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "says", "kind"),
    [
        (b"", "it is empty; expected a header", UsageError),
        (b"path,label\n", "it has no row", UsageError),
        (b"path,label\na.jpg\n", "row 2 has 1 values, the header 2", UsageError),
        (b"path,label,label\na.jpg,x,y\n", "column 'label' is there twice", UsageError),
        (b"path,label\na.jpg,\xff\n", "not a text file in UTF-8", UsageError),
        (b'path,label\n"a.jpg,x\n', "not a CSV file", UsageError),
        (b"path,label,lat,lon\na.jpg,x,north,1\nb.jpg,y,1,1\n", "row 2: lat 'north' is no number", UsageError),
    ],
)
def test_what_is_no_table(tmp_path, data, says, kind):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(kind, match=says):
        opened(tmp_path / "t.csv")


def test_what_is_no_table_at_all(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UnavailableError, match="cannot be read as Parquet"):
        opened(tmp_path / "t.parquet")
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"a table ends in .csv"):
        opened(tmp_path / "t.xlsx")
    with pytest.raises(UsageError, match="no such file"):
        opened(tmp_path / "u.csv")
    with pytest.raises(UsageError, match="no option 'split'; it has image, label"):
        opened(f"{whole(tmp_path)}?split=x")
    with pytest.raises(UsageError, match=r"--data-dir .*no such folder"):
        opened(whole(tmp_path), data_dir=tmp_path / "none")


def test_a_damaged_or_missing_tile_is_named(tmp_path):
    table = whole(tmp_path)
    tiles = opened(table, "all")
    (tmp_path / "img" / "t2.jpg").write_bytes((tmp_path / "img" / "t2.jpg").read_bytes()[:200])
    (tmp_path / "img" / "t3.jpg").unlink()
    with pytest.raises(TileError, match=r"img/t2.jpg in tiles.csv"):
        tiles.read(2)
    with pytest.raises(TileError, match=r"img/t3.jpg in tiles.csv: No such file"):
        tiles.key(3)


def test_a_changed_table_is_read_anew(tmp_path):
    table = whole(tmp_path)
    assert len(opened(table, "all")) == 9
    write(table, rows(6))
    assert len(opened(table, "all")) == 6


def test_no_heavy_import_for_a_table_of_pictures(tmp_path):
    code = (
        "import sys; from senbench.datasets.open import open_dataset\n"
        f"open_dataset('table:{whole(tmp_path)}', split=None, data_dir=None)\n"
        "sys.exit(', '.join({'torch', 'torchgeo', 'pandas', 'rasterio', 'datasets'} & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_many_rows_open_in_little_time_and_memory(tmp_path):
    """CPU seconds of the best of three, since a busy machine makes these longer too."""
    n = 120_000
    (tmp_path / "img").mkdir()
    tile_tables.tiles_of(tmp_path, [{"path": "img/0.jpg"}])
    with (tmp_path / "t.csv").open("w") as stream:
        stream.write("path,label,split,lat,lon,country\n")
        for i in range(n):
            split = "test" if i % 2 else "train"
            stream.write(f"img/{i}.jpg,class {i % 10},{split},{45 + i % 999 / 500},{9 + i % 997 / 300},IT\n")
    shutil.copy(tmp_path / "img" / "0.jpg", tmp_path / "img" / "6000.jpg")
    code = (
        "import time; from pathlib import Path\n"
        "from senbench.datasets.open import open_dataset\n"
        f"tiles = open_dataset('table:{tmp_path}/t.csv', split='all', data_dir=None)\n"
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "print(len(tiles), time.process_time(), int(peak) // 1024)"
    )
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        count, seconds, mebibytes = map(float, done.stdout.split())
        assert count == n and mebibytes < 300, done.stdout
        if seconds < 3:
            return
    raise AssertionError(done.stdout)
