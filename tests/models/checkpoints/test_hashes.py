"""The sha256 of a file is computed once, remembered by size, time and inode, and compared ever after."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from senbench.errors import ContractError, UnavailableError
from senbench.models.checkpoints import hashes

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = b"old weights" * 1000, b"new weights" * 1000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def reads(monkeypatch):
    """How often a file's bytes were hashed."""
    counted: list[str] = []
    real = hashlib.file_digest

    def count(stream, algorithm):
        counted.append(stream.name)
        return real(stream, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", count)
    return counted


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "x.pt"
    path.write_bytes(OLD)
    return path


def use(path: Path) -> tuple[hashes.HashedFile | None, hashes.HashedFile]:
    was, now = hashes.compare(path)
    hashes.record(path, now)
    return was, now


def test_hashed_once(file, reads, isolated_home):
    was, now = use(file)
    assert was is None
    assert now.sha256 == sha256(OLD)
    stat = file.stat()
    assert json.loads((isolated_home / "weights" / "hashes.json").read_text()) == {
        str(file): {
            "size": len(OLD),
            "mtime_ns": stat.st_mtime_ns,
            "ctime_ns": stat.st_ctime_ns,
            "inode": stat.st_ino,
            "sha256": sha256(OLD),
        }
    }
    assert use(file) == (now, now)
    assert len(reads) == 1


def test_another_process_does_not_hash_again(file):
    use(file)
    code = """
import hashlib, sys
from pathlib import Path
def never(*given): raise AssertionError("hashed again")
hashlib.file_digest = never
from senbench.models.checkpoints import hashes
print(hashes.compare(Path(sys.argv[1]))[1].sha256)
"""
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == sha256(OLD)


def touched(file: Path) -> None:
    os.utime(file, ns=(1, 1))


def replaced(file: Path) -> None:
    """Other bytes of the same size and time: only the inode tells."""
    stat = file.stat()
    other = file.with_suffix(".new")
    other.write_bytes(NEW)
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(file)


def longer(file: Path) -> None:
    """Other bytes of the same time in the same inode: only the size tells."""
    stat = file.stat()
    with file.open("ab") as stream:
        stream.write(b"!")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "data"),
    [(touched, OLD), (replaced, NEW), (longer, OLD + b"!")],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_hashed_again_when_size_time_or_inode_differ(file, reads, change, data):
    _, first = use(file)
    change(file)
    was, now = hashes.compare(file)
    assert was == first
    assert now.sha256 == sha256(data)
    assert len(reads) == 2
    use(file)
    use(file)
    assert len(reads) == 3


def test_a_link_is_known_by_its_own_name(tmp_path, file):
    other = tmp_path / "other.pt"
    other.write_bytes(NEW)
    link = tmp_path / "link.pt"
    link.symlink_to(file)
    use(link)
    link.unlink()
    link.symlink_to(other)
    was, now = hashes.compare(link)
    assert (was.sha256, now.sha256) == (sha256(OLD), sha256(NEW))


def test_relative_and_absolute_are_one(file, reads, monkeypatch, tmp_path):
    from pathlib import Path

    use(file)
    monkeypatch.chdir(tmp_path)
    assert hashes.compare(Path("x.pt"))[0] is not None
    assert len(reads) == 1


def test_verified_needs_no_reading(file, reads):
    hashes.verified(file, sha256(OLD))
    assert hashes.compare(file)[1].sha256 == sha256(OLD)
    assert reads == []


def read_only_by_mode(home: Path) -> None:
    home.chmod(0o555)


def read_only_by_kind(home: Path) -> None:
    home.rmdir()
    home.write_bytes(b"")  # nothing can be made below a file, not even by root


@pytest.mark.parametrize("how", [read_only_by_kind, read_only_by_mode])
def test_a_home_that_cannot_be_written(file, reads, isolated_home, how, capsys):
    how(isolated_home)
    if how is read_only_by_mode and os.access(isolated_home, os.W_OK):
        pytest.skip("this user may write anywhere")
    assert use(file)[1].sha256 == use(file)[1].sha256 == sha256(OLD)
    assert len(reads) == 2
    assert capsys.readouterr() == ("", "")


