"""`senbench cache`: lists the cached embeddings by model, verifies them, and limits their size."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli.options import Json  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import print_json
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(no_args_is_help=True, help="The embedding cache: list, verify and prune it.")

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def _cache() -> Path:
    from senbench.runtime.paths import home

    return home() / "cache"


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the cache, most recently used first: embeddings of images and texts, and the side caches.

    cut: which texts a model truncates; statistics: of the values of tiles; pictures: thumbnails of tiles for reports.
    """
    from datetime import datetime

    from senbench.embedding.cache_admin import stores

    kept_stores = stores(_cache())
    if as_json:
        print_json(kept_stores, indent=2)
        return
    for kept in kept_stores:
        settings = [str(kept.settings[k]) for k in ("dtype", "device", "radiometry") if k in kept.settings]
        when = datetime.fromtimestamp(kept.used).strftime("%Y-%m-%d %H:%M")
        say(
            f"{kept.id[:12]}  {kept.kind:<10} {kept.model:<28} {', '.join(settings):<28} {_size(kept.bytes):>9}  {when}"
        )
    total = sum(kept.bytes for kept in kept_stores)
    say(f"{len(kept_stores)} stores, {_size(total)} in {_cache()}", err=True)


@app.command()
def verify(as_json: Json = False) -> None:
    """Read every cached row and name the damaged files, which runs ignore and compute again."""
    from senbench.embedding.cache_admin import damaged, stores

    unusable = damaged(_cache())
    if as_json:
        print_json(unusable, indent=2)
    for store, names in unusable.items():
        say(f"{store[:12]}  damaged: {', '.join(names)}", err=True)
    if unusable:
        n = sum(map(len, unusable.values()))
        raise UnavailableError(f"{n} damaged file{'s' * (n > 1)}: the next run that needs what was there makes it anew")
    say(f"{len(stores(_cache()))} stores are sound", err=True)


@app.command()
def prune(
    max_size: Annotated[str, typer.Option(metavar="SIZE", help="Size to keep, e.g. 20G or 500M; 0 removes all.")],
    as_json: Json = False,
) -> None:
    """Remove the least recently used embeddings until the others fit into a size."""
    from senbench.embedding import cache_admin

    removed = cache_admin.prune(_cache(), parse_size(max_size))
    if as_json:
        print_json([kept.id for kept in removed], indent=2)
    size = sum(kept.bytes for kept in removed)
    say(f"removed {len(removed)} stores, {_size(size)}; they are made again when needed", err=True)


def parse_size(text: str) -> int:
    """Parse a size in bytes such as `20G`, `1.5 GB` or `500M` (powers of ten).

    Raises:
        UsageError: The text is not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", text.lower())
    if match is None:
        raise UsageError(f"--max-size {text}: give a size such as 20G or 500M")
    return int(float(match[1]) * UNITS[match[2]])


def _size(size: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
