from __future__ import annotations

import io
import itertools
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from senbench.datasets.radiometry import LINEAR, POLICIES, render, table
from senbench.errors import UsageError

DN = arrays(np.uint16, (3, 5, 7))


def test_eurosat_jpeg_by_hand():
    dn = np.array([0, 5, 6, 1375, 2749, 2750, 2756, 3000, 65535], np.uint16)
    # 1 + dn * 254 / 2750, half up, clipped at 255
    expected = [1, 1, 2, 128, 255, 255, 255, 255, 255]
    assert render(np.broadcast_to(dn, (3, 1, 9)), "eurosat-jpeg")[0, :, 0].tolist() == expected


@given(DN, st.sampled_from(sorted(POLICIES)))
def test_never_wraps_and_keeps_order(dn, policy):
    out = render(dn, policy)
    assert out.dtype == np.uint8
    assert out.shape == (5, 7, 3)
    flat, rendered = dn.transpose(1, 2, 0).ravel(), out.ravel()
    order = np.argsort(flat, kind="stable")
    assert (np.diff(rendered[order].astype(int)) >= 0).all()
    assert np.array_equal(render(dn.transpose(1, 2, 0), policy), out)


@given(DN, st.sampled_from(sorted(POLICIES)))
def test_a_table_gives_what_rendering_does(dn, policy):
    found = table(policy)
    assert (found is not None) == (policy in LINEAR)
    if found is not None:
        assert (found.dtype, found.shape) == (np.uint8, (65536,))
        assert np.array_equal(found[dn.transpose(1, 2, 0)], render(dn, policy))


@pytest.mark.parametrize("policy", POLICIES)
def test_only_policies_that_look_at_the_image_have_no_table(policy):
    dn = np.random.default_rng(0).integers(100, 3500, (3, 32, 32)).astype(np.uint16)
    other = dn.copy()
    other[:, :4] = 65535  # some values change the others where the image is looked at
    assert np.array_equal(render(dn, policy)[4:], render(other, policy)[4:]) == (policy in LINEAR)


def test_policies_differ_pairwise():
    dn = np.random.default_rng(0).integers(100, 3500, (3, 64, 64)).astype(np.uint16)
    rendered = {name: render(dn, name) for name in POLICIES}
    for a, b in itertools.combinations(rendered, 2):
        assert not np.array_equal(rendered[a], rendered[b]), (a, b)


def test_per_image_stretches_are_one_for_all_bands():
    dn = np.stack([np.full((4, 4), v) for v in (100, 200, 300)]).astype(np.uint16)
    assert render(dn, "minmax-per-image")[0, 0].tolist() == [0, 128, 255]
    assert render(np.full((3, 4, 4), 7, np.uint16), "minmax-per-image").max() == 0


def test_unknown_policy_and_shape():
    with pytest.raises(UsageError, match=r"eurosat-jpg.*Did you mean 'eurosat-jpeg'"):
        render(np.zeros((3, 4, 4)), "eurosat-jpg")
    with pytest.raises(ValueError, match="three bands"):
        render(np.zeros((4, 5, 5)), "dn3000")


@pytest.mark.shared
@pytest.mark.parametrize("n", [1, 2, 3])
def test_real_tiles_render_to_their_jpegs(shared, n):
    import rasterio

    with rasterio.open(shared / "eurosat-ms" / f"AnnualCrop_{n}.tif") as file:
        dn = file.read([4, 3, 2])
    with zipfile.ZipFile(shared / "eurosat" / "EuroSAT.zip") as archive:
        data = archive.read(f"2750/AnnualCrop/AnnualCrop_{n}.jpg")
    jpeg = np.asarray(Image.open(io.BytesIO(data))).astype(float)

    def off(rendered: np.ndarray) -> float:
        return float(np.abs(rendered - jpeg).mean())

    assert off(render(dn, "eurosat-jpeg")) < 1.5
    # the mistakes that have been made with this data must not pass
    assert off(render(dn[::-1], "eurosat-jpeg")) > 1.5
    for wrong in set(POLICIES) - {"eurosat-jpeg"}:
        assert off(render(dn, wrong)) > 1.5, wrong
    assert off(render(dn // 16, "eurosat-jpeg")) > 1.5  # 16 bits taken for 12


@pytest.mark.parametrize(
    ("policy", "high", "floor"),
    [("eurosat-jpeg", 2750, 1), ("dn2000", 2000, 0), ("dn3000", 3000, 0), ("dn10000", 10000, 0)],
)
def test_every_value_is_rounded_half_up(policy, high, floor):
    dn = np.arange(65536)
    exact = dn * (255 - floor) + floor * high  # times `high`: whole numbers, so that a half is a half
    expected = np.minimum((2 * exact + high) // (2 * high), 255)
    halves = (2 * exact) % (2 * high) == high
    # half to even would give others; no value of eurosat-jpeg is a half
    assert (expected[halves & (expected < 255)] % 2 == 1).any() == (policy != "eurosat-jpeg")
    assert np.array_equal(table(policy), expected)
    shown = render(np.broadcast_to(dn.astype(np.uint16), (3, 1, 65536)), policy)
    assert np.array_equal(shown[0, :, 0], expected)
