"""Real processes that fetch: one is killed half-way, two want the same file at once."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DATA = bytes(range(251)) * 400  # 100 kB
SHA256 = hashlib.sha256(DATA).hexdigest()
HALF = 50_000
FILE = "model.bin"

# argv: the folder. What arrived is written every 10 kB, not every 10 MB
FETCH = f"""
import sys
from pathlib import Path
from huggingface_hub import constants
constants.DOWNLOAD_CHUNK_SIZE = 10_000
from senbench.io import download, hub
origin, target = hub.RepoFile("owner/name", {FILE!r}), Path(sys.argv[1]) / {FILE!r}
path = download.fetch(download.Fetch(origin, target, what="weights of x", sha256={SHA256!r}))
assert "torch" not in sys.modules
print(path.stat().st_size)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def done(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out == f"{len(DATA)}\n"
    return err


def kill_half_way(hosted, folder: Path) -> None:
    """Kill a fetching process once the server has sent a half and some of it is on the disk."""
    process = start(folder)
    try:
        assert hosted.stalled.wait(60), "the process never asked for the file"
        while not sum(p.stat().st_size for p in folder.glob("*.partial")):
            assert process.poll() is None
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_killed_half_way_and_run_again(hub, tmp_path):
    hosted = hub.add("owner/name", FILE, DATA, stall_after=HALF)
    kill_half_way(hosted, tmp_path)
    hosted.go.set()
    assert not (tmp_path / FILE).exists()  # nothing half-written under the name that is used
    (partial,) = tmp_path.glob("*.partial")
    half = partial.read_bytes()
    assert 0 < len(half) <= HALF
    assert half == DATA[: len(half)]
    err = done(start(tmp_path))
    assert "of it already downloaded" in err
    assert (tmp_path / FILE).read_bytes() == DATA
    assert hub.ranges() == [None, f"bytes={len(half)}-"]
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


def test_killed_then_the_server_changes_the_file(hub, tmp_path):
    hosted = hub.add("owner/name", FILE, DATA[::-1], stall_after=HALF)
    kill_half_way(hosted, tmp_path)
    hosted.go.set()
    hosted.data = DATA
    done(start(tmp_path))
    assert (tmp_path / FILE).read_bytes() == DATA
    assert hub.ranges() == [None, None]


def start_waiting(folder: Path) -> subprocess.Popen[str]:
    """A process that waits for the one that fetches already."""
    process = start(folder)
    assert "waiting for another process that fetches weights of x" in process.stderr.readline()
    return process


def test_second_process_waits_and_uses_the_file(hub, tmp_path):
    hosted = hub.add("owner/name", FILE, DATA, stall_after=HALF)
    first = start(tmp_path)
    assert hosted.stalled.wait(60)
    second = start_waiting(tmp_path)
    hosted.go.set()
    done(first)
    assert done(second) == ""  # it fetched nothing
    assert (tmp_path / FILE).read_bytes() == DATA
    assert hub.ranges() == [None]  # the bytes came once
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


def test_second_process_goes_on_when_the_first_is_killed(hub, tmp_path):
    hosted = hub.add("owner/name", FILE, DATA, stall_after=HALF)
    first = start(tmp_path)
    assert hosted.stalled.wait(60)
    second = start_waiting(tmp_path)
    first.kill()
    first.communicate()
    hosted.go.set()
    done(second)
    assert (tmp_path / FILE).read_bytes() == DATA
    assert len(hub.ranges()) == 2


def test_three_processes_at_once(hub, tmp_path):
    hub.add("owner/name", FILE, DATA)
    for process in [start(tmp_path) for _ in range(3)]:
        done(process)
    assert (tmp_path / FILE).read_bytes() == DATA
    assert hub.ranges() == [None]
