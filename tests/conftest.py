"""Shared fixtures: the real data folder, and an isolated SENBENCH_HOME."""

from __future__ import annotations

import os
import shutil
from functools import cache

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread for each of the processes, said before numpy asks
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

from typing import TYPE_CHECKING

import pytest
from places import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["hub_server", "prompt_fixtures"]


@cache
def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    present = SHARED.is_dir()
    for item in items:
        if "shared" in item.keywords and not present:
            item.add_marker(pytest.mark.skip(reason="the shared data folder is absent (set SENBENCH_SHARED)"))
        if "gpu" in item.keywords and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(scope="session")
def shared() -> Path:
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def home_of_shared_fixtures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fixtures of a module or session are made before those of a test: they do not use the user's SENBENCH_HOME."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENBENCH_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test gets an empty SENBENCH_HOME and no hub; the home goes with the test, as 5,000 of them fill a disk."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("SENBENCH_HOME", str(home))
    yield home
    shutil.rmtree(home, ignore_errors=True)
