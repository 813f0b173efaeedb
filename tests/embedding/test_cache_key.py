"""The cache key: whatever changes an embedding changes it, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import stubs

from senbench.embedding import side_cache
from senbench.embedding.cache_key import KEY_BYTES, image_settings, row_key, store_key, text_settings
from senbench.embedding.engine import embed_images, embed_texts


def test_store_key_does_not_depend_on_field_order():
    assert store_key({"a": 1, "b": 2}) == store_key({"b": 2, "a": 1})


@pytest.mark.parametrize("change", [{"radiometry": "dn3000"}, {"band_order": "B02,B03,B04"}])
def test_other_rendering_is_embedded_again(tmp_path, change):
    embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path)
    assert embed_images(stubs.StubEncoder(), stubs.tiles(**change), tmp_path).encoded == 60
    assert embed_images(stubs.StubEncoder("other"), stubs.tiles(), tmp_path).encoded == 60


def test_images_and_texts_never_share_a_store(tmp_path):
    embed_texts(stubs.StubEncoder(), ["a lake"], tmp_path)
    embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path)
    side_cache.cut_texts(stubs.StubEncoder(), ["a lake"], tmp_path)
    side_cache.statistics(stubs.tiles(), tmp_path)
    side_cache.pictures(stubs.tiles(), [0], bytes, "raw", tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_digital_numbers_and_their_rendering_never_share_rows(tmp_path):
    from senbench.datasets.bands import Pairing

    bands = ("B04", "B03", "B02", "B08")

    def dn(i, names):
        full = np.arange(4) * 1000 + np.arange(1, 5) * (i + 1)
        return np.broadcast_to(full[[bands.index(b) for b in names]], (8, 8, len(names))).astype(np.uint16)

    tiles = stubs.tiles(9, info=stubs.info(splits={"all": 9}, bands=bands, unit="dn"), bands_reader=dn)
    embed_images(stubs.StubEncoder(), tiles, tmp_path)
    for chosen in (bands[:3], bands[2::-1]):
        view = tiles.paired(Pairing(chosen, native=True))
        got = embed_images(stubs.StubEncoder(), view, tmp_path)
        assert got.encoded == 9
        np.testing.assert_array_equal(got.rows, stubs.StubEncoder().encode_prepared([dn(i, chosen) for i in range(9)]))
    assert embed_images(stubs.StubEncoder(), tiles, tmp_path).encoded == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_a_model_that_may_change_has_no_settings():
    class Live(stubs.StubEncoder):
        def image_identity(self):
            return None

        text_identity = image_identity

    assert image_settings(Live(), stubs.tiles()) is None
    assert text_settings(Live()) is text_settings(Live(), "cut") is None


def test_settings_name_the_model_and_how_tiles_are_rendered():
    found = image_settings(stubs.StubEncoder("m"), stubs.tiles())
    assert found == {"kind": "image", "weights": "m", "radiometry": "native-jpeg", "band_order": "rgb"}
    keys = {
        store_key(image_settings(stubs.StubEncoder("m"), replace(stubs.tiles(), **change)))
        for change in ({}, {"radiometry": "dn3000"}, {"band_order": "B02,B03,B04"})
    }
    keys |= {store_key(text_settings(stubs.StubEncoder("m"), kind)) for kind in ("text", "cut")}
    assert len(keys) == 5
    assert json.loads(json.dumps(found)) == found


def test_a_row_key_is_short_and_that_of_its_content():
    assert len(row_key(b"")) == len(row_key(b"a" * 10_000)) == KEY_BYTES
    assert len({row_key(bytes([i])) for i in range(256)}) == 256
    assert row_key(b"a tile").hex() == "32552a3f00d8636a8ec70f2f228d72ac"  # kept caches are found by it
