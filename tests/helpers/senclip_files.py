"""Prompt files laid out as the SenCLIP release, with other sentences: the release states no licence for its own."""

from __future__ import annotations

import hashlib
import json
import random
from functools import cache
from typing import TYPE_CHECKING

from senbench.prompts import senclip_release

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EUROSAT = {
    "AnnualCrop": "Annual Crop Land",
    "Forest": "Forest",
    "HerbaceousVegetation": "Herbaceous Vegetation Land",
    "Highway": "Highway or Road",
    "Industrial": "Industrial Buildings",
    "Pasture": "Pasture Land",
    "PermanentCrop": "Permanent Crop Land",
    "Residential": "Residential Buildings",
    "River": "River",
    "SeaLake": "Sea or Lake",
}
"""Folder of the images -> class name of the release, in the order of the folders."""
BIGEARTHNET = (
    "Urban fabric",
    "Industrial or commercial units",
    "Arable land",
    "Permanent crops",
    "Pastures",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas",
    "Broad-leaved forest",
    "Coniferous forest",
    "Mixed forest",
    "Natural grassland and sparsely vegetated areas",
    "Moors, heathland and sclerophyllous vegetation",
    "Transitional woodland, shrub",
    "Beaches, dunes, sands",
    "Inland wetlands",
    "Coastal wetlands",
    "Inland waters",
    "Marine waters",
)
"""Class names of the release, in TorchGeo's order."""
PER_CLASS = {
    "prompt_ben_aerial_mixed.json": 21,
    "prompt_ben_ground_aerial_mixed.json": 42,
    "prompt_ben_ground_mixed.json": 50,
    "prompt_eurosat_aerial_mixed.json": 46,
    "prompt_eurosat_ground_aerial_mixed.json": 46,
    "prompt_eurosat_ground_mixed.json": 51,
}
"""Sentences of each class as in the release."""
RAGGED = {"prompt_ben_aerial_mixed.json", "prompt_ben_ground_aerial_mixed.json"}
"""Files in which one class has a sentence more."""
IN_LABEL_ORDER = {"prompt_eurosat_ground_mixed.json"}
"""The file whose classes stand in the order of the labels."""
WORDS = ("wide", "narrow", "bright", "dark", "dry", "wet", "quiet", "open")


@cache
def sentences(name: str) -> dict[str, tuple[str, ...]]:
    """Class name of the release -> sentences, in the order of the file."""
    names = list(EUROSAT.values() if "eurosat" in name else BIGEARTHNET)
    more = {"Inland waters"} if name in RAGGED else set()
    view = "seen from the ground" if name.endswith("_ground_mixed.json") else "seen from above"
    if name not in IN_LABEL_ORDER:
        random.Random(name).shuffle(names)
    return {
        key: tuple(
            f"{WORDS[j % 8]} and {WORDS[j // 8]} {key.lower()} {view}" for j in range(PER_CLASS[name] + (key in more))
        )
        for key in names
    }


def content(name: str) -> bytes:
    """A file's bytes."""
    return json.dumps(sentences(name), indent=2).encode()


def write(folder: Path) -> Path:
    """Write the six files to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PER_CLASS:
        (folder / name).write_bytes(content(name))
    return folder


def pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let these files pass for the release's."""
    found = {name: hashlib.sha256(content(name)).hexdigest() for name in PER_CLASS}
    monkeypatch.setattr(senclip_release, "SHA256", found)
