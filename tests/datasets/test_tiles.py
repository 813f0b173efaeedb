"""Views of tiles."""

from __future__ import annotations

from dataclasses import replace

import stubs


def test_ids_of_a_view_come_in_its_order_and_are_listed_once():
    tiles = stubs.tiles(6)
    view = tiles.take([4, 1]).take([1, 0, 0])
    assert view.tile_ids == (tiles.ids[1], tiles.ids[4], tiles.ids[4])
    assert view.tile_ids is view.tile_ids  # asked for in loops over tens of thousands of tiles
    assert tiles.tile_ids == tiles.ids
    assert replace(view, index=tiles.index).tile_ids == tiles.ids


def test_bands_are_those_of_the_order():
    assert stubs.tiles().bands == ("B04", "B03", "B02")
    assert replace(stubs.tiles(), band_order="B02,B8A").bands == ("B02", "B8A")
