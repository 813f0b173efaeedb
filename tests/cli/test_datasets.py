"""`senbench datasets pack`: what it says, where it writes, what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from eurosat_files import tiffs, unpack

from senbench.datasets.eurosat import multispectral
from senbench.datasets.packed.format import HEADER


@pytest.fixture(autouse=True)
def small_demo(monkeypatch):
    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 1)


def test_command(tmp_path, senbench):
    data = unpack(tmp_path / "EuroSAT_MS", tiffs(2))
    call = ("datasets", "pack", "eurosat", "--split", "all", "--data-dir", data)
    done = senbench(*call)
    assert done.code == 0, done.err
    assert "packing 20 tiles of eurosat all as eurosat-jpeg RGB: 0.2 MB in" in done.err
    folder = Path(done.out.split(": ", 1)[1].split(" (")[0])
    assert (folder / HEADER).is_file()
    assert "there already" in senbench(*call).out
    more = senbench(*call, "--bands", "B02,B8A", "--jobs", 1, "--out", tmp_path / "dn")
    assert (more.code, (tmp_path / "dn" / HEADER).is_file()) == (0, True)
    sound = senbench("datasets", "pack", "eurosat", "--verify")
    assert (sound.code, "20 tiles, sound" in sound.out) == (0, True)
    pixels = (folder / "000000.tiles").read_bytes()
    (folder / "000000.tiles").write_bytes(bytes([pixels[0] ^ 1]) + pixels[1:])
    broken = senbench("datasets", "pack", "eurosat", "--verify")
    assert (broken.code, broken.err.count("\n")) == (3, 1)
    assert "was altered" in broken.err
    assert senbench("datasets", "pack", "eurosat", "--verify", "--out", tmp_path / "dn").code == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("eurosat-rbg",), 2, "unknown dataset 'eurosat-rbg'"),
        (("demo", "--bands", "B02", "--radiometry", "dn2000"), 2, "--bands packs digital numbers as they are"),
        (("demo", "--bands", ""), 2, "name every band once"),
        (("demo", "--jobs", "0"), 2, "--jobs 0: give at least 1"),
        (("demo", "--on-error", "x"), 2, "use stop or skip"),
        (("demo", "--verify"), 3, "no packed store of demo"),
        (("folder:nowhere",), 2, "no such folder"),
    ],
)
def test_command_refuses(senbench, words, code, says):
    done = senbench("datasets", "pack", *words)
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert says in done.err
