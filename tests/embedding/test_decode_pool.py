"""Decoding in worker processes: the same tiles, errors and rows as without, and nothing left behind."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import stubs
import worker_readers as readers

from senbench.datasets.bands import RGB, Pairing
from senbench.datasets.open import open_source
from senbench.datasets.synthetic.multilabel import write_bigearthnet
from senbench.datasets.tiles import TileError
from senbench.embedding import decode_pool
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import UnavailableError, UsageError

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="tiles are decoded in threads here")


@pytest.fixture(autouse=True)
def from_the_start(monkeypatch):
    """Workers decode everything: who asks does not, while they start."""
    monkeypatch.setattr(decode_pool.Workers, "useful", True)


class Pixels(stubs.StubEncoder):
    """Some raw values as the embedding, so that two tiles are the same only if their pixels are."""

    embed_dim = 64

    def encode_prepared(self, batch):
        self.images += len(batch)
        return np.stack([np.resize(tile.reshape(-1)[:: tile.size // 60], 64) for tile in batch]).astype(np.float32)


def same(tiles, tmp_path, **options):
    with_, without = (embed_images(Pixels(), tiles, None, EmbedOptions(workers=n, **options)) for n in (1, 0))
    np.testing.assert_array_equal(with_.rows, without.rows)
    np.testing.assert_array_equal(with_.positions, without.positions)
    assert (with_.skipped, with_.content_hash, with_.encoded) == (
        without.skipped,
        without.content_hash,
        without.encoded,
    )
    return with_


OURS = ([], [b"-c"])
"""Third word of a worker's command line, and of a process that ended."""


def left() -> tuple[list[str], list[str]]:
    """Shared memory that is open here, and children, those that ended and were not waited for included."""
    links = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    maps = Path("/proc/self/maps").read_text()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    mine = [c for c in children if Path(f"/proc/{c}/cmdline").read_bytes().split(b"\0")[2:3] in OURS]
    return [link for link in [*links, *maps.splitlines()] if "senbench-tiles" in link], mine


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    root = tmp_path_factory.mktemp("patches")
    write_bigearthnet(root, 150, 3, bands=("B02", "B03", "B04", "B05"))
    return root


@pytest.mark.parametrize(
    "pairing",
    [
        Pairing(RGB, native=False),
        Pairing(RGB[::-1], native=False),
        Pairing(("B05", "B02", "B04"), native=True),
    ],
    ids=["rgb", "bgr", "dn"],
)
def test_rows_of_patches_are_the_same_with_workers(patches, pairing, tmp_path):
    tiles = open_source("bigearthnet-v2", split="test", data_dir=str(patches)).paired(pairing)
    view = tiles.take(np.arange(149, 2, -1))
    got = same(view, tmp_path, batch_size=40)
    assert len(got.rows) == 147
    assert len(np.unique(got.rows, axis=0)) == 147


def test_rows_of_a_zip_are_the_same_with_workers(tmp_path):
    import io

    from PIL import Image

    from senbench.datasets.catalog import EUROSAT

    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "EuroSAT.zip", "w") as archive:
        for k in range(70):
            out = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(out, "JPEG")
            key = EUROSAT[k % 10]
            archive.writestr(f"2750/{key}/{key}_{k + 1}.jpg", out.getvalue())
    tiles = open_source("eurosat-rgb", split="all", data_dir=str(tmp_path))
    assert tiles.reader.portable
    assert len(same(tiles, tmp_path).rows) == 70


def test_bad_patches_are_the_same_errors(patches, tmp_path):
    tiles = open_source("bigearthnet-v2", split="test", data_dir=str(patches))
    root = patches / "BigEarthNet-S2"
    victims = sorted(root.glob("*/*/*_B03.tif"))[::70]
    kept = {path: path.read_bytes() for path in victims}
    try:
        victims[0].write_bytes(kept[victims[0]][:1000])
        victims[1].unlink()
        victims[2].write_bytes(b"")
        got = same(tiles, tmp_path, on_error="skip")
        assert len(got.skipped) == 3
        messages = []
        for n in (1, 0):
            with pytest.raises(TileError) as error:
                embed_images(Pixels(), tiles, None, EmbedOptions(workers=n))
            messages.append(str(error.value))
        assert messages[0] == messages[1]
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
    assert left() == ([], [])


