"""Files of a source that look like tiles and are not read: counted and named, so that nothing goes missing unseen."""

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
"""Suffixes of what lies beside tiles and is none."""
MANY = 5
"""File names that a result gives of those that were left out for one reason."""


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that puts `tile_2` before `tile_10`."""
    parts = [p for p in re.split("([0-9]+)", name) if p]
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts], name


def beside(name: str, tiles: Collection[str] = ()) -> bool:
    """Whether a file lies beside tiles by its suffix, and is none: texts, tables, georeferences.

    Args:
        name: The file.
        tiles: Files that are read: the masks of these are read with them.
    """
    return name.lower().endswith(BESIDE) or any(
        name.lower().endswith(suffix) and name[: -len(suffix)] in tiles for suffix in SIDECARS
    )


def left_out(names: Sequence[str]) -> tuple[LeftOut, ...]:
    """Files by suffix, with the first names of each."""
    by_suffix: dict[str, list[str]] = {}
    for name in sorted(names, key=natural):
        by_suffix.setdefault(PurePosixPath(name).suffix.lower(), []).append(name)
    return tuple(
        LeftOut(reason=f"suffix {suffix}" if suffix else "no suffix", n=len(found), names=tuple(found[:MANY]))
        for suffix, found in sorted(by_suffix.items())
    )
