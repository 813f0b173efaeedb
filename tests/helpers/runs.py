"""Result folders of stub models, for the tests of what is made of results."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import stubs

import senbench
from senbench.results import store

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.result import RunResult

PROMPTS = {key: [f"a {key.lower()}"] for key in stubs.CLASSES}
HOSTILE = "=cmd|' /C calc'!A0 \\input{x} {%$&#_^~|`</script>\n```"
"""A name that a spreadsheet, LaTeX, BibTeX, Markdown or HTML would act on."""
HOSTILE_PROMPT = HOSTILE.replace("{", "").replace("}", "")
"""The same as a prompt: one with braces is refused."""


class Noisy(stubs.StubEncoder):
    """Wrong on a seeded share of the tiles."""

    def __init__(self, name: str, share: float) -> None:
        super().__init__(name)
        self.share = share

    def image_identity(self):
        return {**super().image_identity(), "share": self.share}  # else kept embeddings of another share are taken

    def encode_prepared(self, batch):
        rows = super().encode_prepared(batch)
        for i, tile in enumerate(batch):
            rng = np.random.default_rng([int(tile.astype(int).sum()), *self.name.encode()])
            if rng.random() < self.share:
                rows[i, :3] = np.roll(rows[i, :3], 1)
        return rows


def located(n: int = 60, **change: Any):
    """Stub tiles in clusters of four."""
    return stubs.tiles(n, locate=lambda positions: [f"tile{p // 4}" for p in positions], **change)


def in_blocks(n: int = 60, **change: Any):
    """Stub tiles in blocks of 5 km, a row of fifteen: three of 25 km, one of 100 km."""
    return stubs.tiles(n, locate=lambda positions: [f"EPSG:32633/{p * 15 // n}_0" for p in positions], **change)


def multi(n: int = 80, tiles=located):
    """Stub tiles with several labels, in clusters of four."""
    labels = np.zeros((n, 3), bool)
    labels[np.arange(n), np.arange(n) % 3] = True
    labels[np.arange(0, n, 5), 0] = True
    return tiles(
        n,
        info=stubs.info(task="multi-label", splits={"all": n}),
        labels=labels,
    )


def run(folder: Path, name: str = "good", share: float = 0.0, tiles=None, prompts=None, **options: Any) -> RunResult:
    with contextlib.chdir(folder):  # a path of this machine in a result is a finding
        return senbench.evaluate(Noisy(name, share), tiles or stubs.tiles(), prompts or PROMPTS, results=".", **options)


def folders(folder: Path) -> tuple[list[RunResult], dict[str, Path]]:
    """All results of a folder, and the folder of each by its run id."""
    found = store.load_all(folder)
    return found, {r.run_id: folder / r.run_id for r in found}


def three(folder: Path) -> Path:
    """The best, one that is hardly worse, and one that is much worse, on 200 tiles."""
    tiles = stubs.tiles(200)
    for name, share in (("best", 0.05), ("near", 0.07), ("far", 0.6)):
        run(folder, name, share, tiles)
    return folder