def test_a_portable_reader_is_small(patches):
    tiles = open_source("bigearthnet-v2", split="test", data_dir=str(patches))
    assert len(pickle.dumps(tiles.decode)) < 150 * len(tiles) + 5000  # ids and folders, no labels and facts
    assert pickle.loads(pickle.dumps(tiles.decode))(3).shape == (120, 120, 3)


def test_tiles_of_any_type_layout_and_size():
    with decode_pool.Workers(readers.odd, 1) as pool:
        for _ in range(2):
            got = pool.read([1, 2, 3, 4, 5, 7, 8, 6])
            assert isinstance(got[0], TileError) and str(got[0]) == "tile 1: truncated"
            for i, tile in zip([2, 3, 4, 5, 7, 8, 6], got[1:], strict=True):
                want = readers.odd(i)
                assert tile.dtype == want.dtype and tile.flags.writeable
                np.testing.assert_array_equal(tile, want)


def test_a_tile_outlives_the_next_part():
    with decode_pool.Workers(readers.plain, 1) as pool:
        first = pool.read(range(8))
        pool.read(range(8, 16))
        assert [tile[0, 0, 0] for tile in first] == list(range(8))


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_killed_worker_ends_the_run_in_one_line(on_error, tmp_path):
    tiles = stubs.tiles(200, reader=readers.killed, keys=lambda i: b"%d" % i)
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"was killed \(signal 9; memory\?\)") as error:
        embed_images(stubs.StubEncoder(), tiles, tmp_path, EmbedOptions(workers=2, on_error=on_error))
    assert not isinstance(error.value, TileError)  # it is no tile that could be skipped
    assert error.value.exit_code == 3 and "\n" not in str(error.value)
    assert time.monotonic() - began < 30
    assert left() == ([], [])
    again = embed_images(stubs.StubEncoder(), stubs.tiles(200, reader=readers.plain, keys=tiles.keys), tmp_path)
    assert again.encoded < 200  # what was embedded before it is kept


def test_other_errors_of_a_reader_are_raised_as_they_are(tmp_path):
    tiles = stubs.tiles(60, reader=readers.wrong, keys=lambda i: b"%d" % i)
    with pytest.raises(UsageError, match="this dataset has no such band"):
        embed_images(stubs.StubEncoder(), tiles, None, EmbedOptions(workers=1))
    with decode_pool.Workers(readers.strange, 1) as pool, pytest.raises(RuntimeError, match="Strange: 4 and 2"):
        pool.read([4])
    assert left() == ([], [])


def test_workers_import_nothing_heavy_and_work_at_the_same_time(patches):
    tiles = open_source("bigearthnet-v2", split="test", data_dir=str(patches))
    with decode_pool.Workers(readers.imported, 1) as pool:
        assert not pool.read([0])[0].any()
    with decode_pool.Workers(readers.pid, 2) as pool, ThreadPoolExecutor(2) as threads:
        seen = [tile.item() for part in threads.map(pool.read, [range(20)] * 6) for tile in part]
    assert len(set(seen)) == 2 and os.getpid() not in seen
    assert tiles.reader.portable


def test_who_asks_decodes_until_a_worker_is_up(monkeypatch):
    monkeypatch.undo()
    tiles = stubs.tiles(600, reader=readers.pid, keys=lambda i: b"%d" % i)

    class Where(stubs.StubEncoder):
        def encode_prepared(self, batch):
            seen.extend(tile.item() for tile in batch)
            return np.ones((len(batch), self.embed_dim), np.float32)

    seen: list[int] = []
    embed_images(Where(), tiles, None, EmbedOptions(workers=2))
    assert len(seen) == 600
    assert seen[0] == os.getpid() != seen[-1]
    assert left() == ([], [])


def test_a_worker_that_is_up_does_not_wait_for_the_others(monkeypatch, tmp_path):
    monkeypatch.undo()
    first = f"import os, time; from senbench.embedding.decode_pool import serve; os.mkdir({str(tmp_path / 'first')!r})"
    monkeypatch.setattr(decode_pool, "_START", f"try:\n {first}\nexcept OSError: time.sleep(60)\nserve()")
    with decode_pool.Workers(readers.pid, 2) as pool:
        while not pool.useful:
            time.sleep(0.01)
        assert sum(worker.starts for worker in pool._all) == 1
        assert pool.read([0])[0].item() != os.getpid()


