"""From a manifest, packed tiles and embeddings in folders to what is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.align import lucas, pairs, row_store
from senbench.align.photo_embeddings import LUCAS_KEY
from senbench.align.training_set import NONE, RowSource, TrainingSet
from senbench.errors import UsageError
from senbench.runtime.paths import base_name

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class ChosenRows:
    """Some rows of others, in an order of their own."""

    def __init__(self, source: RowSource, rows: NDArray[np.int64]) -> None:
        """Rows `rows` of `source`."""
        self.source, self.rows = source, rows

    @property
    def shape(self) -> tuple[int, ...]:
        """As `RowSource`."""
        return (len(self.rows), *self.source.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """As `RowSource`."""
        return self.source.dtype

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """As `RowSource`."""
        found: NDArray[Any] = self.source[self.rows[rows]]
        return found


def assemble(manifest: Path, tiles: Path, ground: Path) -> tuple[TrainingSet, list[str]]:
    """Pairs with their tiles and embeddings.

    Args:
        manifest: The pairs.
        tiles: Folder of `align pack`.
        ground: Folder of `align embed` or `align import-embeddings`.

    Returns:
        The data; and what a reader must know: points and photos that were left out, counted.

    Raises:
        UsageError: Something is missing or does not go together.
        UnavailableError: A folder is damaged.
    """
    listed = pairs.read(manifest)
    tile_ids, packed, tile_index = row_store.opened(tiles, "pack")
    names, photos, photo_index = row_store.opened(ground, "embed")
    tile_rows = _places(listed.points, tile_ids, tile_index["left_out"])
    photo_of_row = _photo_places(listed, names, photo_index)
    photo_rows = np.where(listed.photo_rows == NONE, NONE, photo_of_row[listed.photo_rows])
    photo_rows = _to_the_left(photo_rows)
    without_tile, without_photo = tile_rows == NONE, photo_rows[:, 0] == NONE
    _refuse_unexplained(listed, without_tile, tile_index, f"no tile in {tiles}; pack this manifest")
    kept = ~(without_tile | without_photo)
    if not kept.any():
        raise UsageError(f"no point of {manifest} has both a tile in {tiles} and a photo in {ground}")
    chosen = np.flatnonzero(kept)
    whole = len(chosen) == len(listed.points) == packed.shape[0] and bool((tile_rows == np.arange(len(chosen))).all())
    data = TrainingSet(
        ids=listed.points if len(chosen) == len(listed.points) else [listed.points[i] for i in chosen],
        tiles=packed if whole else ChosenRows(packed, tile_rows[chosen]),
        photos=photos,
        photo_rows=photo_rows[chosen].astype(np.int32),
        latitude=listed.latitude[chosen],
        longitude=listed.longitude[chosen],
        held=None if listed.held is None else listed.held[chosen],
        embedded_by=photo_index["settings"].get("weights_sha256", ""),
        facts={
            "pairs": base_name(str(manifest)),
            "pairs_sha256": listed.sha256,
            "tiles": tile_index["settings"],
            "tiles_sha256": tile_index["sha256"],
            "photos": photo_index["settings"],
            "photos_sha256": photo_index["sha256"],
        },
    )
    told = {
        "points without a packed tile": int(without_tile.sum()),
        "points without an embedding of a photo": int((without_photo & ~without_tile).sum()),
        "further photos without an embedding": int(((listed.photo_rows != NONE) & kept[:, None]).sum())
        - int((data.photo_rows != NONE).sum()),
    }
    return data, [f"{n:,} {what}: left out" for what, n in told.items() if n]


def _places(wanted: Any, there: Any, left_out: list[int]) -> NDArray[np.int64]:
    """Row of each name, int64; `NONE` where it is not there, or was left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = wanted if isinstance(wanted, pa.Array) else pa.array(wanted, pa.string())
    known = pc.fill_null(pc.index_in(texts, value_set=there), NONE)
    found: NDArray[np.int64] = np.asarray(known.to_numpy(zero_copy_only=False), np.int64).copy()
    found[np.isin(found, left_out)] = NONE
    return found


def _photo_places(listed: pairs.PairList, names: Any, index: dict[str, Any]) -> NDArray[np.int64]:
    """Row of each photo's embedding."""
    import pyarrow as pa

    if index["settings"]["names"] == LUCAS_KEY:
        keys = pa.array(lucas.keys_of(listed.photos, listed.nuts0, listed.direction), pa.string())
        found = _places(keys, names, index["left_out"])
        if (found == NONE).all():
            raise UsageError(
                f"{listed.path}: no photo is among the imported embeddings, named such as {names[0].as_py()}; the "
                "manifest needs nuts0, and photos named as in 2018 or 2022, or by such names"
            )
        return found
    found = _places(listed.photos, names, index["left_out"])
    known = _places(listed.photos, names, [])
    if (missing := np.flatnonzero(known == NONE)).size:
        raise UsageError(
            f"photo {listed.photos[int(missing[0])].as_py()} has no embedding ({missing.size:,} of {len(found):,}); "
            "give `senbench align embed` this manifest"
        )
    return found


def _refuse_unexplained(listed: pairs.PairList, without: NDArray[np.bool_], index: dict[str, Any], said: str) -> None:
    """UsageError for points without a tile that packing did not leave out by name."""
    if int(without.sum()) > len(index["left_out"]):
        point = listed.points[int(np.flatnonzero(without)[0])]
        raise UsageError(f"point {point} has {said}")


def _to_the_left(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of photos with those that are there first, in their order."""
    order = np.argsort(rows == NONE, axis=1, kind="stable")
    return np.take_along_axis(rows, order, axis=1)
