"""What is recorded and said of the machine."""

from __future__ import annotations

import json

import pytest

import senbench
from senbench.errors import UnavailableError
from senbench.runtime import environment
from senbench.runtime.progress import Silent
from senbench.studies import installation

SAID = "this CPU has no bf16 instructions: --dtype bf16 is emulated, slower than float32"


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """The machine's processor has these flags."""
    file = tmp_path / "cpuinfo"
    monkeypatch.setattr(environment, "CPUINFO", file)
    return lambda line: file.write_text(f"processor\t: 0\nmodel name\t: A: B\n{line}\n")


@pytest.mark.parametrize(
    ("line", "slow"),
    [
        ("flags\t\t: fpu avx2", {"bf16", "fp16"}),
        ("flags\t\t: fpu amx_bf16", {"fp16"}),
        ("flags\t\t: avx512_fp16 avx512_bf16x", {"bf16"}),
        ("Features\t: fp asimd asimdhp bf16", set()),
        ("other\t: x", set()),  # what is not known is not said
    ],
)
def test_a_precision_without_instructions(cpu, line, slow):
    cpu(line)
    assert {d for d in ("float32", "tf32", "bf16", "fp16") if environment.emulated("cpu", d)} == slow
    assert environment.emulated("cuda", "bf16") is None
    assert environment.describe(None, "float32")["device_name"] == "A: B"


def test_no_cpuinfo_is_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CPUINFO", tmp_path / "none")
    assert environment.emulated("cpu", "bf16") is None
    assert environment.describe(None, "float32")["device_name"]


@pytest.mark.parametrize("dtype", ["bf16", "float32"])
def test_a_run_says_it_before_it_begins(cpu, dtype):
    class Told(Silent):
        lines: list[str] = []  # noqa: RUF012

        def say(self, line):
            self.lines.append(line)

    cpu("flags : avx2")
    told = Told()
    told.lines = []
    with pytest.raises(UnavailableError):  # there are no data
        senbench.evaluate("senclip", "eurosat-rgb", "generic", dtype=dtype, device="cpu", offline=True, progress=told)
    assert told.lines == ([SAID] if dtype == "bf16" else [])


@pytest.mark.parametrize(
    ("flags", "cuda", "said"), [("avx2", False, True), ("avx512_bf16", False, False), ("avx2", True, False)]
)
def test_the_doctor_says_it_where_runs_use_the_cpu(cpu, flags, cuda, said):
    cpu(f"flags : {flags}")
    facts = {"torch": "2", "build": None, "cuda": cuda, "names": ["H100"] * cuda, "mps": False}
    found = [f for f in installation._torch([json.dumps(facts), "pair"], "") if f.topic == "precision"]
    assert [(f.state, f.found) for f in found] == ([("ok", SAID)] if said else [])