def test_work_that_ends_before_the_workers_are_up_does_not_wait_for_them(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(decode_pool, "_START", "import time; time.sleep(60)")
    tiles, began = stubs.tiles(60, reader=readers.plain, keys=lambda i: b"%d" % i), time.monotonic()
    same = [embed_images(Pixels(), tiles, None, EmbedOptions(workers=n)).rows for n in (2, 0)]
    np.testing.assert_array_equal(*same)
    assert time.monotonic() - began < 30
    assert left() == ([], [])


def test_workers_are_had_in_the_order_of_asking():
    with decode_pool.Workers(readers.plain, 1) as pool, ThreadPoolExecutor(2) as threads:
        one = pool._take()
        first = threads.submit(pool.read, [1])
        while len(pool._waiting) < 1:
            time.sleep(0.01)
        second = threads.submit(pool.read, [2])
        while len(pool._waiting) < 2:
            time.sleep(0.01)
        pool._give(one)
        assert not pool._idle  # who gave it back could not take it again at once
        assert (first.result()[0][0, 0, 0], second.result()[0][0, 0, 0]) == (1, 2)


def test_workers_are_not_waited_for_at_the_end(monkeypatch):
    serve = "from senbench.embedding.decode_pool import serve; serve()"
    slow = f"import atexit, time; atexit.register(time.sleep, 60); {serve}"
    monkeypatch.setattr(decode_pool, "_START", slow)
    began = time.monotonic()
    with decode_pool.Workers(readers.plain, 2) as pool:
        assert pool.read([1])[0][0, 0, 0] == 1
    assert time.monotonic() - began < 30
    assert left() == ([], [])


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("said", ["", "hello", "."])
def test_a_worker_that_cannot_start_ends_the_run_in_one_line(said, monkeypatch):
    monkeypatch.setattr(decode_pool, "_START", f"print({said!r}, flush=True); raise SystemExit(7)")
    tiles = stubs.tiles(60, reader=readers.plain, keys=lambda i: b"%d" % i)
    with pytest.raises(UnavailableError, match="a process that decodes tiles ended with status 7"):
        embed_images(Pixels(), tiles, None, EmbedOptions(workers=2))
    assert left() == ([], [])


def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    code = (
        "import worker_readers, time\nfrom senbench.embedding.decode_pool import Workers\n"
        "pool = Workers(worker_readers.pid, 2)\n"
        "while any(worker.starts for worker in pool._all): time.sleep(0.01)\n"
        "print(pool.read([0])[0].item(), pool.read([0])[0].item(), flush=True)\ntime.sleep(60)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env)
    assert parent.stdout is not None
    pids = parent.stdout.readline().split()
    assert len(set(pids)) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while any(_runs(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_workers_serve_where_decoding_can_be_the_limit(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)))
    many = decode_pool.ENOUGH
    assert decode_pool.count(many, portable=True, overlaps=True) == 6
    assert decode_pool.count(many - 1, portable=True, overlaps=True) == 0
    assert decode_pool.count(many, portable=False, overlaps=True) == 0
    assert decode_pool.count(many, portable=True, overlaps=False) == 0
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert decode_pool.count(many, portable=True, overlaps=True) == 0
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    assert decode_pool.count(many, portable=True, overlaps=True) == decode_pool.MOST


@pytest.mark.parametrize(
    ("overlaps", "portable", "elsewhere"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_the_engine_starts_workers_by_itself(overlaps, portable, elsewhere, monkeypatch):
    monkeypatch.setattr(decode_pool, "ENOUGH", 10)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})
    seen = []

    class Device(stubs.StubEncoder):
        def begin(self, batch):
            seen.extend(bool(tile.item()) for tile in batch)
            rows = np.ones((len(batch), self.embed_dim), np.float32)
            return lambda: rows

        encode_prepared = lambda self, batch: self.begin(batch)()  # noqa: E731

    Device.overlaps = overlaps
    tiles = stubs.tiles(40, reader=readers.elsewhere, keys=lambda i: b"%d" % i, portable=portable)
    embed_images(Device(), tiles, None)
    assert seen == [elsewhere] * 40
