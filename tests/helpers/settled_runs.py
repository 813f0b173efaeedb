"""Small real runs of `mini` whose settings are applied to other tiles: tools of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from senbench.datasets.eurosat import multispectral
from senbench.evaluation import grid
from senbench.results import store
from senbench.schema.run_spec import RunSpec

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.result import RunResult


class OneRun(NamedTuple):
    home: Path
    """SENBENCH_HOME with what was embedded."""
    results: Path
    result: RunResult

    @property
    def folder(self) -> Path:
        return self.results / self.result.run_id


def run(folder: Path, home: Path, *, per_class: int = 2, dataset: str = "demo", **spec) -> OneRun:
    """`mini` with the style `generic` on synthetic tiles, two of each class."""
    fields = {"models": ("mini",), "prompts": ("generic",), "datasets": (dataset,), "device": "cpu", "offline": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENBENCH_HOME", str(home))
        patch.setattr(multispectral, "DEMO_PER_CLASS", per_class)
        made = grid.run(RunSpec(**fields | {"results": str(folder)} | spec))
    return OneRun(home, folder, store.load(folder / made[0].run_id))
