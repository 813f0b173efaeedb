"""Who a process is among those of torchrun, and what it may not do."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from senbench.embedding import decode_pool
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.grid import run_crossed
from senbench.runtime import distributed
from senbench.runtime.distributed import ALONE, Team
from senbench.schema.run_spec import RunSpec


@pytest.fixture
def torchrun(monkeypatch):
    for name, value in {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert distributed.team() is ALONE
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert distributed.team() is ALONE
    assert ALONE.from_first("x") == "x"
    assert ALONE.to_first("x") == ["x"]
    with ALONE.first_alone():
        pass
    assert ALONE.device("cuda") == "cuda"
    assert distributed.beside() == 1


def test_alone_torch_is_not_imported():
    code = (
        "import sys; from senbench.runtime import distributed as d; t = d.team(); t.from_first(1); t.to_first(1); "
        "t.device('auto'); d.tell('x'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_variables_of_torchrun(torchrun):
    team = distributed.team()
    assert (team.rank, team.size, distributed.beside()) == (3, 4, 2)


@pytest.mark.parametrize("text", ["", "-1", "two", "²"])
def test_a_number_that_is_none_is_named(torchrun, text):
    torchrun.setenv("RANK", text)
    with pytest.raises(UsageError, match="RANK="):
        distributed.team()


@pytest.mark.parametrize("text", ["soon", "1.5", "nan"])
def test_a_wait_that_is_none_is_named(monkeypatch, text):
    monkeypatch.setenv(distributed.WAIT, text)
    with pytest.raises(UsageError, match=distributed.WAIT):
        distributed._wait()
    monkeypatch.setenv(distributed.WAIT, "9" * 30)
    assert distributed._wait().days == 365


def cuda(n: int, chosen: list[int]):
    return types.SimpleNamespace(is_available=lambda: n > 0, device_count=lambda: n, set_device=chosen.append)


@pytest.mark.parametrize(
    ("asked", "devices", "got"),
    [("auto", 2, "cuda:1"), ("cuda", 2, "cuda:1"), ("auto", 0, "auto"), ("cpu", 2, "cpu"), ("cuda:0", 2, "cuda:0")],
)
def test_each_process_has_a_device_of_its_own(torchrun, asked, devices, got):
    import torch

    chosen: list[int] = []
    torchrun.setattr(torch, "cuda", cuda(devices, chosen))
    assert Team(3, 4).device(asked) == got
    assert chosen == [1] * (got == "cuda:1")


def test_more_processes_than_devices_are_refused(torchrun):
    import torch

    torchrun.setattr(torch, "cuda", cuda(1, []))
    with pytest.raises(UnavailableError, match="--nproc-per-node 1"):
        Team(3, 4).device("auto")


def test_processes_of_a_machine_share_its_cores_for_decoding(torchrun):
    torchrun.setattr(decode_pool.os, "sched_getaffinity", lambda _: set(range(8)))
    assert decode_pool.count(10_000, portable=True, overlaps=True) == 4
    torchrun.delenv("LOCAL_WORLD_SIZE")
    assert decode_pool.count(10_000, portable=True, overlaps=True) == 8


@pytest.mark.parametrize(
    ("raised", "said"),
    [("Timed out waiting 1000ms for recv", "did not come within 120 minutes"), ("Connection closed by peer", "ended")],
)
def test_what_gloo_raises_is_one_line(monkeypatch, raised, said):
    monkeypatch.delenv(distributed.WAIT, raising=False)

    def fail(*_, **__):
        raise RuntimeError(raised)

    monkeypatch.setattr(
        distributed, "_connected", lambda: types.SimpleNamespace(broadcast_object_list=fail, gather_object=fail)
    )
    for meet in (Team(1, 2).from_first, Team(1, 2).to_first):
        with pytest.raises(UnavailableError, match=said):
            meet(None)


class Board(dict):
    def add(self, key, n):
        self[key] = self.get(key, 0) + n
        return self[key]

    def set(self, key, value):
        self[key] = value

    def wait(self, keys, _):
        assert all(key in self for key in keys)


def test_a_failure_is_told_by_the_first(torchrun, capsys):
    board = Board()
    torchrun.setattr(distributed, "_store", lambda: board)
    for line in ("first", "second"):
        distributed.tell(line)
    assert capsys.readouterr().err == "first\n"


def test_a_failure_is_told_where_torchrun_is_gone(torchrun, capsys):
    def gone():
        raise RuntimeError("refused")

    torchrun.setattr(distributed, "_store", gone)
    distributed.tell("line")
    assert capsys.readouterr().err == "line\n"


def test_no_cache_is_refused_before_anything_else():
    spec = RunSpec(models=("mini",), prompts=("clip",), datasets=("demo",), cache=False)
    with pytest.raises(UsageError, match="--no-cache"):
        run_crossed(spec, None, Team(0, 2))


def test_other_commands_are_refused(torchrun, capsys):
    from senbench.cli import main

    torchrun.setattr(sys, "argv", ["senbench", "models"])
    torchrun.setattr(distributed, "_store", Board)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert (
        "torchrun serves `senbench run`, `senbench predict`, `senbench map` and `senbench align` only"
        in capsys.readouterr().err
    )


def test_a_variable_that_is_wrong_is_one_line(torchrun, capsys):
    from senbench.cli import main

    torchrun.setattr(sys, "argv", ["senbench", "models"])
    torchrun.setenv("WORLD_SIZE", "many")
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    assert "WORLD_SIZE='many'" in capsys.readouterr().err
