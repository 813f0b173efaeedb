"""The closed sets of values: the bands' order, and that what uses a set covers all of it."""

from __future__ import annotations

import typing

import pytest
from places import ROOT

from senbench.datasets.catalog import BUILTIN
from senbench.models import registry
from senbench.schema import terms

LITERALS = {name: found for name, found in vars(terms).items() if typing.get_origin(found) is typing.Literal}


def test_bands_are_sentinel_2s_by_wavelength():
    nanometres = {  # ESA, Sentinel-2 MSI, central wavelengths of 2A
        "B01": 442.7, "B02": 492.4, "B03": 559.8, "B04": 664.6, "B05": 704.1, "B06": 740.5, "B07": 782.8,
        "B08": 832.8, "B8A": 864.7, "B09": 945.1, "B10": 1373.5, "B11": 1613.7, "B12": 2202.4,
    }  # fmt: skip
    assert tuple(sorted(nanometres, key=nanometres.__getitem__)) == terms.BANDS


@pytest.mark.parametrize("name", LITERALS)
def test_values_are_texts_that_differ(name):
    values = typing.get_args(LITERALS[name])
    assert len(values) > 1
    assert len(set(values)) == len(values)
    assert all(isinstance(value, str) and value == value.strip() for value in values)


def graded():
    """Collections that cards grade."""
    return {name for card in registry.cards().values() for name in card.contamination}


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("Collection", lambda: {info.collection for _, info in BUILTIN.values()} | graded()),
        ("Task", lambda: {info.task for _, info in BUILTIN.values()}),
        ("Unit", lambda: {info.unit for _, info in BUILTIN.values()}),
        ("Level", lambda: {info.level for _, info in BUILTIN.values()} - {None}),
        ("ResizeMode", lambda: {card.preprocess.resize_mode for card in registry.cards().values()}),
        ("CommercialUse", lambda: {card.commercial_use for card in registry.cards().values()}),
    ],
)
def test_no_value_is_left_without_a_use(name, used):
    assert used() == set(typing.get_args(LITERALS[name]))


@pytest.mark.parametrize("name", ["Ensemble", "PostProcess", "Grade"])
def test_readers_are_told_of_every_value(name):
    told = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert [value for value in typing.get_args(LITERALS[name]) if value not in told] == []
