"""Images shared by several processes, here threads: the batches, the rows and the errors of a single one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import stubs
from hypothesis import given
from hypothesis import strategies as st
from stubs import StubEncoder, tiles

from senbench.datasets.tiles import TileError
from senbench.embedding.engine import embed_images, embed_part
from senbench.embedding.image_pass import EmbedOptions
from senbench.embedding.row_cache import Store
from senbench.embedding.work_split import Work, check_shared
from senbench.errors import SenbenchError, UnavailableError, UsageError
from senbench.runtime.distributed import ALONE, Team


class Threads(Team):
    """A team in one process; who leaves breaks the barrier, as who ends closes its connections."""

    def __init__(self, rank, size, barrier, board):
        super().__init__(rank, size)
        self.barrier, self.board = barrier, board

    def _all(self, value):
        try:
            self.barrier.wait(10)
            self.board[self.rank] = value
            self.barrier.wait(10)
            return [self.board[r] for r in range(self.size)]
        except threading.BrokenBarrierError:
            raise UnavailableError("a process of this run ended before the others") from None

    def from_first(self, value):
        return self._all(value)[0]

    def to_first(self, value):
        found = self._all(value)
        return found if self.rank == 0 else []


def together(work, size=3):
    """What `work(team)` gives or raises in each process."""
    barrier, board = threading.Barrier(size), {}

    def one(rank):
        try:
            return work(Threads(rank, size, barrier, board))
        except SenbenchError as error:
            barrier.abort()
            return error

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


def embed(cache, encoders, of=lambda rank: tiles(100), **options):
    def one(team):
        if team.rank:
            return embed_part(encoders[team.rank], of(team.rank), cache, EmbedOptions(team=team, **options))
        return embed_images(encoders[0], of(0), cache, EmbedOptions(team=team, **options))

    return together(one, len(encoders))


@given(n=st.integers(0, 300), batch=st.integers(1, 40), size=st.integers(1, 9))
def test_parts_are_the_batches_of_a_single_process_each_once(n, batch, size):
    todo = list(range(5, 5 + n))
    parts = [Work(todo, batch, "").part(Team(rank, size)) for rank in range(size)]
    assert sorted(p for part in parts for p in part) == todo
    batches = {tuple(part[i : i + batch]) for part in parts for i in range(0, len(part), batch)}
    assert batches == {tuple(todo[i : i + batch]) for i in range(0, n, batch)}
    assert all(0 <= len(a) - len(b) <= batch for a, b in pairwise(parts))


def test_rows_are_those_of_one_process_and_each_tile_is_encoded_once(tmp_path):
    want = embed_images(StubEncoder(), tiles(100), None)
    encoders = [StubEncoder() for _ in range(3)]
    got, *others = embed(tmp_path, encoders)
    assert others == [None, None]
    np.testing.assert_array_equal(got.rows, want.rows)
    assert (got.content_hash, got.encoded, got.processes) == (want.content_hash, 100, 3)
    assert [e.images for e in encoders] == [35, 35, 30]  # 15 batches of 7, the last of 2
    encoders = [StubEncoder() for _ in range(2)]
    assert embed(tmp_path, encoders)[0].encoded == 0
    assert [e.images for e in encoders] == [0, 0]


def test_only_what_is_missing_is_shared(tmp_path):
    embed_images(StubEncoder(), tiles(100).take(range(40)), tmp_path)
    encoders = [StubEncoder() for _ in range(2)]
    advanced = []

    def one(team):
        if team.rank:
            return embed_part(encoders[1], tiles(100), tmp_path, EmbedOptions(team=team))
        return embed_images(encoders[0], tiles(100), tmp_path, EmbedOptions(team=team, advance=advanced.append))

    assert together(one, 2)[0].encoded == 60
    assert [e.images for e in encoders] == [32, 28]
    assert sum(advanced) == 100


def test_other_processes_neither_read_rows_nor_give_any(tmp_path):
    embed_images(StubEncoder(), tiles(100).take(range(40)), tmp_path)
    settings = {"kind": "image", "weights": "stub", "radiometry": "native-jpeg", "band_order": "rgb"}
    assert len(Store(tmp_path, 8, settings)) == 40
    assert len(Store(tmp_path, 8, settings, read=False)) == 0


def test_duplicates_are_encoded_by_one_process(tmp_path):
    encoders = [StubEncoder() for _ in range(2)]
    got, _ = embed(tmp_path, encoders, lambda rank: tiles(100, twins=True))
    assert sum(e.images for e in encoders) == got.encoded == 99
    np.testing.assert_array_equal(got.rows[1], got.rows[4])


def test_tiles_that_others_skip_are_listed(tmp_path):
    got, _ = embed(tmp_path, [StubEncoder(), StubEncoder()], lambda rank: tiles(100, bad={3, 10}), on_error="skip")
    assert sorted(got.skipped) == [3, 10]  # 3 is of the first batch, 10 of the second
    assert len(got.rows) == 98 and got.encoded == 98


@pytest.mark.parametrize(("bad", "rank"), [(3, 0), (10, 1)])
def test_a_tile_that_stops_one_process_stops_all(bad, rank, tmp_path):
    ended = embed(tmp_path, [StubEncoder(), StubEncoder()], lambda rank: tiles(100, bad={bad}))
    assert isinstance(ended[rank], TileError)
    assert "ended before the others" in str(ended[1 - rank])


def test_other_tiles_elsewhere_are_an_error(tmp_path):
    ended = embed(tmp_path, [StubEncoder(), StubEncoder()], lambda rank: tiles(100 - rank))
    assert "lists other tiles" in str(ended[1])


def test_other_pixels_elsewhere_are_an_error(tmp_path):
    def of(rank):
        some = tiles(100)
        return stubs.changed(some, keys=lambda i: b"%d" % i + some.keys(i)) if rank else some

    ended = embed(tmp_path, [StubEncoder(), StubEncoder()], of)
    assert "49 of 100 tiles that other processes embedded are not in" in str(ended[0])


def test_without_a_cache_nothing_is_begun(tmp_path):
    encoders = [StubEncoder(), StubEncoder()]
    ended = embed(None, encoders)
    assert {type(error) for error in ended} == {UsageError}
    assert [e.images for e in encoders] == [0, 0]


def test_machines_that_do_not_share_the_cache_are_told_so_at_once(tmp_path):
    assert together(lambda team: check_shared(team, tmp_path / "cache")) == [None] * 3
    assert list((tmp_path / "cache").iterdir()) == []
    ended = together(lambda team: check_shared(team, tmp_path / str(team.rank // 2)))
    assert "1 of 3 processes, on " in str(ended[0]) and "set SENBENCH_HOME to one folder" in str(ended[0])
    assert list((tmp_path / "0").iterdir()) == []
    check_shared(ALONE, tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_cache_that_cannot_be_written_is_told_before_anything_else(tmp_path):
    (tmp_path / "file").touch()
    ended = together(lambda team: check_shared(team, tmp_path / "file" / "cache"))
    assert "cannot be written" in str(ended[0])
