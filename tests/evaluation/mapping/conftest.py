"""One run for all tests of the room, and its home to continue in."""

from __future__ import annotations

import pytest
import rasterio
import settled_runs

from senbench.datasets.catalog import BANDS
from senbench.datasets.eurosat import multispectral
from senbench.evaluation.mapping.settled import Settled


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory):
    return settled_runs.run(tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("home"))


@pytest.fixture
def demo_run(whole_run, monkeypatch):
    """That run, with its home; tests must not change it."""
    monkeypatch.setenv("SENBENCH_HOME", str(whole_run.home))
    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 2)
    return whole_run


@pytest.fixture
def settled(demo_run):
    return Settled.of(demo_run.result)


@pytest.fixture(scope="session")
def named_tiles(whole_run, tmp_path_factory):
    """The run's tiles in class folders, with the names of their bands in them."""
    root = tmp_path_factory.mktemp("tiles")
    for file in whole_run.home.rglob("data/demo-*/**/*.tif"):
        with rasterio.open(file) as tile:
            profile, values = tile.profile, tile.read()
        (root / file.parent.name).mkdir(exist_ok=True)
        with rasterio.open(root / file.parent.name / file.name, "w", **profile) as copy:
            copy.write(values)
            copy.descriptions = BANDS
    return root


@pytest.fixture
def demo_tiles(demo_run, named_tiles):
    """Folder of those tiles, with the run's home."""
    return named_tiles
