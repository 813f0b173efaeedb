"""EuroSAT as the prompting tests see it."""

from __future__ import annotations

import pytest

from senbench.prompts import load_vocabulary
from senbench.schema.dataset import DatasetInfo, Vocabulary

KEYS = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)


def dataset(keys: tuple[str, ...], id: str = "eurosat", vocabulary: str = "eurosat") -> DatasetInfo:
    return DatasetInfo(
        collection="eurosat",
        id=id,
        title=id,
        task="single-label",
        classes=keys,
        vocabulary=vocabulary,
        splits={"test": 5400},
        default_split="test",
        bands=("B04", "B03", "B02"),
        unit="uint8",
        tile_size=64,
        radiometry="native-jpeg",
        licence="MIT",
        citation="none",
    )


@pytest.fixture(scope="session")
def info() -> DatasetInfo:
    return dataset(KEYS)


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary("eurosat")


@pytest.fixture(scope="session")
def describe():
    """Builds a DatasetInfo for any classes."""
    return dataset
