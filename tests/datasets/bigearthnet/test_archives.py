from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest
from bigearthnet_files import archive, v1, v2
from hub_server import Hosted
from typer.testing import CliRunner

from senbench.cli.datasets import app
from senbench.datasets.bands import RGB
from senbench.datasets.bigearthnet import archives as fetching
from senbench.datasets.bigearthnet.archives import Parcel, PinnedFile
from senbench.datasets.open import open_dataset, prepare_dataset
from senbench.datasets.readers import tar_stream
from senbench.errors import UnavailableError

REVISION = "3" * 40
BASE = f"https://hf.co/datasets/torchgeo/bigearthnet/resolve/{REVISION}/V2"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Generated v1 and v2, and the bytes of their archives."""
    root = tmp_path_factory.mktemp("made")
    v1(root / "v1", 6, bands=RGB, split=(1 / 3, 1 / 3))
    v2(root / "v2", 6, bands=RGB)
    return root, archive(root / "v1", "BigEarthNet-v1.0"), archive(root / "v2", "BigEarthNet-S2")


@pytest.fixture
def version_2(made, hub, monkeypatch):
    """The generated v2 on the hub in two parts, as TorchGeo's class describes it but for md5 and sizes."""
    whole, table = made[2], (made[0] / "v2" / "metadata.parquet").read_bytes()
    files = {"gzaa": whole[: len(whole) // 3], "gzab": whole[len(whole) // 3 :]}
    hosted = {
        name: hub.add("torchgeo/bigearthnet", f"V2/{name}", data, revision=REVISION, repo_type="dataset")
        for name, data in (*files.items(), ("metadata.parquet", table))
    }
    real = fetching.version_2()
    parcel = Parcel(
        lists=(PinnedFile(f"{BASE}/metadata.parquet", "metadata.parquet", md5(table)),),
        parts=tuple(PinnedFile(f"{BASE}/{name}", name, md5(data)) for name, data in files.items()),
        folder=real.folder,
        wanted=real.wanted,
        patches=real.patches,
        packed=len(whole),
        unpacked=3 * len(whole),
    )
    monkeypatch.setattr(fetching, "version_2", lambda: parcel)
    return hub, hosted, parcel


def same_patches(made, name="bigearthnet-v2", version="v2"):
    """What was fetched is what was generated, and is found without --data-dir."""
    found = open_dataset(name, split=None, data_dir=None, offline=True)
    made_here = open_dataset(name, split=None, data_dir=str(made[0] / version), offline=True)
    assert found.index_hash() == made_here.index_hash() and len(found) > 1
    assert [found.key(i) for i in range(len(found))] == [made_here.key(i) for i in range(len(found))]


def test_pinned_addresses_are_torchgeos():
    from torchgeo.datasets import BigEarthNet, BigEarthNetV2

    new, old = fetching.version_2(), fetching.version_1()
    assert [(p.name, p.md5) for p in new.parts] == list(BigEarthNetV2.metadata_locs["s2"]["files"].items())
    assert [p.name for p in new.lists] == ["metadata.parquet"]
    assert all(fetching._HUB.fullmatch(p.url) for p in (*new.parts, *new.lists))
    assert old.parts[0].md5 == BigEarthNet.metadata["s2"]["md5"] and old.parts[0].url.startswith("https://")
    assert {p.name for p in old.lists} == {f"bigearthnet-{k}.csv" for k in ("train", "val", "test")}
    assert old.folder == BigEarthNet.metadata["s2"]["directory"]
    assert new.folder == BigEarthNetV2.dir_file_names["s2"]
    assert not any("S1" in p.name or "Reference" in p.name for p in (*new.parts, *old.parts))


def test_v2_is_fetched_unpacked_and_read(made, version_2, isolated_home, capsys):
    hub, _, _ = version_2
    result = CliRunner().invoke(app, ["fetch", "bigearthnet-v2"])
    root = isolated_home / "data" / "bigearthnet-v2"
    assert result.exit_code == 0 and result.stdout.strip() == f"bigearthnet-v2: {root}"
    said = result.stderr
    assert said.index("to fetch") < said.index("fetching dataset") and "free in" in said and "unpacked" in said
    assert sorted(p.name for p in root.iterdir()) == ["BigEarthNet-S2", "metadata.parquet"]
    same_patches(made)
    asked = len(hub.requests)
    assert prepare_dataset("bigearthnet-v2") == root
    assert len(hub.requests) == asked


def test_v1_is_fetched_from_direct_addresses(made, hub, isolated_home, monkeypatch):
    real = fetching.version_1()

    def remote(path: str, name: str, data: bytes) -> PinnedFile:
        hub.files[path] = Hosted(data)
        return PinnedFile(f"{hub.url}{path}?inline=false", name, md5(data))

    lists = [(made[0] / "v1" / remote.name).read_bytes() for remote in real.lists]
    parcel = Parcel(
        lists=tuple(remote(f"/lists/{r.name}", r.name, data) for r, data in zip(real.lists, lists, strict=True)),
        parts=(remote("/record/S2.tar.gz", "S2.tar.gz", made[1]),),
        folder=real.folder,
        wanted=real.wanted,
        patches=real.patches,
        packed=len(made[1]),
        unpacked=len(made[1]),
    )
    monkeypatch.setattr(fetching, "version_1", lambda: parcel)
    root = prepare_dataset("bigearthnet-v1-43")
    assert root == isolated_home / "data" / "bigearthnet-v1"
    same_patches(made, "bigearthnet-v1", "v1")
    same_patches(made, "bigearthnet-v1-43", "v1")


def test_a_break_is_resumed(made, version_2, monkeypatch, capsys):
    from huggingface_hub import constants

    hub, hosted, _ = version_2
    part = hosted["gzab"]
    part.break_after = 20_000

    def cut(seconds: float) -> None:
        part.status = 503  # the hub goes away while the client waits to try again

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    monkeypatch.setattr(time, "sleep", cut)
    with pytest.raises(UnavailableError, match="run again to continue"):
        prepare_dataset("bigearthnet-v2")
    part.status = 200
    hub.requests.clear()
    capsys.readouterr()
    prepare_dataset("bigearthnet-v2")
    assert hub.ranges() == ["bytes=20000-"]  # and neither the table nor the first part again
    assert "of it already downloaded" in capsys.readouterr().err
    same_patches(made)


def test_wrong_bytes_are_refused_before_anything_is_unpacked(version_2, isolated_home):
    _, hosted, _ = version_2
    hosted["gzab"].corrupt = True
    with pytest.raises(UnavailableError, match=r"gzab.*md5 is"):
        prepare_dataset("bigearthnet-v2")
    root = isolated_home / "data" / "bigearthnet-v2"
    assert not (root / "BigEarthNet-S2").exists() and not (root / "unpacking").exists()


def test_parts_put_there_by_hand_are_checked(made, version_2, isolated_home):
    _, hosted, _ = version_2
    store = isolated_home / "data" / "bigearthnet-v2" / "parts" / "V2"
    store.mkdir(parents=True)
    (store / "gzaa").write_bytes(hosted["gzaa"].data[:-1])
    with pytest.raises(UnavailableError, match=r"gzaa: md5 is .*deleted, run again"):
        prepare_dataset("bigearthnet-v2")
    prepare_dataset("bigearthnet-v2")
    same_patches(made)


def test_offline_only_looks(version_2, no_sockets, isolated_home):
    with pytest.raises(UnavailableError, match="nothing is fetched offline"):
        prepare_dataset("bigearthnet-v2", offline=True)


Usage = namedtuple("Usage", "total used free")


def test_too_little_room_is_told_first(version_2, monkeypatch):
    hub, _, parcel = version_2
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, parcel.packed * 2))
    with pytest.raises(UnavailableError, match=r"needs about .* while it is unpacked, .* has .* free; make room"):
        prepare_dataset("bigearthnet-v2")
    assert hub.requests == []


