from __future__ import annotations

import io
import json

import hub_datasets
import numpy as np
import pytest
from hub_datasets import CLASSES, SHAPES, N, host
from hub_server import COMMIT
from PIL import Image

from senbench.datasets import radiometry
from senbench.datasets.hub import by_name
from senbench.datasets.open import dataset_info, open_dataset, pinned, prepare_dataset
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError, UsageError


@pytest.fixture(autouse=True)
def hosted(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    by_name._loaded.cache_clear()
    return hub


def opened(name, split=None, **how):
    return open_dataset(f"hf:{name}", split=split, data_dir=None, **how)


def theirs(folder):
    import datasets

    return datasets.load_dataset(str(folder), split="test")


EXPECTED = {
    "class-label": (CLASSES, [0, 1, 2] * 2),
    "text-label": (CLASSES, [0, 1, 2] * 2),
    "several-numbers": (CLASSES, [[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]]),
    "several-texts": (CLASSES, [[0, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 0]]),
    "raw-bytes": (("3", "10"), [0, 1] * 3),
    "array-3d": (CLASSES, [0, 1, 2] * 2),
    "nested-lists": (CLASSES, [0, 1, 2] * 2),
    "odd-names": (CLASSES, [2, 1, 0] * 2),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_columns_of_every_shape_give_the_labels_and_pixels_of_datasets(hosted, shape):
    host(hosted, f"me/{shape}", SHAPES[shape]())
    name = f"me/{shape}" + ("?image=after&label=soil" if shape == "odd-names" else "")
    tiles = opened(name)
    keys, labels = EXPECTED[shape]
    assert tiles.info.classes == keys and tiles.labels.astype(int).tolist() == labels
    assert tiles.info.task == ("multi-label" if shape.startswith("several") else "single-label")
    rows = theirs(prepare_dataset(f"hf:{name}"))
    column = {"raw-bytes": "jpg", "array-3d": "pixels", "nested-lists": "img", "odd-names": "after"}.get(shape, "image")
    for i in range(N):
        value = rows[i][column]
        if isinstance(value, bytes):
            value = Image.open(io.BytesIO(value))
        elif isinstance(value, dict):
            value = Image.open(io.BytesIO(value["bytes"]))
        wanted = np.asarray(value)
        wanted = wanted.transpose(1, 2, 0) if shape == "nested-lists" else wanted
        assert np.array_equal(tiles.read(i), wanted)
    assert len(set(map(tiles.key, range(N)))) == N


def test_the_commit_is_pinned_recorded_and_enough_offline(hosted):
    host(hosted, "me/set", SHAPES["class-label"](), train=SHAPES["class-label"]())
    assert pinned("hf:me/set") == f"hf:me/set@{COMMIT}" and pinned("demo") == "demo"
    tiles = opened("me/set")
    assert tiles.info.id == f"hf:me/set@{COMMIT[:12]}" and tiles.source == f"hub dataset me/set at {COMMIT}"
    assert tiles.info.splits == {"train": 6, "test": 6} and tiles.split == "test"
    by_name._loaded.cache_clear()
    asked = len(hosted.requests)
    hosted.files.clear()
    for name in ("me/set", f"me/set@{COMMIT}"):
        again = opened(name, "train", offline=True)
        assert np.array_equal(again.read(3), tiles.read(3)) and again.key(3) == tiles.key(3)
    assert len(hosted.requests) == asked


def test_a_revision_by_name_is_asked_for_and_remembered(hosted):
    host(hosted, "me/set", SHAPES["class-label"]())
    assert pinned("hf:me/set@v1") == f"hf:me/set@{COMMIT}"
    opened("me/set@v1")
    assert any("revision/v1" in path for _, path, _, _ in hosted.requests)
    asked = len(hosted.requests)
    assert opened("me/set@v1", offline=True).info.id == f"hf:me/set@{COMMIT[:12]}"
    assert len(hosted.requests) == asked


def test_configurations(hosted):
    readme = (
        "---\nconfigs:\n- config_name: small\n  data_files:\n  - split: test\n    path: small/*.parquet\n"
        "- config_name: large\n  data_files:\n  - split: val\n    path: large/*.parquet\n---\n"
    )
    for name, data in (
        ("README.md", readme.encode()),
        ("small/a.parquet", SHAPES["class-label"]()),
        ("large/a.parquet", SHAPES["text-label"]()),
    ):
        for revision in ("main", COMMIT):
            hosted.add("me/two", name, data, revision=revision, repo_type="dataset")
    with pytest.raises(UsageError, match=r"has the configurations (small, large|large, small): name one, hf:me/two/"):
        opened("me/two")
    tiles = opened("me/two/large")
    assert tiles.info.id == f"hf:me/two@{COMMIT[:12]}/large" and tiles.split == "val"
    with pytest.raises(UsageError, match=r"unknown configuration of hf:me/two 'medium'"):
        opened("me/two/medium")


def test_a_folder_of_images(hosted):
    for revision in ("main", COMMIT):
        for i in range(4):
            name = f"test/{CLASSES[i % 2]}/{i}.jpg"
            hosted.add("me/files", name, hub_datasets.pictures()[i], revision=revision, repo_type="dataset")
        hosted.add("me/files", "load.py", b"raise SystemExit", revision=revision, repo_type="dataset")
    tiles = opened("me/files")
    assert tiles.info.classes == CLASSES[:2] and sorted(tiles.labels.tolist()) == [0, 0, 1, 1]
    assert tiles.read(0).shape == (40, 48, 3)
    assert not [path for _, path, _, _ in hosted.requests if path.endswith(".py")]


def test_arrays_of_digital_numbers_have_their_bands_named(hosted):
    values = np.random.default_rng(0).integers(300, 3000, (N, 4, 8, 9))
    data = hub_datasets.plain({"bands": values.tolist(), "label": ["a", "b"] * 3})
    host(hosted, "me/dn", data)
    with pytest.raises(TileError, match=r"shape 4x8x9 has no axis of 3 bands; name them with \?bands="):
        opened("me/dn").read(0)
    name = "me/dn?bands=B02,B03,B04,B08"
    assert dataset_info(f"hf:{name}").radiometry == "undecided" and dataset_info(f"hf:{name}").unit == "dn"
    tiles = opened(name, radiometry="dn2000")
    assert np.array_equal(tiles.reader.bands(2, ("B08", "B02"))[..., 0], values[2, 3])
    assert np.array_equal(tiles.read(2), radiometry.render(values[2][[2, 1, 0]].astype(np.uint16), "dn2000"))
    for bad, says in (("B02,B02", "must name each channel once"), ("SCL", "must name each channel once")):
        with pytest.raises(UsageError, match=says):
            opened(f"me/dn?bands={bad}")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("me", r"expected hf:OWNER/NAME\[@REVISION\]\[/CONFIG\]"),
        ("me/odd-names", "columns before, after may hold the images: choose with --image-column"),
        ("me/odd-names?image=after", "columns crop, soil may hold the labels.*--label-column"),
        ("me/odd-names?image=x", "no column 'x'; it has before, after, crop, soil"),
        ("me/odd-names?image=crop", "column 'crop' holds no images, bytes or arrays"),
        ("me/odd-names?image=after&label=x", "no column 'x'; it has before"),
        ("me/odd-names?image=after&label=before", "column 'before' holds no labels"),
        ("me/odd-names?colour=1", "no option 'colour'; it has image, label, bands"),
        ("me/odd-names?image=after&label=soil&bands=B02", "names the channels of arrays"),
    ],
)
def test_names_and_columns_that_do_not_fit_are_one_line(hosted, name, says):
    host(hosted, "me/odd-names", SHAPES["odd-names"]())
    with pytest.raises(UsageError, match=says) as error:
        opened(name)
    assert "\n" not in str(error.value)


