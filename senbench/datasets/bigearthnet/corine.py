"""CORINE Land Cover as used by BigEarthNet: 43 classes, the 19 derived from them, and the mapping."""

from __future__ import annotations

_GROUP: dict[str, str | None] = {
    "Continuous urban fabric": "Urban fabric",
    "Discontinuous urban fabric": "Urban fabric",
    "Industrial or commercial units": "Industrial or commercial units",
    "Road and rail networks and associated land": None,
    "Port areas": None,
    "Airports": None,
    "Mineral extraction sites": None,
    "Dump sites": None,
    "Construction sites": None,
    "Green urban areas": None,
    "Sport and leisure facilities": None,
    "Non-irrigated arable land": "Arable land",
    "Permanently irrigated land": "Arable land",
    "Rice fields": "Arable land",
    "Vineyards": "Permanent crops",
    "Fruit trees and berry plantations": "Permanent crops",
    "Olive groves": "Permanent crops",
    "Pastures": "Pastures",
    "Annual crops associated with permanent crops": "Permanent crops",
    "Complex cultivation patterns": "Complex cultivation patterns",
    "Land principally occupied by agriculture, with significant areas of natural vegetation": (
        "Land principally occupied by agriculture, with significant areas of natural vegetation"
    ),
    "Agro-forestry areas": "Agro-forestry areas",
    "Broad-leaved forest": "Broad-leaved forest",
    "Coniferous forest": "Coniferous forest",
    "Mixed forest": "Mixed forest",
    "Natural grassland": "Natural grassland and sparsely vegetated areas",
    "Moors and heathland": "Moors, heathland and sclerophyllous vegetation",
    "Sclerophyllous vegetation": "Moors, heathland and sclerophyllous vegetation",
    "Transitional woodland/shrub": "Transitional woodland, shrub",
    "Beaches, dunes, sands": "Beaches, dunes, sands",
    "Bare rock": None,
    "Sparsely vegetated areas": "Natural grassland and sparsely vegetated areas",
    "Burnt areas": None,
    "Inland marshes": "Inland wetlands",
    "Peatbogs": "Inland wetlands",
    "Salt marshes": "Coastal wetlands",
    "Salines": "Coastal wetlands",
    "Intertidal flats": None,
    "Water courses": "Inland waters",
    "Water bodies": "Inland waters",
    "Coastal lagoons": "Marine waters",
    "Estuaries": "Marine waters",
    "Sea and ocean": "Marine waters",
}
"""Class of the 43 in label order -> class of the 19, in label order as they first appear; 11 are in none (Sumbul et al.
2021, doi:10.1109/MGRS.2021.3089174)."""

CLASSES_43: tuple[str, ...] = tuple(_GROUP)
"""The 43 classes in label order, as TorchGeo has it."""

TO_19: dict[str, str] = {fine: group for fine, group in _GROUP.items() if group is not None}
"""Class of the 43 -> class of the 19."""

CLASSES_19: tuple[str, ...] = tuple(dict.fromkeys(TO_19.values()))
"""The 19 classes in label order, as TorchGeo has it."""


def columns(classes: tuple[str, ...]) -> dict[str, int | None]:
    """Map each of the 43 names to a class.

    Args:
        classes: `CLASSES_43` or `CLASSES_19`.

    Returns:
        Name among the 43 -> index into `classes`, None if it belongs to none of them.
    """
    place = {name: k for k, name in enumerate(classes)}
    return {fine: place.get(fine if classes == CLASSES_43 else group or "") for fine, group in _GROUP.items()}
