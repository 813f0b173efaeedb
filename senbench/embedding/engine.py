"""Embeds texts and tiles: reuses the rows of the cache, encodes the others and caches them, in all processes."""

from __future__ import annotations

import hashlib
import socket
import time
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from senbench.datasets.tiles import TileError
from senbench.embedding.cache_key import image_settings, row_key, text_settings
from senbench.embedding.image_pass import EmbedOptions, ImageEmbeddings, ImagePass
from senbench.embedding.row_cache import Store
from senbench.embedding.work_split import Done, Work
from senbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder

OWN_FOLDER = "make it writable, or set SENBENCH_HOME to a folder of your own"


class TextEmbeddings(NamedTuple):
    """Unnormalised embeddings of distinct texts; the ensembling rule `mean-norm` needs their lengths."""

    rows: dict[str, NDArray[np.float32]]
    """Text -> raw float32 (D,)."""
    encoded: int
    """Number of texts that were encoded; the others were in the cache."""
    seconds: float
    """Wall time of the text stage in seconds."""


def _unkept(store: Store) -> str:
    return f"cache folder {store.folder} cannot be written"


def _tell(store: Store, n: int, what: str, say: Callable[[str], None]) -> None:
    """Warn before the work starts that its results cannot be cached."""
    if n and store.folder is not None and not store.keeps:
        say(f"{_unkept(store)}: {what} embedded now are not kept, {n:,}; {OWN_FOLDER}")


def embed_texts(
    encoder: Encoder,
    texts: Sequence[str],
    cache: Path | None,
    advance: Callable[[int], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> TextEmbeddings:
    """Embed each distinct text once.

    Args:
        encoder: The model.
        texts: Texts, duplicates allowed.
        cache: Cache folder, or None.
        advance: Called with the number of texts done.
        say: Called with a message when the cache is read-only.

    Returns:
        The embeddings.
    """
    began = time.perf_counter()
    distinct = list(dict.fromkeys(texts))
    store = Store(cache, encoder.embed_dim, text_settings(encoder))
    keys = {text: row_key(text.encode()) for text in distinct}
    missing = [text for text in distinct if keys[text] not in store]
    advance(len(distinct) - len(missing))
    _tell(store, len(missing), "texts", say)
    if missing:
        store.add([keys[t] for t in missing], encoder.encode_texts(missing, normalize=False, advance=advance))
    rows = store.rows([keys[text] for text in distinct])
    return TextEmbeddings(dict(zip(distinct, rows, strict=True)), len(missing), time.perf_counter() - began)


def embed_images(
    encoder: Encoder, tiles: Tiles, cache: Path | None, options: EmbedOptions | None = None
) -> ImageEmbeddings:
    """Embed all tiles, reusing the rows of the cache.

    Args:
        encoder: The model.
        tiles: The tiles.
        cache: Cache folder, or None.
        options: Settings; this process is the first of its team, the others call `embed_part`.

    Returns:
        The embeddings, in the order of the tiles.

    Raises:
        TileError: A tile cannot be decoded, with `on_error="stop"`.
        UnavailableError: A decoding process was killed, a process of the team ended or listed other tiles, or the
            cache of a team cannot be written.
        UsageError: Several processes, and no cache.
    """
    began = time.perf_counter()
    options = options or EmbedOptions()
    store, images = _image_pass(encoder, tiles, cache, options)
    result = images.result
    keys: list[bytes | None] = []
    for i, place in enumerate(tiles.index.tolist()):
        try:
            keys.append(row_key(tiles.keys(place)))
        except TileError as error:
            images.refuse(error, i)
            keys.append(None)
    first = store.missing(keys)
    todo = list(first.values())
    _tell(store, len(todo), "tiles", options.say)
    options.advance(len(tiles) - len(todo))
    work = Work(todo, result.batch_size, tiles.index_hash() if options.team.size > 1 else "")
    part = options.team.from_first(work).part(options.team)
    images.embed(part, lambda p: cast("bytes", keys[p]), options.advance)
    done = options.team.to_first(Done(store.written, result.skipped, result.encoded))
    for other in done[1:]:
        store.read(other.shards)
        result.skipped |= other.skipped
        result.encoded += other.encoded
        options.advance(other.encoded)
    if lost := [p for key, p in first.items() if key not in store and p not in result.skipped]:
        raise UnavailableError(
            f"{len(lost):,} of {len(todo):,} tiles that other processes embedded are not in {store.folder}: they read "
            "other pixels there, or the folder is not shared; give all machines the same data and SENBENCH_HOME"
        )
    if result.skipped:
        for i, key in enumerate(keys):  # a duplicate of a skipped tile
            if key in first and key not in store and i not in result.skipped:
                result.skipped[i] = f"has the bytes of another one: {result.skipped[first[key]]}"
    kept = [i for i in range(len(keys)) if i not in result.skipped]
    present = [cast("bytes", keys[i]) for i in kept]
    result.positions = np.array(kept, np.int64)
    result.rows = store.rows(present, last=True)
    result.content_hash = hashlib.sha256(b"".join(present)).hexdigest()
    result.seconds = time.perf_counter() - began
    return result


def embed_part(encoder: Encoder, tiles: Tiles, cache: Path | None, options: EmbedOptions) -> None:
    """Embed this process's share of the tiles that the first process lists as missing; counterpart of `embed_images`.

    Args:
        encoder: The model.
        tiles: The same tiles.
        cache: The same cache folder.
        options: As for `embed_images`; this process is not the first of the team.

    Raises:
        TileError: As `embed_images`.
        UnavailableError: As `embed_images`.
        UsageError: As `embed_images`.
    """
    store, images = _image_pass(encoder, tiles, cache, options)
    team = options.team
    work = team.from_first(Work([], 1, ""))
    if work.index_hash != tiles.index_hash():
        raise UnavailableError(
            f"{tiles.source} lists other tiles of {tiles.info.id} {tiles.split} on {socket.gethostname()} than on the "
            "first machine: give all machines the same data"
        )
    images.embed(work.part(team), lambda p: row_key(tiles.key(p)), lambda _: None)
    team.to_first(Done(store.written, images.result.skipped, images.result.encoded))


def nothing_decoded(dataset: str, images: ImageEmbeddings) -> str:
    """Return the error message for a dataset of which every tile was skipped."""
    first = next(iter(images.skipped.values()), "it has none")
    return f"dataset {dataset}: not one tile could be decoded; the first: {first}"


def _image_pass(encoder: Encoder, tiles: Tiles, cache: Path | None, options: EmbedOptions) -> tuple[Store, ImagePass]:
    team = options.team
    store = Store(cache, encoder.embed_dim, image_settings(encoder, tiles), read=team.rank == 0)
    if store.folder is None and team.size > 1:
        raise UsageError("several processes exchange their rows through the cache: run without --no-cache")
    if not store.keeps and team.size > 1:
        raise UnavailableError(f"{_unkept(store)}: several processes exchange their rows through it; {OWN_FOLDER}")
    result = ImageEmbeddings(
        batch_size=options.batch_size or encoder.batch_size,
        damaged=store.damaged,
        processes=team.size,
    )
    return store, ImagePass(encoder, tiles, store, result, options)
