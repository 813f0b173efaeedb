"""Colours are apart, and the QGIS style is XML that names every class."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from senbench.datasets.bigearthnet.corine import CLASSES_19, CLASSES_43
from senbench.datasets.catalog import EUROSAT
from senbench.evaluation.mapping.map_rasters import colours, qgis_style


@pytest.mark.parametrize("classes", [EUROSAT, CLASSES_19, CLASSES_43, tuple(map(str, range(200)))], ids=len)
def test_every_class_has_a_colour_of_its_own(classes):
    found = colours(classes)
    assert len(set(found)) == len(classes)
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in found)


def test_usual_classes_have_usual_colours():
    found = dict(zip(EUROSAT, colours(EUROSAT), strict=True))
    assert found["Forest"] == "#1b7a3a"
    assert found["SeaLake"] == "#2f6fb2"


def test_the_style_names_classes_whatever_they_are_called():
    keys = ("a <b> & 'c'", 'say "no"')
    root = ElementTree.fromstring(qgis_style(keys, colours(keys)).partition("\n")[2])
    entries = root.findall(".//paletteEntry")
    assert [entry.get("label") for entry in entries] == list(keys)
    assert [entry.get("value") for entry in entries] == ["0", "1"]
    assert [entry.get("color") for entry in entries] == list(colours(keys))