def test_a_read_only_memo_is_used(file, reads, isolated_home, monkeypatch):
    _, first = use(file)

    def refuse(*given: object, **how: object) -> None:
        raise PermissionError(13, "Permission denied", str(isolated_home))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert use(file) == (first, first)
    touched(file)
    assert hashes.compare(file)[0] == first
    use(file)  # cannot be recorded
    assert hashes.recorded(file) == first
    assert len(reads) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"/x": 3}', '{"/x": {"size": "many"}}', "\x00\xff"], ids=range(6))
def test_damaged_memo_is_set_aside_with_one_line(file, isolated_home, capsys, text):
    memo = isolated_home / "weights" / "hashes.json"
    memo.parent.mkdir()
    memo.write_bytes(text.encode("latin-1"))
    was, now = use(file)
    assert was is None
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "hashes.json was damaged and is now hashes.damaged" in err
    assert (memo.parent / "hashes.damaged").read_bytes() == text.encode("latin-1")
    assert use(file) == (now, now)
    assert capsys.readouterr().err == ""


def test_processes_that_record_at_once_lose_nothing(tmp_path):
    files = [tmp_path / f"{i}.pt" for i in range(40)]
    for i, path in enumerate(files):
        path.write_bytes(bytes([i]))
    code = """
import sys
from pathlib import Path
from senbench.models.checkpoints import hashes
for name in sys.argv[1:]:
    hashes.record(Path(name), hashes.compare(Path(name))[1])
"""
    half = [files[:20], files[20:]]
    running = [subprocess.Popen([sys.executable, "-c", code, *map(str, part)]) for part in half]
    assert [process.wait(60) for process in running] == [0, 0]
    assert all(hashes.recorded(path) for path in files)


def test_a_file_that_is_being_written(file, monkeypatch):
    real = hashlib.file_digest

    def while_writing(stream, algorithm):
        with file.open("ab") as other:
            other.write(b"more")
        return real(stream, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", while_writing)
    with pytest.raises(UnavailableError, match=r"weights x\.pt are being written just now"):
        hashes.measure(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UnavailableError, match=r"weights x\.pt cannot be read: No such file"):
        hashes.compare(tmp_path / "x.pt")


def test_a_copy_with_the_same_size_and_time_is_seen(file, tmp_path):
    other = tmp_path / "other.pt"
    other.write_bytes(NEW)
    use(file)
    stat = file.stat()
    with file.open("r+b") as stream:
        stream.write(NEW)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as `cp -p` leaves it
    assert (file.stat().st_size, file.stat().st_mtime_ns, file.stat().st_ino) == (
        stat.st_size,
        stat.st_mtime_ns,
        stat.st_ino,
    )
    was, now = hashes.compare(file)
    assert was is not None
    assert (was.sha256, now.sha256) == (sha256(OLD), sha256(NEW))


def test_bytes_loaded_under_another_hash_are_refused_and_read_again_by_the_next_run(file):
    _, first = use(file)
    file.write_bytes(NEW)
    stale = first.model_copy(update={"mtime_ns": file.stat().st_mtime_ns, "ctime_ns": file.stat().st_ctime_ns})
    hashes.record(file, stale)  # as if nothing had told: the disk itself changed the bytes
    assert hashes.compare(file)[1].sha256 == sha256(OLD)
    with pytest.raises(ContractError, match="not the bytes that were recorded"), hashes.loading(file, sha256(OLD)):
        pass
    was, now = hashes.compare(file)
    assert was is not None
    assert (was.sha256, now.sha256) == (sha256(OLD), sha256(NEW))


def test_read_afresh_where_a_changed_file_is_accepted(file):
    use(file)
    file.write_bytes(NEW)
    now = hashes.measure(file)
    hashes.record(file, now.model_copy(update={"sha256": sha256(OLD)}))
    assert hashes.compare(file)[1].sha256 == sha256(OLD)
    assert hashes.compare(file, afresh=True)[1].sha256 == sha256(NEW)


def test_a_file_that_is_changed_while_it_is_loaded(file):
    with pytest.raises((UnavailableError, ContractError)), hashes.loading(file, sha256(OLD)):
        file.write_bytes(OLD + b"more")


def test_what_an_earlier_version_remembered_is_measured_again(file, isolated_home):
    stat = file.stat()
    memo = isolated_home / "weights" / "hashes.json"
    memo.parent.mkdir(parents=True, exist_ok=True)
    old = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "inode": stat.st_ino, "sha256": "0" * 64}
    memo.write_text(json.dumps({str(file): old}))
    was, now = hashes.compare(file)
    assert was is not None
    assert (was.sha256, now.sha256) == ("0" * 64, sha256(OLD))
