"""Pairing by band name: the right bands in the right order, or an error that says what is missing."""

from __future__ import annotations

import numpy as np
import pytest
import stubs

from senbench.datasets.bands import RGB, level_note, pair, positions
from senbench.datasets.catalog import BANDS
from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.models import registry

TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def card(**change):
    facts = {"id": "multi", "bands": TEN, "unit": "dn", "level": "L2A"}
    return registry.find("mini").model_copy(update={**facts, **change})


EUROSAT, JPEGS = dataset_info("eurosat"), dataset_info("eurosat-rgb")


@pytest.mark.parametrize(
    ("model", "info", "radiometry", "bands", "native"),
    [
        (None, EUROSAT, None, RGB, False),
        (None, JPEGS, None, RGB, False),
        (registry.find("mini"), EUROSAT, "dn3000", RGB, False),
        (registry.find("mini"), JPEGS, None, RGB, False),
        (card(unit="uint8", level=None, bands=RGB[::-1]), EUROSAT, None, RGB[::-1], False),
        (card(), EUROSAT, None, TEN, True),
        (card(), EUROSAT, "native", TEN, True),
        (card(bands=("B8A", "B01")), EUROSAT, None, ("B8A", "B01"), True),
        (card(), dataset_info("demo"), None, TEN, True),
    ],
)
def test_what_a_model_gets(model, info, radiometry, bands, native):
    assert pair(model, info, radiometry) == (bands, native)


@pytest.mark.parametrize(
    ("model", "info", "radiometry", "says"),
    [
        (card(), JPEGS, None, "lacks B05, B06, B07, B08, B8A, B11, B12: use a multispectral dataset"),
        (card(bands=(*TEN, "B13")), EUROSAT, None, "lacks B13: "),
        (card(bands=RGB), JPEGS, None, "8-bit values, which cannot be turned back"),
        (card(), EUROSAT, "dn3000", "--radiometry dn3000 renders 8-bit RGB, but model multi takes digital numbers"),
        (card(), EUROSAT, "native-jpeg", "--radiometry native-jpeg renders 8-bit RGB"),
        (
            registry.find("mini"),
            EUROSAT,
            "native",
            "model mini takes 8-bit B04, B03, B02: pass one of eurosat-jpeg, dn2000",
        ),
        (registry.find("mini"), JPEGS, "native", "pass nothing, eurosat-rgb is 8-bit already"),
        (None, EUROSAT, "native", "model of your own takes 8-bit"),
        (card(unit="uint8", bands=("B08", "B04", "B03")), EUROSAT, None, "have B04, B03, B02 and lack B08"),
        (
            registry.find("mini"),
            stubs.info(unit="dn", bands=("B04", "B03", "B08")),
            None,
            "have B04, B03 and lack B02",
        ),
    ],
)
def test_what_cannot_be_paired_names_what_is_missing(model, info, radiometry, says):
    with pytest.raises(UsageError) as error:
        pair(model, info, radiometry)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_b8a_last_reaches_a_model_that_wants_it_after_b08():
    order = positions(BANDS, TEN)
    assert order == [1, 2, 3, 4, 5, 6, 7, 12, 10, 11]
    # what deleting the positions of B01, B09 and B10 of the usual order would give (the authors' code does)
    assert [i for i in range(13) if i not in (0, 9, 10)] != order


def test_level_is_flagged_unless_it_is_the_models():
    note = level_note(card(), EUROSAT)
    assert note is not None
    assert "digital numbers of eurosat are L1C, multi was trained on L2A" in note
    assert level_note(card(level="L1C"), EUROSAT) is None
    assert level_note(registry.find("mini"), EUROSAT) is None
    assert level_note(None, EUROSAT) is None
    unknown = level_note(card(), dataset_info("demo"))
    assert unknown is not None
    assert "no known processing level" in unknown


def dn_tiles(**change):
    """Stub tiles with digital numbers: band k of tile i is 1000 k + i everywhere."""
    digits = np.arange(13, dtype=np.uint16) * 1000
    return stubs.tiles(
        6,
        info=stubs.info(splits={"all": 6}, bands=BANDS, unit="dn", level="L1C"),
        bands_reader=lambda i, bands: np.broadcast_to(
            np.array([digits[BANDS.index(b)] + i for b in bands], np.uint16), (8, 8, len(bands))
        ),
        radiometry="eurosat-jpeg",
        **change,
    )


def test_views_keep_their_tiles_and_their_pictures():
    tiles = dn_tiles().take([5, 1, 3])
    native = tiles.paired(pair(card(), tiles.info))
    assert native.read(0)[0, 0].tolist() == [1005, 2005, 3005, 4005, 5005, 6005, 7005, 12005, 10005, 11005]
    assert native.take([2]).read(0)[0, 0, 0] == 1003
    assert native.radiometry == "native"
    assert native.band_order == ",".join(TEN)
    for view in (native, native.take([0, 1, 2])):
        assert np.array_equal(view.picture(1), tiles.read(1))
        assert view.picture(1).dtype == np.uint8
    assert native.index_hash() == tiles.index_hash()
    # and back again, from a view of a view
    rgb = native.take([1]).paired(pair(registry.find("mini"), tiles.info))
    assert (rgb.radiometry, rgb.band_order, len(rgb)) == ("eurosat-jpeg", "rgb", 1)
    assert np.array_equal(rgb.read(0), tiles.read(1))
    assert native.paired(pair(card(bands=("B8A",)), tiles.info)).read(0)[0, 0].tolist() == [12005]


def test_eight_bit_bands_are_picked_by_name_too():
    tiles = stubs.tiles()
    bgr = tiles.paired(pair(card(unit="uint8", level=None, bands=RGB[::-1]), tiles.info))
    assert np.array_equal(bgr.read(4), tiles.read(4)[..., ::-1])
    assert np.array_equal(bgr.picture(4), tiles.read(4))
    assert bgr.band_order == "B02,B03,B04"
    assert tiles.paired(pair(registry.find("mini"), tiles.info)) is tiles


def test_tiles_without_digital_numbers_say_so():
    tiles = dn_tiles()
    bare = stubs.tiles(6, info=tiles.info)
    with pytest.raises(UsageError, match="without digital numbers"):
        bare.paired(pair(card(), bare.info))
