"""BigEarthNet patches one by one, and packed, against TorchGeo and the light reader; generated patches."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from senbench.datasets.bands import RGB
from senbench.datasets.open import open_dataset, open_source
from senbench.datasets.packed import write
from senbench.datasets.synthetic.multilabel import write_bigearthnet

torchgeo = pytest.importorskip("torchgeo.datasets", reason="TorchGeo is not installed")
pytestmark = [pytest.mark.benchmark(group="bigearthnet"), pytest.mark.whole]
PATCHES = 120
TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


@pytest.fixture(scope="module", params=[1, 2], ids=["v1", "v2"])
def patches(request, tmp_path_factory):
    """Folder, senbench's name of the data set, and TorchGeo's sample by position."""
    root = tmp_path_factory.mktemp(f"v{request.param}")
    if request.param == 1:
        write_bigearthnet(root, PATCHES, 11, version=1)
        return root, "bigearthnet-v1", torchgeo.BigEarthNet(str(root), split="test", bands="s2")
    write_bigearthnet(root, PATCHES, 11)
    (root / "BigEarthNet-S1").mkdir()  # what TorchGeo asks for beside the patches
    for band in (root / "BigEarthNet-S2").glob("*/*/*_B02.tif"):
        maps = root / "Reference_Maps" / band.parent.relative_to(root / "BigEarthNet-S2")
        maps.mkdir(parents=True)
        shutil.copyfile(band, maps / f"{band.parent.name}_reference_map.tif")
    return root, "bigearthnet-v2", torchgeo.BigEarthNetV2(str(root), split="test", bands="s2")


@pytest.mark.parametrize(("bands", "goals"), [(RGB, (4, 6)), (TEN, (None, None))], ids=["rgb", "ten bands"])
def test_patches_one_by_one(against, patches, bands, goals):
    """Opening included, which reads the list and the labels."""
    root, name, reference = patches

    def read() -> None:
        tiles = open_dataset(name, split="test", data_dir=str(root), offline=True)
        for i in range(len(tiles)):
            tiles.reader.bands(i, bands)

    tiles = open_dataset(name, split="test", data_dir=str(root), offline=True)
    assert len(tiles) == len(reference)
    want = reference[3]["image"][[3, 2, 1]].numpy().transpose(1, 2, 0)
    np.testing.assert_array_equal(tiles.reader.bands(3, RGB), want)
    goal = goals[name.endswith("v2")]
    against(read, lambda: [reference[i] for i in range(len(reference))], what="TorchGeo's sample", goal=goal, rounds=3)


def test_packed(against, patches, tmp_path):
    """All patches from a packed store 200 times, against once through TorchGeo."""
    root, name, reference = patches
    write.pack(write.job(open_source(name, split="test", data_dir=str(root)), None), tmp_path / "store")
    read = open_dataset(name, split="test", data_dir=str(tmp_path / "store")).reader.rgb
    some, n = range(len(reference)), 200
    way = lambda: [read(i) for _ in range(n) for i in some]  # noqa: E731
    against(way, lambda: [reference[i] for i in some], what="TorchGeo's sample", work=n, goal=100, rounds=3)


def test_packing(against, patches, tmp_path):
    """In this process, against reading the same patches only."""
    root, name, _ = patches
    tiles = open_source(name, split="test", data_dir=str(root))
    task = write.job(tiles, None)
    stores = (tmp_path / f"store-{k}" for k in range(100))
    read = lambda: [tiles.reader.keyed(i, None) for i in range(len(tiles))]  # noqa: E731
    against(lambda: write.pack(task, next(stores), processes=1), read, what="reading alone", rounds=3)
