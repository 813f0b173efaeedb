"""A EuroSAT prompt file without findings, to be spoilt by the tests of the linter."""

from __future__ import annotations

GOOD = {
    "AnnualCrop": ["ripe wheat", "young maize"],
    "Forest": ["tall spruces", "old beeches"],
    "HerbaceousVegetation": ["tall grass", "wild herbs"],
    "Highway": ["a paved lane", "an overpass"],
    "Industrial": ["a steel plant", "grey sheds"],
    "Pasture": ["grazing cows", "a sheep fold"],
    "PermanentCrop": ["vines in rows", "olive trees"],
    "Residential": ["small homes", "a block of flats"],
    "River": ["a winding stream", "a muddy bend"],
    "SeaLake": ["waves on a beach", "a calm reservoir"],
}


def changed(**classes):
    return GOOD | classes