def test_splits_and_options_that_do_not_fit(hosted, tmp_path):
    host(hosted, "me/set", SHAPES["class-label"]())
    with pytest.raises(UsageError, match=rf"unknown split of hf:me/set@{COMMIT[:12]} 'val'.*test"):
        opened("me/set", "val")
    with pytest.raises(UsageError, match="'dn2000' does not apply to 8-bit images"):
        opened("me/set", radiometry="dn2000")
    with pytest.raises(UsageError, match=r"--data-dir .* does not apply to hf:me/set"):
        open_dataset("hf:me/set", split=None, data_dir=str(tmp_path))


def test_labels_out_of_range_and_missing(hosted):
    import datasets

    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    images = [{"bytes": b, "path": None} for b in hub_datasets.pictures(2)]
    host(hosted, "me/range", hub_datasets.parquet({"image": images, "label": [1, -1]}, kinds))
    with pytest.raises(UsageError, match="test: row 1 has label -1, outside 0 to 2"):
        opened("me/range")
    text = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    images = [{"bytes": b, "path": None} for b in hub_datasets.pictures(3)]
    host(hosted, "me/none", hub_datasets.parquet({"image": images, "label": ["a", "b", None]}, text))
    with pytest.raises(UsageError, match="row 2 has no label in column 'label'"):
        opened("me/none")
    host(hosted, "me/one", hub_datasets.parquet({"image": images, "label": ["a", "a", "a"]}, text))
    with pytest.raises(UsageError, match="column 'label' has 1 classes, need at least 2"):
        opened("me/one")


def test_truncated_empty_and_absent_images_are_named(hosted):
    import datasets

    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    images = [hub_datasets.pictures(1)[0][:200], b"", None]
    rows = [None if b is None else {"bytes": b, "path": None} for b in images]
    host(hosted, "me/bad", hub_datasets.parquet({"image": rows, "label": ["a", "b", "a"]}, kinds))
    tiles = opened("me/bad")
    for i, says in enumerate(("cannot be decoded", "the row holds no image", "the row holds no image")):
        with pytest.raises(TileError, match=rf"tile test/00000{i} in hf:me/bad@{COMMIT[:12]}.*{says}"):
            tiles.read(i)


def test_no_network_no_repository_and_a_damaged_file(hosted, monkeypatch):
    with pytest.raises(UnavailableError, match="no such repository"):
        opened("me/nothing")
    with pytest.raises(UnavailableError, match="not fetched yet, and nothing is fetched offline"):
        opened("me/nothing", offline=True)
    host(hosted, "me/broken", b"PAR1 no parquet")
    with pytest.raises(UnavailableError, match="hf:me/broken: the datasets library cannot read it") as error:
        opened("me/broken")
    assert "\n" not in str(error.value)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="dataset me/away"):
        opened("me/away")


def test_a_name_that_leaves_the_folder_is_refused(hosted):
    from senbench.datasets.hub import snapshot
    from senbench.io import checked_json

    checked_json.write(snapshot._folder("me/bad") / f"{COMMIT}.json", ["../x.parquet"])
    with pytest.raises(UnavailableError, match=r"refused, file '../x.parquet' lies outside"):
        opened(f"me/bad@{COMMIT}")


def test_pins_are_json_that_is_checked(hosted, isolated_home):
    host(hosted, "me/set", SHAPES["class-label"]())
    pinned("hf:me/set")
    held = json.loads((isolated_home / "data" / "hub" / "me--set" / "pins.json").read_text())
    assert held["value"] == {"": COMMIT}