def test_room_that_is_needed_is_reckoned_part_by_part():
    assert fetching._peak([10], 30) == 30
    assert fetching._peak([5, 5], 30) == 25  # 15 beside both, then 30 beside the second
    assert fetching._peak([9, 1], 30) == 27
    assert fetching._peak([1, 9], 30) == 29


@pytest.mark.parametrize(("room", "kept"), [(3.5, True), (2.9, False)])
def test_without_room_for_both_a_part_is_deleted_once_unpacked(made, version_2, monkeypatch, capsys, room, kept):
    parcel, real = version_2[2], tar_stream.unpack
    left = []

    def unpack(parts, dest, **how):
        real(parts, dest, **how)
        left.extend(path.is_file() for path in parts)
        return 1

    monkeypatch.setattr(tar_stream, "unpack", unpack)
    monkeypatch.setattr(fetching, "_announce", lambda *a: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, int(parcel.packed * room)))
    prepare_dataset("bigearthnet-v2")
    assert left == [kept, True]
    assert ("each archive file is deleted when unpacked" in capsys.readouterr().err) is not kept
    same_patches(made)


def test_two_at_once_fetch_once(made, version_2, isolated_home, capfd):
    hub, _, _ = version_2
    with ThreadPoolExecutor(2) as pool:  # locks are per file descriptor: threads stand for processes
        roots = list(pool.map(prepare_dataset, ["bigearthnet-v2"] * 2))
    assert roots[0] == roots[1]
    assert sorted(p.name for p in roots[0].iterdir()) == ["BigEarthNet-S2", "metadata.parquet"]
    assert len(hub.ranges()) == 3  # the table and two parts
    same_patches(made)


