"""The covers that BigEarthNet-like patches are painted of."""

from __future__ import annotations

import warnings

import rasterio

from senbench.datasets.bigearthnet.corine import CLASSES_19, TO_19
from senbench.datasets.synthetic import bigearthnet_covers

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def test_every_class_has_a_painter_in_label_order():
    assert tuple(cover.name for cover in bigearthnet_covers.COVERS) == (*CLASSES_19, "none")
    for cover in bigearthnet_covers.COVERS[:-1]:
        assert cover.classes and all(TO_19[fine] == cover.name for fine in cover.classes)
    assert not set(bigearthnet_covers.COVERS[-1].classes) & set(TO_19)
