"""`senbench cache`: the kept embeddings, by model; check them, keep them below a size."""

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

app = typer.Typer(no_args_is_help=True, help="Kept embeddings: list, verify and prune them.")

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def _cache() -> Path:
    from senbench.runtime.paths import home

    return home() / "cache"


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List what is kept, used last first: rows of images and texts, and small things beside them.

    cut: which texts do not fit a model; statistics: of the values of tiles; pictures: of tiles, as a report shows them.
    """
    from datetime import datetime

    from senbench.embedding.cache_admin import stores

    found = stores(_cache())
    if as_json:
        print_json(found, indent=2)
        return
    for kept in found:
        how = [str(kept.settings[k]) for k in ("dtype", "device", "radiometry") if k in kept.settings]
        when = datetime.fromtimestamp(kept.used).strftime("%Y-%m-%d %H:%M")
        say(f"{kept.id[:12]}  {kept.kind:<10} {kept.model:<28} {', '.join(how):<28} {_size(kept.bytes):>9}  {when}")
    total = sum(kept.bytes for kept in found)
    say(f"{len(found)} stores, {_size(total)} in {_cache()}", err=True)


@app.command()
def verify(as_json: Json = False) -> None:
    """Read every kept row and name what is damaged; a run leaves that out and makes it again."""
    from senbench.embedding.cache_admin import damaged, stores

    found = damaged(_cache())
    if as_json:
        print_json(found, indent=2)
    for store, names in found.items():
        say(f"{store[:12]}  damaged: {', '.join(names)}", err=True)
    if found:
        n = sum(map(len, found.values()))
        raise UnavailableError(f"{n} damaged file{'s' * (n > 1)}: the next run that needs what was there makes it anew")
    say(f"{len(stores(_cache()))} stores are sound", err=True)


@app.command()
def prune(
    max_size: Annotated[str, typer.Option(metavar="SIZE", help="Size to keep, e.g. 20G or 500M; 0 removes all.")],
    as_json: Json = False,
) -> None:
    """Remove the embeddings not used for longest until the others fit into a size."""
    from senbench.embedding import cache_admin

    removed = cache_admin.prune(_cache(), parse_size(max_size))
    if as_json:
        print_json([kept.id for kept in removed], indent=2)
    size = sum(kept.bytes for kept in removed)
    say(f"removed {len(removed)} stores, {_size(size)}; they are made again when needed", err=True)


def parse_size(text: str) -> int:
    """Bytes of a size such as `20G`, `1.5 GB` or `500M` (powers of ten).

    Raises:
        UsageError: It is none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)b?\s*", text.lower())
    if found is None:
        raise UsageError(f"--max-size {text}: give a size such as 20G or 500M")
    return int(float(found[1]) * UNITS[found[2]])


def _size(size: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