def test_a_place_that_cannot_be_written_is_told(version_2, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SENBENCH_HOME", str(tmp_path / "file"))
    with pytest.raises(UnavailableError, match=r"cannot be written: .*set SENBENCH_HOME"):
        prepare_dataset("bigearthnet-v2")


def test_only_members_of_the_layout_are_unpacked(made, tmp_path):
    scene = "BigEarthNet-S2/S2A_MSIL2A_x"
    extra = {
        "README.md": b"x",
        f"{scene}/S2A_MSIL2A_x_0_0/S2A_MSIL2A_y_0_0_B02.tif": b"x",
        f"{scene}/S2A_MSIL2A_x_0_0/S2A_MSIL2A_x_0_0_B10.tif": b"x",
        f"{scene}/S2A_MSIL2A_x_0_0/run.sh": b"x",
        f"{scene}/S2A_MSIL2A_x_0_0/S2A_MSIL2A_x_0_0_B8A.tif": b"good",
    }
    part = tmp_path / "x.tar.gz"
    part.write_bytes(archive(made[0] / "v2", "nothing", extra))
    new, old = fetching.version_2().wanted, fetching.version_1().wanted
    assert tar_stream.unpack([part], tmp_path / "out", wanted=new, title="x", keep=True) == 1
    assert [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["S2A_MSIL2A_x_0_0_B8A.tif"]
    patch = "S2B_MSIL2A_20170924T93020_69_24"
    for tail, fits in (("_B02.tif", True), ("_labels_metadata.json", True), ("_B2.tif", False), (".json", False)):
        assert bool(old.fullmatch(f"BigEarthNet-v1.0/{patch}/{patch}{tail}")) is fits


def test_an_archive_without_patches_is_refused(made, version_2, monkeypatch):
    parcel = version_2[2]
    other = Parcel(**{**parcel.__dict__, "wanted": re.compile("nothing")})
    monkeypatch.setattr(fetching, "version_2", lambda: other)
    with pytest.raises(UnavailableError, match="no patch in gzaa, gzab"):
        prepare_dataset("bigearthnet-v2")
