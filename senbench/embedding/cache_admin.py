"""The embedding cache as a whole: what is in it, whether it is sound, and keeping it below a size."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from senbench.embedding.cache_key import store_key
from senbench.embedding.row_cache import SETTINGS, SHARDS, has_its_size, read_shard
from senbench.errors import UnavailableError
from senbench.io import checked_json
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODELS = "models"
"""Folder of what is remembered of models (`models/deferred.py`)."""
LEFT_OVER = 3600.0
"""Seconds after which a temporary file belongs to no writer that is still alive."""


@dataclass(frozen=True)
class Kept:
    """One store: the embeddings of one model under one preprocessing.

    Attributes:
        id: Name of its folder.
        kind: `image` or `text`; `cut`, `statistics` and `pictures`: what is kept beside them (`aside.py`); `unknown`
            where the settings are gone.
        model: Model id; `any` where it does not depend on one.
        settings: What determines its rows.
        shards: Number of shard files.
        bytes: Their size.
        used: When it was last opened, seconds since 1970.
    """

    id: str
    kind: str
    model: str
    settings: dict[str, Any]
    shards: int
    bytes: int
    used: float


def stores(cache: Path) -> list[Kept]:
    """All stores of a cache folder, the one used last first; none where there is no folder."""
    return sorted((_describe(folder) for folder in _folders(cache)), key=lambda kept: (-kept.used, kept.id))


def damaged(cache: Path, *, read: bool = True) -> dict[str, list[str]]:
    """Store id -> what of it no run would use: damaged shards and shards of other stores, settings of another store.

    What is remembered of models is looked at too, under the name of its folder. Nothing is changed: a run makes again
    what is damaged.

    Args:
        cache: Cache folder.
        read: Read every row; False: shards are only held against the size that their headers give.
    """
    sound = (lambda path: read_shard(path) is not None) if read else has_its_size
    found: dict[str, list[str]] = {}
    for folder in _folders(cache):
        bad = [path.name for path in sorted(folder.glob(SHARDS)) if not sound(path)]
        settings = _settings(folder)
        if settings is None or store_key(settings)[:32] != folder.name:
            bad.append(SETTINGS)
        if bad:
            found[folder.name] = bad
    if facts := [path.name for path in sorted(cache.glob(f"{MODELS}/*.json")) if checked_json.read(path) is None]:
        found[MODELS] = facts
    return found


def prune(cache: Path, max_bytes: int) -> list[Kept]:
    """Remove the stores that were not used for longest until the others fit, and what killed runs left behind.

    With 0 everything goes, also what is remembered of models.

    Args:
        cache: Cache folder.
        max_bytes: Size that the remaining stores may have.

    Returns:
        The removed stores.

    Raises:
        UnavailableError: A store cannot be removed.
    """
    for folder in _folders(cache):
        for path in folder.glob(".*"):
            with contextlib.suppress(OSError):  # another process may be quicker
                if time.time() - path.stat().st_mtime > LEFT_OVER:
                    path.unlink()
    kept = stores(cache)
    size = sum(store.bytes for store in kept)
    if max_bytes == 0:
        shutil.rmtree(cache / MODELS, ignore_errors=True)
    removed = []
    while size > max_bytes and kept:
        oldest = kept.pop()
        try:
            shutil.rmtree(cache / oldest.id)
        except OSError as error:
            raise UnavailableError(f"cache folder {cache / oldest.id} cannot be removed: {error.strerror}") from error
        removed.append(oldest)
        size -= oldest.bytes
    return removed


def _folders(cache: Path) -> Iterator[Path]:
    """Folders of stores: named by a hash, whatever else may lie beside them."""
    if cache.is_dir():
        yield from (p for p in sorted(cache.iterdir()) if p.is_dir() and len(p.name) == 32)


def _settings(folder: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        found = parsing.from_json((folder / SETTINGS).read_bytes())
        return found if isinstance(found, dict) else None
    return None


def _describe(folder: Path) -> Kept:
    settings = _settings(folder) or {}
    sizes, used = [], 0.0
    with contextlib.suppress(OSError):
        used = folder.stat().st_mtime
        used = (folder / SETTINGS).stat().st_mtime
    for path in folder.glob(SHARDS):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size)
    return Kept(
        id=folder.name,
        kind=str(settings.get("kind", "unknown")),
        model=str(settings.get("model", "unknown")),
        settings=settings,
        shards=len(sizes),
        bytes=sum(sizes),
        used=used,
    )
