"""The engine: order, duplicates, bad tiles, interruption, memory, batches begun ahead."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
import stubs
from stubs import direct

from senbench.embedding.engine import embed_images, embed_texts
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import UnavailableError


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_rows_are_those_of_each_tile_in_order(batch_size, tmp_path):
    tiles, encoder = stubs.tiles(), stubs.StubEncoder()
    done = []
    got = embed_images(encoder, tiles, tmp_path, EmbedOptions(batch_size=batch_size, advance=done.append))
    np.testing.assert_array_equal(got.rows, direct(tiles))
    np.testing.assert_array_equal(got.positions, np.arange(60))
    assert sum(done) == 60
    assert got.encoded == 60


def test_second_run_encodes_nothing_and_a_view_reuses_rows(tmp_path):
    tiles = stubs.tiles()
    embed_images(stubs.StubEncoder(), tiles, tmp_path)
    encoder = stubs.StubEncoder()
    view = tiles.take([5, 3, 40])
    got = embed_images(encoder, view, tmp_path)
    assert encoder.images == got.encoded == 0
    np.testing.assert_array_equal(got.rows, direct(view))


def test_identical_tiles_are_encoded_once(tmp_path):
    tiles, encoder = stubs.tiles(twins=True), stubs.StubEncoder()
    got = embed_images(encoder, tiles, None)
    assert encoder.images == 59
    np.testing.assert_array_equal(got.rows[1], got.rows[4])


def test_the_twin_of_a_tile_that_is_skipped_is_skipped(tmp_path):
    tiles = stubs.tiles(twins=True, bad=[1, 4])
    got = embed_images(stubs.StubEncoder(), tiles, tmp_path, EmbedOptions(on_error="skip"))
    assert list(got.skipped) == [1, 4]
    assert got.skipped[4] == f"has the bytes of another one: {got.skipped[1]}"
    assert set(got.positions.tolist()) == set(range(60)) - {1, 4}


def test_bad_tiles_are_skipped_and_listed(tmp_path):
    tiles = stubs.tiles(bad=[0, 13, 59])
    got = embed_images(stubs.StubEncoder(), tiles, tmp_path, EmbedOptions(on_error="skip", batch_size=4))
    assert sorted(got.skipped) == [0, 13, 59]
    assert len(got.rows) == len(got.positions) == 57
    np.testing.assert_array_equal(got.rows, direct(tiles.take(got.positions)))


def test_interrupted_run_continues_where_it_was(tmp_path):
    tiles = stubs.tiles()
    with pytest.raises(KeyboardInterrupt):
        embed_images(stubs.StubEncoder(fail_after=28), tiles, tmp_path)
    encoder = stubs.StubEncoder()
    got = embed_images(encoder, tiles, tmp_path)
    assert encoder.images == 60 - 28
    np.testing.assert_array_equal(got.rows, direct(tiles))


def test_texts_are_encoded_once_and_kept(tmp_path):
    encoder = stubs.StubEncoder()
    rows, n, _ = embed_texts(encoder, ["a lake", "a town", "a lake"], tmp_path)
    assert encoder.texts == ["a lake", "a town"]
    assert n == 2
    again = stubs.StubEncoder()
    more, n, _ = embed_texts(again, ["a town", "a field"], tmp_path)
    assert (again.texts, n) == (["a field"], 1)
    np.testing.assert_array_equal(more["a town"], rows["a town"])


def test_what_cannot_be_kept_is_said_before_the_work_and_only_then(tmp_path, monkeypatch):
    tiles, said = stubs.tiles(), []
    embed_images(stubs.StubEncoder(), tiles.take(range(20)), tmp_path, EmbedOptions(say=said.append))
    assert said == []
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    encoder = stubs.StubEncoder()
    encoder.encode_prepared = lambda batch: (said.append("work"), stubs.StubEncoder().encode_prepared(batch))[1]
    got = embed_images(encoder, tiles, tmp_path, EmbedOptions(batch_size=64, say=said.append))
    np.testing.assert_array_equal(got.rows, direct(tiles))
    assert got.encoded == 40
    (line, _) = said
    assert "cannot be written: tiles embedded now are not kept, 40; make it writable, or set SENBENCH_HOME" in line
    embed_images(stubs.StubEncoder(), tiles.take(range(20)), tmp_path, EmbedOptions(say=said.append))
    assert len(said) == 2
    embed_texts(stubs.StubEncoder(), ["a", "b", "a"], tmp_path, say=said.append)
    assert "cannot be written: texts embedded now are not kept, 2" in said[2]
    embed_texts(stubs.StubEncoder(), ["a", "b", "a"], None, say=said.append)
    assert len(said) == 3  # asked for


def test_processes_need_a_cache_that_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    team = SimpleNamespace(rank=0, size=2)
    with pytest.raises(UnavailableError, match="cannot be written: several processes exchange their rows through it"):
        embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path, EmbedOptions(team=team))
