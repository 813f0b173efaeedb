"""Four splits of stub tiles and a pool of prompts, for the studies of prompts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import stubs

from senbench.datasets import open as registry
from senbench.schema.run_spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from senbench.datasets.tiles import Tiles

POOL = {  # keys in another order than the classes; two of five speak of another class, one of none
    "Town": ["a town", "a lake shore", "the old town", "something", "town houses"],
    "Field": ["a field", "a town of old", "a wide field", "nothing", "the field of wheat"],
    "Lake": ["a lake", "a field of corn", "the big lake", "whatever", "lake and water"],
}


class Encoder(stubs.StubEncoder):
    """The stub as `load` would return it."""

    damaged: tuple[str, ...] = ()


class Ground(NamedTuple):
    """What the tests see of the stub dataset."""

    pool: Path
    """The prompt file."""
    opened: Callable[..., Tiles]
    """Opens a split, as `open_dataset` does."""
    read: list[str]
    """Ids of the tiles that were read."""
    whole: Tiles


def ground(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Ground:
    """Four splits of one dataset, what was read of each, and the stub in place of a model."""
    read: list[str] = []
    whole = stubs.tiles(90)
    blocks = [f"EPSG:32633/{i // 30 * 10}_{i % 3}" for i in range(90)]  # three regions, 45 km apart
    rows = {"train": range(30), "test": range(60, 90), "near": range(31), "mixed": range(20, 61)}
    rows["random-test"] = range(45, 90)
    info = stubs.info(id="stub", splits={name: len(part) for name, part in rows.items()}, default_split="test")

    def opened(name: str, *, split: str, **options: object) -> Tiles:
        tiles = stubs.tiles(
            90,
            info=info,
            split=split,
            reader=lambda i: read.append(whole.ids[i]) or whole.reader.rgb(i),
            keys=lambda i: read.append(whole.ids[i]) or whole.keys(i),
            locate=None if split in ("random-test", "near") else lambda indices: [blocks[i] for i in indices],
        )
        return tiles.take(rows[split])

    monkeypatch.setattr(registry, "dataset_info", lambda name, **options: info)
    monkeypatch.setattr(registry, "open_dataset", opened)
    monkeypatch.setattr("senbench.models.lazy_model.of", lambda card, access, **options: Encoder())
    pool = folder / "pool.json"
    pool.write_text(json.dumps(POOL))
    return Ground(pool, opened, read, whole)


def spec(pool: Path, **change: object) -> RunSpec:
    return RunSpec(**{"models": ("mini",), "prompts": (str(pool),), "datasets": ("stub",), "offline": True, **change})
