"""A run killed at any moment loses the shard in flight and nothing else, and ends the same when run again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import time

import numpy as np
import pytest
from stubs import StubEncoder, tiles

from senbench.embedding import engine, image_pass
from senbench.embedding.image_pass import EmbedOptions
from senbench.embedding.row_cache import Store

KILLS = 50
N = 2000


class Slow(StubEncoder):
    """Encodes like the stub, a little slower, so that most kills meet a run at work."""

    def encode_prepared(self, batch):
        time.sleep(0.001)
        return super().encode_prepared(batch)


@pytest.fixture
def told(monkeypatch):
    """Shards of 32 rows, each of which is told through a pipe once it is written."""
    monkeypatch.setattr(image_pass, "SHARD_ROWS", 32)
    source, sink = os.pipe()
    add = Store.add

    def telling(self, keys, rows):
        add(self, keys, rows)
        os.write(sink, struct.pack("i", len(keys)))

    monkeypatch.setattr(Store, "add", telling)
    os.set_blocking(source, False)
    yield source
    os.close(source)
    os.close(sink)


def kept(source: int) -> int:
    """Rows that the child told of."""
    data = b""
    try:
        while part := os.read(source, 65536):
            data += part
    except BlockingIOError:
        pass
    return sum(n for (n,) in struct.iter_unpack("i", data[: len(data) // 4 * 4]))


def after(source: int, child: int, rows: int) -> int:
    """Wait until the child told of so many rows, or is through."""
    n = 0
    while n < rows and os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        n += kept(source)
        time.sleep(0.001)
    return n


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fifty_kills_lose_nothing_but_the_shard_in_flight(tmp_path, told):
    some, want = tiles(N), engine.embed_images(StubEncoder(), tiles(N), None).rows
    kept(told)  # what the run just now told
    draw = random.Random(0)
    settled, finished, kills = 0, 0, 0
    while kills < KILLS:
        child = os.fork()
        if child == 0:
            engine.embed_images(Slow(), some, tmp_path, EmbedOptions(batch_size=8))
            os._exit(0)
        settled += after(told, child, draw.randrange(4) * 32)  # by its progress: a busy machine may not begin in time
        time.sleep(draw.uniform(0.0, 0.01))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
        settled += kept(told)
        store = reopened(tmp_path)
        assert store.damaged == []
        assert settled <= len(store) <= settled + 32  # a shard may be written and not yet told
        settled = len(store)
        if settled == N:  # all is there: nothing is encoded again, and the next kills meet a new run
            np.testing.assert_array_equal(engine.embed_images(Refusing(), some, tmp_path).rows, want)
            finished += 1
            settled = 0
            shutil.rmtree(store.folder)
    whole = engine.embed_images(StubEncoder(), some, tmp_path, EmbedOptions(batch_size=8))
    np.testing.assert_array_equal(whole.rows, want)
    assert whole.encoded == N - settled
    assert settled > 0 or finished > 0


class Refusing(StubEncoder):
    """Must not be asked for anything."""

    def encode_prepared(self, batch):
        raise AssertionError("all rows are kept already")


def reopened(cache) -> Store:
    some = tiles(3)
    identity = {"kind": "image", **(StubEncoder().image_identity() or {})}
    return Store(
        cache, StubEncoder().embed_dim, {**identity, "radiometry": some.radiometry, "band_order": some.band_order}
    )
