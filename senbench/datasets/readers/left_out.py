"""Counts and names the files of a source that look like tiles but are not read, so that no tile is missed silently."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from senbench.datasets.readers.sources import SIDECARS
from senbench.schema.blocks import LeftOut

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

BESIDE = (
    *(".txt", ".csv", ".tsv", ".json", ".geojson", ".xml", ".yaml", ".yml", ".toml", ".md", ".html", ".pdf", ".log"),
    *(".tfw", ".tifw", ".jgw", ".pgw", ".wld", ".prj", ".ovr", ".aux", ".qml", ".sha256", ".md5", ".py", ".ipynb"),
)
"""Suffixes of files next to tiles that are not tiles."""
MANY = 5
"""Most file names stored in a result per reason."""


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a sort key that puts `tile_2` before `tile_10`."""
    parts = [p for p in re.split("([0-9]+)", name) if p]
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts], name


def beside(name: str, tiles: Collection[str] = ()) -> bool:
    """Return whether a file is not a tile by its suffix: texts, tables, georeferences.

    Args:
        name: The file.
        tiles: Files that are read; their masks are read with them.
    """
    return name.lower().endswith(BESIDE) or any(
        name.lower().endswith(suffix) and name[: -len(suffix)] in tiles for suffix in SIDECARS
    )


def left_out(names: Sequence[str]) -> tuple[LeftOut, ...]:
    """Group files by suffix, with the first names of each."""
    by_suffix: dict[str, list[str]] = {}
    for name in sorted(names, key=natural):
        by_suffix.setdefault(PurePosixPath(name).suffix.lower(), []).append(name)
    return tuple(
        LeftOut(reason=f"suffix {suffix}" if suffix else "no suffix", n=len(of_suffix), names=tuple(of_suffix[:MANY]))
        for suffix, of_suffix in sorted(by_suffix.items())
    )
