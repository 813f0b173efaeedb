"""The lists and label files of version 1."""

from __future__ import annotations

import json
import shutil
import warnings

import pytest
import rasterio
from bigearthnet_files import opened, v1
from stubs import StubEncoder

from senbench.datasets.bigearthnet import patches
from senbench.datasets.open import dataset_info
from senbench.datasets.tiles import TileError
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import UnavailableError

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def test_none_of_the_19_is_no_label_in_v1(tmp_path):
    plan = v1(tmp_path, 3)
    name = plan.names(1)["v1"]
    file = tmp_path / "BigEarthNet-v1.0" / name / f"{name}_labels_metadata.json"
    file.write_text(json.dumps({"labels": ["Bare rock", "Airports"]}))
    assert opened("bigearthnet-v1", tmp_path).tile_labels.any(axis=1).tolist() == [True, False, True]
    assert opened("bigearthnet-v1-43", tmp_path).labels[1].sum() == 2


V1_DAMAGE = {
    "gone": (lambda file: file.unlink(), r"_labels_metadata\.json is not there"),
    "folder": (lambda file: shutil.rmtree(file.parent), "its folder is not there"),
    "broken": (lambda file: file.write_text('{"labels": ['), "is damaged, or has no `labels`"),
    "none": (lambda file: file.write_text("{}"), "is damaged, or has no `labels`"),
    "text": (lambda file: file.write_text('{"labels": "Pastures"}'), "has no list of labels"),
    "strange": (lambda file: file.write_text('{"labels": ["Pastures", "Moon"]}'), "label 'Moon' is not one of the 43"),
}


@pytest.mark.parametrize("kind", V1_DAMAGE)
def test_a_v1_patch_without_good_labels_is_never_scored(tmp_path, kind):
    plan = v1(tmp_path, 3)
    name = plan.names(1)["v1"]
    damage, message = V1_DAMAGE[kind]
    damage(tmp_path / "BigEarthNet-v1.0" / name / f"{name}_labels_metadata.json")
    tiles = opened("bigearthnet-v1", tmp_path)
    with pytest.raises(TileError, match=f"patch {name}: .*{message}"):
        embed_images(StubEncoder(), tiles, None)
    found = embed_images(StubEncoder(), tiles, None, EmbedOptions(on_error="skip"))
    assert list(found.skipped) == [1] and found.positions.tolist() == [0, 2]


BAD_V1 = {
    "gone": (None, r"bigearthnet-test\.csv is not there; `senbench datasets fetch bigearthnet-v1`"),
    "empty": ("\n", "lists no patch"),
    "one column": ("S2A_MSIL2A_20170613T101031_87_48\n", r"line 1 is 'S2A_MSIL2A_20170613T101031_87_48', expected"),
    "climbing": ("../../x,S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48\n", "line 1 is '../../x,S1A"),
    "binary": (b"\xff\xfe\x00x", "cannot be read as text"),
    "twice": (
        2 * "S2A_MSIL2A_20170613T101031_87_48,S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48\n",
        "patch S2A_MSIL2A_20170613T101031_87_48 is listed twice",
    ),
}


@pytest.mark.parametrize("kind", BAD_V1)
def test_bad_lists_are_named_in_one_line(tmp_path, kind):
    text, message = BAD_V1[kind]
    (tmp_path / "BigEarthNet-v1.0").mkdir()
    if text is not None:
        (tmp_path / "bigearthnet-test.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UnavailableError, match=message) as caught:
        opened("bigearthnet-v1", tmp_path)
    assert "\n" not in str(caught.value)


def test_another_list_of_the_published_length_is_refused(one, monkeypatch):
    info = dataset_info("bigearthnet-v1")
    n = len(opened("bigearthnet-v1", one[0]))
    for change, message in ((0, "is another one"), (-1, f"lists {n} patches, split test .* has {n - 1}")):
        same = info.model_copy(update={"splits": {**info.splits, "test": n + change}})
        with pytest.raises(UnavailableError, match=message):
            patches.open_tiles(same, split="test", data_dir=str(one[0]), radiometry=None, offline=True)
