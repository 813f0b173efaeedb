"""What every benchmark shares: a way and what it is held against, measured in turn in one run."""

from __future__ import annotations

import os
import statistics
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 5
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait for a busy core would count as work


def spent() -> float:
    """CPU seconds of this process and of the children that ended: what others do on the machine changes them little."""
    return time.process_time() + sum(os.times()[2:4])


@pytest.fixture
def against(benchmark: BenchmarkFixture) -> Callable[..., float]:
    """Measures how many times the rate of a rival a way has, and keeps it in `extra_info`."""

    def measure(
        way: Callable[[], object],
        rival: Callable[[], object],
        *,
        what: str,
        work: float = 1.0,
        goal: float | None = None,
        rounds: int = ROUNDS,
        clock: Callable[[], float] = spent,
    ) -> float:
        """Rounds of both in turn, after one that is not counted.

        Args:
            way: What senbench does; if it returns a float, these are its seconds, and no others.
            rival: What it is held against, likewise.
            what: What the rival is, in words.
            work: Work of the way over that of the rival, where they differ.
            goal: Ratio that is asked for, or None.
            rounds: Number of rounds.
            clock: Gives the seconds that are judged; of the CPU unless said otherwise.

        Returns:
            Median over the rounds of the ratio of rates, in these seconds.
        """
        theirs: list[tuple[float, float]] = []
        ours: list[tuple[float, float]] = []

        def timed(do: Callable[[], object], taken: list[tuple[float, float]]) -> None:
            before, began = clock(), time.perf_counter()
            told = do()
            passed = clock() - before, time.perf_counter() - began
            taken.append((told, told) if isinstance(told, float) else passed)

        benchmark.pedantic(
            lambda: timed(way, ours), setup=lambda: timed(rival, theirs), rounds=rounds, warmup_rounds=1, iterations=1
        )
        cpu, wall = (
            [work * b[k] / a[k] for a, b in zip(ours[-rounds:], theirs[-rounds:], strict=True)] for k in (0, 1)
        )
        ratio = statistics.median(cpu)
        benchmark.extra_info |= {
            "against": what,
            "ratio": round(ratio, 3),
            "range": [round(min(cpu), 3), round(max(cpu), 3)],
            "ratio_wall": round(statistics.median(wall), 3),
        }
        if goal is not None:
            benchmark.extra_info["goal"] = goal
        print(f"\n{benchmark.name}: {ratio:.2f} times the rate of {what} (wall {statistics.median(wall):.2f})")
        return ratio

    return measure


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SENBENCH_HOME for the session."""
    folder = tmp_path_factory.mktemp("home")
    os.environ["SENBENCH_HOME"] = str(folder)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Generated checkpoints in a release's layout, by the name of the layout."""
    import checkpoints

    folder, made = tmp_path_factory.mktemp("weights"), {}

    def write(layout: str) -> Path:
        if layout not in made:
            made[layout] = checkpoints.write(folder / f"{layout}.pt", checkpoints.state_dict(layout, images=2))
        return made[layout]

    return write


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, object]) -> None:
    """What decides which kept figures are comparable."""
    from senbench.runtime import environment

    machine_info["senbench"] = {"cpu": environment.cpu_generation(), "threads": environment.threads()}
    machine_info["python"] = sys.version.split()[0]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give pytest-benchmark 5.3 the private name that it reads, which pytest 9.2 no longer has."""
    if not hasattr(item, "_nodeid"):
        item._nodeid = item.nodeid
