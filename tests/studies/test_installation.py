"""What is found of a machine, with broken stand-ins of what is looked at."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import machines
import numpy as np
import pytest

from senbench.embedding.row_cache import Store
from senbench.models import registry
from senbench.models.checkpoints import fetch, hashes
from senbench.studies import installation


@pytest.fixture
def quick(monkeypatch):
    """No processes: torch, torchvision and plug-ins are sound."""
    machines.sound(monkeypatch)


def of(topic, state=None):
    return [f for f in installation.examine() if f.topic == topic and state in (None, f.state)]


def test_a_sound_machine_has_no_problem(quick):
    findings = installation.examine()
    assert {f.topic for f in findings} >= {"versions", "device", "torchvision", "home", "weights", "cache", "hub"}
    assert [f for f in findings if f.state == "problem"] == []
    assert all(bool(f.remedy) == (f.state != "ok") for f in findings)


def test_a_package_that_is_missing(quick, monkeypatch):
    machines.without(monkeypatch, "torchgeo")
    (finding,) = of("versions")
    assert finding.state == "problem"
    assert "missing: torchgeo" in finding.found
    assert finding.remedy.startswith("install torchgeo into ")


def test_what_an_absent_package_costs_is_told(quick, monkeypatch):
    there = installation.find_spec
    monkeypatch.setattr(installation, "find_spec", lambda name: None if name == "rasterio" else there(name))
    (finding,) = of("package")
    assert finding.state == "warning"
    assert finding.found.startswith("rasterio is absent: GeoTIFF")


def test_every_package_that_is_imported_in_few_places_is_known(quick):
    assert of("package") == []  # all are there where the tests run


def test_what_is_there_is_told(quick, isolated_home):
    (isolated_home / "data" / "empty").mkdir(parents=True)
    (isolated_home / "data" / "eurosat").mkdir()
    (isolated_home / "data" / "eurosat" / "x.zip").touch()
    assert [f.found for f in of("data")] == [f"{isolated_home / 'data'}: eurosat"]
    assert [f.found for f in of("cache")] == [f"{isolated_home / 'cache'}: 0 stores, 0.0 MB"]
    assert [f.found for f in of("packed")] == ["no packed dataset"]


def test_data_that_this_user_cannot_read_are_a_warning(quick, monkeypatch, isolated_home):
    for name in ("eurosat", "demo"):
        (isolated_home / "data" / name).mkdir(parents=True)
        (isolated_home / "data" / name / "x").touch()
    listed = Path.iterdir

    def refuse(path):
        if path.name == "demo":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    whole, closed = of("data")
    assert whole.found.endswith(": eurosat")
    assert (closed.state, closed.found) == ("warning", "demo: not readable for this user")


def test_a_folder_of_another_owner_inside(quick, monkeypatch, isolated_home):
    (isolated_home / "cache").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "cache")
    (finding,) = of("home", "warning")
    assert f"{isolated_home / 'cache'} cannot be written; what is there serves" in finding.found


def test_torch_that_cannot_be_imported(tmp_path, monkeypatch):
    machines.fake(tmp_path, "torch", "raise OSError('libtorch.so: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (found,) = installation._torch(*installation._child(installation._TORCH))
    assert (found.topic, found.state) == ("torch", "problem")
    assert "libtorch.so: cannot open shared object file" in found.found
    assert found.remedy.startswith("reinstall torch and torchvision together")


SOUND = """
from types import SimpleNamespace as N
__version__, version = "9.9", N(cuda=None)
cuda = N(is_available=lambda: False, device_count=lambda: 0)
backends = N()
"""


@pytest.mark.parametrize(
    ("end", "told"),
    [("raise RuntimeError('operator torchvision::nms does not exist')", "nms"), ("import os; os._exit(7)", "code 7")],
)
def test_torchvision_that_does_not_fit(tmp_path, monkeypatch, end, told):
    machines.fake(tmp_path, "torch", SOUND)
    machines.fake(tmp_path, "torchvision", end)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = {f.topic: f for f in installation._torch(*installation._child(installation._TORCH))}
    assert found["torchvision"].state == "problem"
    assert "torch 9.9" in found["torchvision"].found
    assert told in found["torchvision"].found
    assert found["device"].state != "problem"


@pytest.mark.parametrize(
    ("facts", "driver", "state", "words"),
    [
        ({}, "H100, 550.1", "warning", "no CUDA, but there is an NVIDIA device (H100, 550.1)"),
        ({"build": "13.0"}, "H100, 470.1", "warning", "cannot use the NVIDIA device (H100, 470.1)"),
        ({"build": "12.8", "cuda": True, "names": ["H100"]}, "H100, 570", "ok", "CUDA 12.8: H100"),
        ({"mps": True}, None, "warning", "MPS is there, but not supported"),
        ({}, None, "ok", "the CPU"),
    ],
)
def test_devices(monkeypatch, facts, driver, state, words):
    monkeypatch.setattr(installation, "GPU_NODES", ())
    monkeypatch.setattr(shutil, "which", lambda name: driver)
    monkeypatch.setattr(installation, "_driver", lambda: driver)
    (finding,) = installation._devices({**json.loads(machines.GOOD[0]), **facts})
    assert finding.state == state
    assert words in finding.found
    assert bool(finding.remedy) == (state == "warning")


def test_a_home_that_cannot_be_written(quick, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SENBENCH_HOME", str(tmp_path / "file" / "home"))
    (finding,) = of("home")
    assert finding.state == "problem"
    assert finding.found.endswith("is no folder")
    assert finding.remedy == "set SENBENCH_HOME to a folder that can be written"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home(quick, isolated_home):
    isolated_home.chmod(0o500)
    try:
        assert [f.state for f in of("home")] == ["warning"]
    finally:
        isolated_home.chmod(0o700)


def test_a_read_only_home_by_what_the_system_says(quick, monkeypatch, isolated_home):
    def refuse(self, *_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    (finding,) = of("home")
    assert finding.state == "warning"
    assert "read-only file system; what is there serves, nothing new is" in finding.found
    monkeypatch.setenv("SENBENCH_HOME", str(isolated_home / "none"))
    (finding,) = of("home")
    assert finding.state == "problem"  # there is nothing that could serve
    assert finding.found.endswith("read-only file system")


@pytest.mark.parametrize(("free", "state"), [(1e6, "problem"), (1e9, "warning"), (1e11, "ok")])
def test_free_space(quick, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    (finding,) = of("space")
    assert finding.state == state
    assert ("senbench cache prune" in finding.remedy) == (state != "ok")


def test_a_damaged_packed_store(quick, isolated_home):
    (isolated_home / "packed" / "eurosat-x").mkdir(parents=True)
    (isolated_home / "packed" / "eurosat-x" / "header.json").write_text("{}")
    (finding,) = of("packed", "warning")
    assert "eurosat-x" in finding.found
    assert "pack again" in finding.remedy


def test_weights_by_what_is_recorded(quick, monkeypatch):
    card = registry.find("remoteclip-vit-b-32")
    path = fetch.released_folder(card) / str(card.weights.file)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")

    def told():
        return next(f for f in of("weights") if card.id in f.found)

    assert "not yet verified" in told().found
    _, now = hashes.compare(path)
    hashes.record(path, now)
    assert "recorded, sha256" in told().found or "not the release that the card pins" in told().found
    path.write_bytes(b"other weights")
    changed = told()
    assert changed.state == "warning"
    assert "changed since it was recorded" in changed.found
    assert f"senbench models fetch {card.id}" in changed.remedy


def test_a_cut_shard_of_the_cache(quick, isolated_home):
    store = Store(isolated_home / "cache", 4, {"kind": "image", "model": "stub"})
    store.add([b"k" * 16], np.ones((1, 4), np.float32))
    assert of("cache", "warning") == []
    (shard,) = store.folder.glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-3])
    (finding,) = of("cache", "warning")
    assert shard.name in finding.found
    assert shard.exists()  # looking changes nothing


def test_hub_settings(quick, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "hub.example")
    assert [f.state for f in of("hub")] == ["warning"]
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (finding,) = of("hub")
    assert (finding.state, finding.found) == ("ok", "HF_ENDPOINT https://hub.example, HF_HUB_OFFLINE 1")


def test_broken_plug_ins(monkeypatch):
    machines.sound(monkeypatch, (['{"x": "bad"}'], ""))
    (finding,) = of("plug-ins")
    assert (finding.state, finding.found) == ("warning", "x: bad")
    machines.sound(monkeypatch, ([], "killed"))
    assert [f.state for f in of("plug-ins")] == ["problem"]


def test_an_import_without_end_is_told(monkeypatch):
    monkeypatch.setattr(installation, "PATIENCE", 3)
    lines, error = installation._child("print('first', flush=True); import time; time.sleep(60)")
    assert lines == ["first"]
    assert "not done after" in error
    (found,) = installation._torch([], error)  # nobody knows what a longer wait would have shown
    assert (found.state, found.remedy.partition(";")[0]) == ("warning", "try again on an idle machine")
