"""CORINE Land Cover as BigEarthNet uses it: 43 classes, the 19 made of them, and which goes where."""

from __future__ import annotations

_GROUPS: dict[str, tuple[str, ...]] = {
    "Urban fabric": ("Continuous urban fabric", "Discontinuous urban fabric"),
    "Industrial or commercial units": ("Industrial or commercial units",),
    "Arable land": ("Non-irrigated arable land", "Permanently irrigated land", "Rice fields"),
    "Permanent crops": (
        "Vineyards",
        "Fruit trees and berry plantations",
        "Olive groves",
        "Annual crops associated with permanent crops",
    ),
    "Pastures": ("Pastures",),
    "Complex cultivation patterns": ("Complex cultivation patterns",),
    "Land principally occupied by agriculture, with significant areas of natural vegetation": (
        "Land principally occupied by agriculture, with significant areas of natural vegetation",
    ),
    "Agro-forestry areas": ("Agro-forestry areas",),
    "Broad-leaved forest": ("Broad-leaved forest",),
    "Coniferous forest": ("Coniferous forest",),
    "Mixed forest": ("Mixed forest",),
    "Natural grassland and sparsely vegetated areas": ("Natural grassland", "Sparsely vegetated areas"),
    "Moors, heathland and sclerophyllous vegetation": ("Moors and heathland", "Sclerophyllous vegetation"),
    "Transitional woodland, shrub": ("Transitional woodland/shrub",),
    "Beaches, dunes, sands": ("Beaches, dunes, sands",),
    "Inland wetlands": ("Inland marshes", "Peatbogs"),
    "Coastal wetlands": ("Salt marshes", "Salines"),
    "Inland waters": ("Water courses", "Water bodies"),
    "Marine waters": ("Coastal lagoons", "Estuaries", "Sea and ocean"),
}
"""Class of the 19 -> its classes of the 43; the others are in none (Sumbul et al. 2021,
doi:10.1109/MGRS.2021.3089174)."""

CLASSES_19: tuple[str, ...] = tuple(_GROUPS)
"""The 19 classes in label order, as TorchGeo has it."""

CLASSES_43: tuple[str, ...] = (
    "Continuous urban fabric",
    "Discontinuous urban fabric",
    "Industrial or commercial units",
    "Road and rail networks and associated land",
    "Port areas",
    "Airports",
    "Mineral extraction sites",
    "Dump sites",
    "Construction sites",
    "Green urban areas",
    "Sport and leisure facilities",
    "Non-irrigated arable land",
    "Permanently irrigated land",
    "Rice fields",
    "Vineyards",
    "Fruit trees and berry plantations",
    "Olive groves",
    "Pastures",
    "Annual crops associated with permanent crops",
    "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Agro-forestry areas",
    "Broad-leaved forest",
    "Coniferous forest",
    "Mixed forest",
    "Natural grassland",
    "Moors and heathland",
    "Sclerophyllous vegetation",
    "Transitional woodland/shrub",
    "Beaches, dunes, sands",
    "Bare rock",
    "Sparsely vegetated areas",
    "Burnt areas",
    "Inland marshes",
    "Peatbogs",
    "Salt marshes",
    "Salines",
    "Intertidal flats",
    "Water courses",
    "Water bodies",
    "Coastal lagoons",
    "Estuaries",
    "Sea and ocean",
)
"""The 43 classes in label order, as TorchGeo has it."""

TO_19: dict[str, str] = {fine: group for group, members in _GROUPS.items() for fine in members}
"""Class of the 43 -> class of the 19."""

UNMAPPED: tuple[str, ...] = tuple(fine for fine in CLASSES_43 if fine not in TO_19)
"""The 11 classes of the 43 that are in none of the 19: a patch with these alone has no label there."""


def columns(classes: tuple[str, ...]) -> dict[str, int | None]:
    """Where each of the 43 names counts.

    Args:
        classes: `CLASSES_43` or `CLASSES_19`.

    Returns:
        Name among the 43 -> index into `classes`, None where it is in none of them.
    """
    place = {name: k for k, name in enumerate(classes)}
    return {fine: place.get(fine if classes == CLASSES_43 else TO_19.get(fine, "")) for fine in CLASSES_43}
