"""Devices by name, by kind without torch, and the precision that they have."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from senbench.errors import UnavailableError, UsageError
from senbench.models.devices import check_precision, pick_device, pixel_path


def test_devices():
    assert pick_device("cpu").type == "cpu"
    with pytest.raises(UsageError, match="use auto"):
        pick_device("gpu")
    with pytest.raises(UsageError, match="not supported"):
        pick_device("mps")
    if not torch.cuda.is_available():
        with pytest.raises(UnavailableError, match="0 CUDA devices"):
            pick_device("cuda")


def test_tf32_is_refused_where_there_is_none(monkeypatch):
    with pytest.raises(UnavailableError, match="device cpu has no TF32"):
        check_precision("cpu", "tf32")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "V100")
    with pytest.raises(UnavailableError, match="V100 has no TF32"):
        check_precision("cuda", "tf32")
    check_precision("cuda", "float32")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    check_precision("cuda", "tf32")


@pytest.mark.parametrize(("name", "nodes", "torch"), [("cpu", ["/dev/null"], False), ("auto", ["/no"], False)])
def test_the_kind_of_device_needs_no_torch_where_only_the_cpu_is_left(name, nodes, torch):
    code = f"""
import sys
from senbench.models import devices
devices.GPU_NODES = {nodes!r}
print(devices.kind({name!r}), "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cpu", str(torch)]


def test_only_a_cpu_resizes_with_pil():
    assert [pixel_path(kind) for kind in ("cpu", "cuda")] == ["exact", "device"]
