"""What the numbers of a raster mean, from its header: names, colours, depth, values that cannot be."""

from __future__ import annotations

import pytest

from senbench.datasets.readers import pixel_rules


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
