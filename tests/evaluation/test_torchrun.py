"""`torchrun ... -m senbench run`: the result of one process, whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from eurosat_files import jpegs, packed
from places import ROOT

from senbench.embedding.cache_admin import stores

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
SCRIPT = ROOT / "tests" / "helpers" / "torchrun_script.py"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
N = 400
RUN = ["run", "--model", "mini", "--prompts", "clip", "--batch-size", "32", "--results", "results"]
RUN += ["--dataset", "eurosat-rgb", "--data-dir", "EuroSAT.zip"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Result of a single process."""
    folder = tmp_path_factory.mktemp("alone")
    packed(folder / "EuroSAT.zip", jpegs(N // 10))
    subprocess.run(
        [sys.executable, "-m", "senbench", *RUN],
        cwd=folder,
        env={**os.environ, "SENBENCH_HOME": str(folder), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    return folder


def start(folder: Path, *options: str, script: str = str(SCRIPT), command=RUN, **env: str) -> subprocess.Popen[str]:
    (folder / "told").mkdir(exist_ok=True)
    if not (folder / "EuroSAT.zip").exists():
        packed(folder / "EuroSAT.zip", jpegs(N // 10))
    known = {**os.environ, "SENBENCH_HOME": str(folder), "OMP_NUM_THREADS": "1", "TEST_TOLD": str(folder / "told")}
    return subprocess.Popen(
        [*TORCHRUN, *options, script, *command],
        cwd=folder,
        env={**known, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def two_nodes(folder: Path, **env: str) -> list[tuple[int, str, str]]:
    """Two agents of torchrun, each with one process, that find each other; exit status, stdout and stderr of each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    options = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", "test"]
    agents = [start(folder, *options, "--rdzv-endpoint", f"localhost:{port}", **env) for _ in range(2)]
    said = [agent.communicate(timeout=300) for agent in agents]
    return [(agent.returncode, *texts) for agent, texts in zip(agents, said, strict=True)]


def own(said: str) -> list[str]:
    """What senbench itself says of a failure."""
    return [line for line in said.splitlines() if line.startswith("senbench: ")]


def result(folder: Path) -> tuple[dict, object]:
    (cell,) = (path for path in (folder / "results").iterdir() if (path / "result.json").is_file())
    return json.loads((cell / "result.json").read_text()), pq.read_table(cell / "predictions.parquet")


def same(folder: Path, alone: Path) -> dict:
    """Everything but time is as with one process; the timings."""
    (told, scores), (want, wanted) = result(folder), result(alone)
    assert scores.equals(wanted)  # to the last bit
    for block in told.keys() - {"created", "timings"}:
        assert told[block] == want[block], block
    return told["timings"]


def kept(folder: Path) -> int:
    from senbench.embedding.row_cache import read_shard

    found = [s for s in stores(folder / "cache") if s.kind == "image"]
    shards = [read_shard(path) for s in found for path in (folder / "cache" / s.id).glob("*.safetensors")]
    return sum(len(shard[0]) for shard in shards)


def test_two_processes_give_the_result_of_one_and_load_no_model_for_what_is_kept(alone, tmp_path):
    first = start(tmp_path, "--standalone", "--nproc-per-node", "2")
    out, said = first.communicate(timeout=300)
    assert first.returncode == 0, said
    assert out.count("(chance)") == 1  # one process shows the table
    timings = same(tmp_path, alone)
    assert (timings["images_encoded"], timings["images_cached"], timings["processes"]) == (N, 0, 2)
    assert [p.read_text() for p in (tmp_path / "told").iterdir()] == ["model loaded"] * 2
    assert not list((tmp_path / "cache").glob(".*"))
    again = start(tmp_path, "--standalone", "--nproc-per-node", "2")
    _, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert same(tmp_path, alone)["images_encoded"] == 0
    assert [p.read_text() for p in (tmp_path / "told").iterdir()] == [""] * 2


def test_a_process_killed_on_one_of_two_nodes_costs_the_shard_in_flight(alone, tmp_path):
    ended = two_nodes(tmp_path, TEST_KILLED="1")
    assert [status for status, _, _ in ended] == [1, 1]
    (line,) = own(ended[0][2] + ended[1][2])  # its own discovery, or torchrun ended it before
    assert "ended before the others" in line or "interrupted" in line
    assert "continues with what was embedded" in line
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())
    before = kept(tmp_path)
    assert 64 < before < N
    ended = two_nodes(tmp_path)
    assert [status for status, _, _ in ended] == [0, 0], ended
    timings = same(tmp_path, alone)
    assert timings["images_encoded"] == N - before
    assert kept(tmp_path) == N


def test_a_mistake_that_all_processes_meet_is_told_once(tmp_path):
    ended = start(
        tmp_path, "--standalone", "--nproc-per-node", "2", command=["run", "--model", "nosuch", "--prompts", "clip"]
    )
    out, said = ended.communicate(timeout=300)
    assert ended.returncode == 1 and out == ""
    (line,) = own(said)
    assert "nosuch" in line
    assert "exitcode  : 2" in said  # as without torchrun, whose own status is 1
