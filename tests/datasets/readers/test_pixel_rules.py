"""What the numbers of a raster mean, from its header: names, colours, depth, values that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.datasets.readers import pixel_rules
from senbench.datasets.readers.pixel_rules import BANDS, PixelHeader


@pytest.mark.parametrize(
    ("text", "band"),
    [
        ("B02", "B02"),
        ("b2", "B02"),
        ("B8A", "B8A"),
        ("B08A", "B8A"),
        ("B8", "B08"),
        ("B02 blue", "B02"),
        ("B12_20m", "B12"),
        ("B4, central wavelength 665 nm", "B04"),
        ("Band 2", None),  # a place in the file, not a band of Sentinel-2
        ("B13", None),
        ("B2A", None),
        ("SCL", None),
        ("B123", None),
        ("B8Ax", None),
        ("", None),
    ],
)
def test_band_names(text, band):
    assert pixel_rules.band_name(text) == (band or "")


def header(n=3, names=None, colours=None, **changed):
    whole = PixelHeader(
        "uint8", (4, 4), names or (None,) * n, colours or ("gray", *("undefined",) * (n - 1)), None, (), None, False
    )
    return whole._replace(**changed)


@pytest.mark.parametrize(
    ("text", "band"),
    [
        *(("b04", "B04"), ("B04_10m", "B04"), ("T33UUP_20170613_B04_10m", "B04"), ("Red", "B04")),
        *(("red (665 nm)", "B04"), ("nir", "B08"), ("NIR08", "B8A"), ("red edge 1", "B05")),
        *(("band_4", ""), ("b1 and b2", ""), (None, "")),
    ],
)
def test_common_names_and_names_of_products(text, band):
    assert pixel_rules.band_name(text) == band


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (("b1", "b2", "b3", "b4"), True),
        (("B1", "B2", "B3"), True),
        (("Band 1", "Band 2"), True),
        (("band_1", "band_2"), True),
        (("1", "2", "3"), True),
        ((None, None), True),
        (("B2", "B3", "B4"), False),
        (("B01", "B02"), False),
        (("B4", "B3", "B2", "B1"), False),
    ],
)
def test_names_that_only_count(names, counts):
    assert pixel_rules.positional(names) is counts
    if counts:
        assert pixel_rules.bands_by_name(names) is None


@given(st.permutations(BANDS), st.sampled_from(["{}", "{}_20m", "{} of a product"]), st.booleans())
def test_bands_in_any_order_and_spelling(bands, spelling, lower):
    names = [spelling.format(band.lower() if lower else band) for band in bands]
    assert pixel_rules.bands_by_name(names) == tuple(bands)
    assert pixel_rules.bands_of_sidecar("\r\n".join(bands) + " \r\n\r\n") == tuple(bands)


@pytest.mark.parametrize(
    ("of", "order", "places"),
    [
        (header(names=("B02", "B03", "B04"), colours=("red", "green", "blue")), (), (2, 1, 0)),
        (header(4, names=("blue", "green", "red", "nir")), (), (2, 1, 0)),
        (header(colours=("blue", "green", "red")), (), (2, 1, 0)),
        (header(4, colours=("red", "green", "blue", "alpha")), (), (0, 1, 2)),
        (header(names=("b1", "b2", "b3")), (), (0, 1, 2)),
        (header(), ("B02", "B03", "B04"), (2, 1, 0)),
        (header(1), (), (0,)),
        (header(2, colours=("gray", "alpha")), (), (0,)),
    ],
)
def test_which_bands_are_red_green_and_blue(of, order, places):
    assert pixel_rules.picture_places(of, order)[0] == places


@pytest.mark.parametrize(
    ("of", "order", "says"),
    [
        (header(4), (), "4 8-bit bands without names"),
        (header(names=("VV", "VH", "x")), (), "none of B01"),
        (header(names=("B05", "B06", "B07")), (), "needs each of B04, B03, B02"),
        (header(), ("B02", "B03"), r"has 3 bands, bands\.txt names 2"),
    ],
)
def test_bands_that_cannot_be_told_are_asked_for(of, order, says):
    with pytest.raises(ValueError, match=says):
        pixel_rules.picture_places(of, order)


def test_digital_bands_by_colour_where_there_are_no_names():
    of = header(colours=("red", "green", "blue"), dtype="uint16")
    assert pixel_rules.digital_order(of) == ("B04", "B03", "B02")
    four = header(4, names=("B02", "B03", "B04", None), colours=("gray", "undefined", "undefined", "alpha"))
    assert pixel_rules.digital_order(four) == ("B02", "B03", "B04", "-")
    with pytest.raises(ValueError, match=r"cannot be identified .*write their names in file order into bands\.txt"):
        pixel_rules.digital_order(header(4, names=("b1", "b2", "b3", "b4")))


@pytest.mark.parametrize(
    ("of", "depth"),
    [(header(), "8-bit"), (header(dtype="uint16"), "digital"), (header(1, colours=("palette",), bits=4), "8-bit")],
)
def test_bit_depth(of, depth):
    assert pixel_rules.bit_depth(of) == depth


@pytest.mark.parametrize(
    ("of", "says"),
    [(header(dtype="uint16", white_is_zero=True), "0 is white"), (header(dtype="complex64"), "complex64")],
)
def test_values_of_another_kind(of, says):
    with pytest.raises(ValueError, match=says):
        pixel_rules.bit_depth(of)


def test_values_that_no_sensor_can_have():
    dn = np.array([0, 1000, 32_767, 65_535, 64_536, 40_000], np.uint16)
    assert pixel_rules.impossible_share(dn) == pytest.approx(2 / 6)
    assert pixel_rules.impossible_share(dn[:3]) == 0


@pytest.mark.parametrize("kind", ["int16", "uint16", "int32", "uint32", "float32"])
def test_stored_values_to_digital_numbers(kind):
    values = np.array([0, 50, 300, 2000], kind)
    found = pixel_rules.digital(values, values == 0, gain=10.0, offset=1000)
    assert (found.dtype, found.tolist()) == (np.uint16, [0, 0, 2000, 19000])
