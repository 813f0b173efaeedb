"""A tar.gz unpacked as a stream: safely, resumably, in small memory."""

from __future__ import annotations

import gzip
import io
import re
import tarfile

import pytest
from bigearthnet_files import archive, v1, v2

from senbench.datasets.bands import RGB
from senbench.datasets.bigearthnet import archives as fetching
from senbench.datasets.readers import tar_stream
from senbench.errors import UnavailableError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Generated v1 and v2, and the bytes of their archives."""
    root = tmp_path_factory.mktemp("made")
    v1(root / "v1", 6, bands=RGB, split=(1 / 3, 1 / 3))
    v2(root / "v2", 6, bands=RGB)
    return root, archive(root / "v1", "BigEarthNet-v1.0"), archive(root / "v2", "BigEarthNet-S2")


def test_unpacking_continues_where_it_was_stopped(made, tmp_path):
    part = tmp_path / "whole.tar.gz"
    part.write_bytes(made[2])
    wanted = fetching.version_2().wanted

    def stop(files: int, consumed: int) -> None:
        if files == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tar_stream.unpack([part], tmp_path / "out", wanted=wanted, title="x", keep=True, advance=stop)
    written = sorted((tmp_path / "out").rglob("*.tif"))
    assert len(written) == 7
    written[3].write_bytes(b"half")  # what a kill in the middle of a file leaves
    times = {path: path.stat().st_mtime_ns for path in written}
    assert tar_stream.unpack([part], tmp_path / "out", wanted=wanted, title="x", keep=True) == 18
    for path in written:
        assert (path.stat().st_mtime_ns == times[path]) is (path != written[3])
    for path in (made[0] / "v2" / "BigEarthNet-S2").rglob("*.tif"):
        assert (tmp_path / "out" / path.relative_to(made[0] / "v2")).read_bytes() == path.read_bytes()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HOSTILE = {
    "absolute": ({"/tmp/senbench-evil": b"x"}, "points outside"),
    "climbing": ({"BigEarthNet-S2/../../evil": b"x"}, "points outside"),
    "symlink": ({"a": link("BigEarthNet-S2/a", "/etc")}, "is a link or a device"),
    "hardlink": ({"a": link("BigEarthNet-S2/a", "/etc/passwd", tarfile.LNKTYPE)}, "is a link or a device"),
    "device": ({"a": link("BigEarthNet-S2/a", "", tarfile.FIFOTYPE)}, "is a link or a device"),
    "large": (
        {
            "BigEarthNet-S2/S2A_MSIL2A_a/S2A_MSIL2A_a_0_0/S2A_MSIL2A_a_0_0_B02.tif": bytes(tar_stream.LARGEST + 1),
        },
        "announces",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives_are_refused(made, tmp_path, kind):
    extra, message = HOSTILE[kind]
    part = tmp_path / "x.tar.gz"
    part.write_bytes(archive(made[0] / "v2", "nothing", extra))
    with pytest.raises(UnavailableError, match=message):
        tar_stream.unpack([part], tmp_path / "out", wanted=fetching.version_2().wanted, title="x", keep=True)
    assert not (tmp_path / "out").exists() and not (tmp_path / "evil").exists()


@pytest.mark.parametrize("cut", [lambda d: d[: len(d) // 2], lambda d: d[:-6], lambda d: b"no gzip" + d, lambda d: b""])
def test_damaged_archives_are_named(made, tmp_path, cut):
    part = tmp_path / "x.tar.gz"
    part.write_bytes(cut(made[2]))
    with pytest.raises(UnavailableError, match=r"archive is damaged after [\d,]+ bytes .*delete x\.tar\.gz") as caught:
        tar_stream.unpack([part], tmp_path / "out", wanted=re.compile(".*"), title="x", keep=True)
    assert "\n" not in str(caught.value)


def test_the_checksum_after_the_last_member_counts(made, tmp_path):
    longer = bytearray(gzip.compress(gzip.decompress(made[2]) + bytes(3 * tar_stream.LARGEST)))
    longer[-8] ^= 1  # the CRC-32, far behind what tar reads
    part = tmp_path / "x.tar.gz"
    part.write_bytes(longer)
    with pytest.raises(UnavailableError, match="archive is damaged"):
        tar_stream.unpack([part], tmp_path / "out", wanted=fetching.version_2().wanted, title="x", keep=True)


def test_memory_does_not_grow_with_the_members(tmp_path, monkeypatch):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for k in range(300):
            tar.addfile(tarfile.TarInfo(f"f{k}"))
    part = tmp_path / "x.tar.gz"
    part.write_bytes(out.getvalue())
    longest, real = [], tarfile.TarFile.next

    def watched(self):
        longest.append(len(self.members))
        return real(self)

    monkeypatch.setattr(tarfile.TarFile, "next", watched)
    assert tar_stream.unpack([part], tmp_path / "out", wanted=re.compile("f.*"), title="x", keep=True) == 300
    assert max(longest) <= 1
