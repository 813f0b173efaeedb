"""The classes of CORINE Land Cover and where each counts."""

from __future__ import annotations

import warnings

import rasterio

from senbench.datasets.bigearthnet import v1 as bigearthnet_v1
from senbench.datasets.bigearthnet.corine import CLASSES_19, CLASSES_43, TO_19, columns
from senbench.datasets.catalog import S2_BANDS

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def test_facts_are_torchgeos():
    from torchgeo.datasets import BigEarthNet, BigEarthNetV2
    from torchgeo.datasets.utils import sort_sentinel2_bands

    assert tuple(BigEarthNet.class_sets[43]) == CLASSES_43
    assert tuple(BigEarthNet.class_sets[19]) == CLASSES_19 == tuple(BigEarthNetV2.class_set)
    theirs = {CLASSES_43[a]: CLASSES_19[b] for a, b in BigEarthNet.label_converter.items()}
    assert theirs == TO_19
    assert len(set(CLASSES_43) - set(TO_19)) == 11
    assert {k: m["md5"] for k, m in BigEarthNet.splits_metadata.items()} == bigearthnet_v1.MD5
    assert all(m["filename"] == bigearthnet_v1.listing(k) for k, m in BigEarthNet.splits_metadata.items())
    assert sorted(S2_BANDS, key=sort_sentinel2_bands) == list(S2_BANDS)


def test_every_name_counts_in_its_column():
    own, coarse = columns(CLASSES_43), columns(CLASSES_19)
    assert list(own.values()) == list(range(43))
    assert {name: CLASSES_19[k] for name, k in coarse.items() if k is not None} == TO_19
    assert coarse["Bare rock"] is None and CLASSES_19[coarse["Salines"]] == "Coastal wetlands"
