from __future__ import annotations

import inspect
import re

import torchgeo.datasets

from senbench.datasets import catalog
from senbench.datasets.torchgeo import known

NOT_CLASSES_OF_IMAGES = {
    "BioMassters": "biomass per pixel",
    "COWC": "base of COWCDetection and COWCCounting",
    "CopernicusBenchBase": "base of the others",
    "CropHarvest": "a time series of one pixel, no image",
    "DIOR": "boxes",
    "EverWatch": "boxes",
    "FAIR1M": "boxes",
    "ForestDamage": "boxes",
    "IDTReeS": "boxes",
    "NonGeoClassificationDataset": "base of the others",
    "PASTIS": "masks",
    "ReforesTree": "boxes",
    "SKIPPD": "power, a regression",
    "SODAA": "boxes",
    "SustainBenchCropYield": "yield, a regression",
    "TropicalCyclone": "wind speed, a regression",
    "VHR10": "boxes",
    "VectorDataset": "vectors",
    "WesternUSALiveFuelMoisture": "moisture, a regression",
    "ZueriCrop": "masks",
}
"""Classes of TorchGeo in whose files the word `'label'` stands, and what they hold instead."""


def classes():
    named = {name: getattr(torchgeo.datasets, name) for name in torchgeo.datasets.__all__}
    return {name: one for name, one in named.items() if inspect.isclass(one)}


def test_every_classification_class_of_torchgeo_is_run_or_refused_with_a_reason():
    run = {*known.CLASSES, *known.ALIASES, *known.REFUSED}
    base = torchgeo.datasets.NonGeoClassificationDataset
    found = {name for name, one in classes().items() if issubclass(one, base) and one is not base}
    for name, one in classes().items():
        source = inspect.getsource(one)
        if re.search(r"sample(: dict\[str, \w+\])? = \{[^}]*'label'|sample\['label'\]", source):
            found.add(name)
    assert found - set(NOT_CLASSES_OF_IMAGES) <= run, found - run
    assert not run - set(classes())


def test_class_names_are_torchgeo_s():
    assert torchgeo.datasets.So2Sat.classes == known.SO2SAT
    assert torchgeo.datasets.TreeSatAI.classes == known.TREESATAI
    assert torchgeo.datasets.FireRisk.classes == known.FIRERISK
    assert torchgeo.datasets.ADVANCE.classes == known.ADVANCE
    of_aid = torchgeo.datasets.MillionAID
    assert set(known.MILLIONAID) - set(of_aid.multi_class_categories) == {"basketball_court"}
    assert len(known.MILLIONAID) == len(of_aid.multi_class_categories) == 51
    assert known.CLASSES["MillionAID"].facts["classes"] == known.MILLIONAID
    several = known.VARIANTS["MillionAID", "task", "multi-label"].facts["classes"]
    assert several == of_aid.multi_label_categories
    for name, listed in (("RESISC45", known.RESISC45), ("PatternNet", known.PATTERNNET)):
        told = re.findall(r"^\s+\d+\. (\w+)$", getattr(torchgeo.datasets, name).__doc__, re.MULTILINE)
        assert listed == tuple(told), name
    told = re.findall(r"^\s+\* (?!http)([a-z ]+)$", torchgeo.datasets.UCMerced.__doc__, re.MULTILINE)
    assert [key.replace(" ", "") for key in told if key.replace(" ", "") in known.UCMERCED] == [
        key for key in known.UCMERCED if key in {t.replace(" ", "") for t in told}
    ]


def test_splits_bands_and_options_are_torchgeo_s():
    for name, one in known.CLASSES.items():
        kind = getattr(torchgeo.datasets, name)
        parameters = inspect.signature(kind).parameters
        assert ("split" in parameters) == (tuple(one.facts["splits"]) != ("all",)), name
        assert set(one.options) <= set(parameters), name
        if hasattr(kind, "splits"):
            assert set(kind.splits) == set(one.facts["splits"]), name
    s2 = torchgeo.datasets.So2Sat
    assert known.CLASSES["So2Sat"].arguments["bands"] == s2.BAND_SETS["s2"]
    assert known.CLASSES["So2Sat"].options["version"] == s2.versions
    trees = torchgeo.datasets.TreeSatAI.all_bands
    assert list(known.S2_OF_TREESATAI) == trees["s2"]
    assert trees["aerial"] == ["IR", "G", "B", "R"]  # ours are named NIR, B03, B02, B04
    assert known.CLASSES["TreeSatAI"].channels == ("NIR", "B03", "B02", "B04")


def test_numbers_of_tiles_are_those_of_the_documentation():
    for name in ("RESISC45", "PatternNet", "FireRisk", "ADVANCE"):
        told = getattr(torchgeo.datasets, name).__doc__.replace(",", "")
        total = sum(known.CLASSES[name].facts["splits"].values())
        assert str(total) in told, name
    assert sum(known.CLASSES["UCMerced"].facts["splits"].values()) == 21 * 100


def test_aliases_are_datasets_of_senbench():
    assert set(known.ALIASES.values()) <= set(catalog.BUILTIN)
    info = known.CLASSES["MillionAID"].info("MillionAID", {"task": "multi-label"})
    assert info.id == "torchgeo:MillionAID?task=multi-label" and info.collection == "millionaid"
