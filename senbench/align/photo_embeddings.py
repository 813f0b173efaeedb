"""Embeddings of the photos by the frozen base, each made once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.align.row_store import RowStore
from senbench.align.train import Surroundings, base_adapter
from senbench.datasets.readers import image
from senbench.datasets.readers.sources import TileFile
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError
from senbench.runtime import environment

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.align.pairs import PairList
    from senbench.models.adapter import Adapter
    from senbench.schema.model_card import ModelCard

BATCH = 32
AT_ONCE = 8
"""Batches that are kept at once."""
PHOTO, LUCAS_KEY = "photo", "lucas-key"
"""What the names of rows are: photos as a manifest has them, or keys such as `AT_45802814N`."""


def embed(
    pairs: PairList, card: ModelCard, out: Path, surroundings: Surroundings | None = None, *, skip: bool = False
) -> tuple[RowStore, int]:
    """Embed each photo of a manifest, with the preprocessing of the base's own card.

    Features are kept as the tower gives them, not normalised, in float16: poolings average them as they are.

    Args:
        pairs: The manifest.
        card: The base.
        out: Folder to make, or to go on with.
        surroundings: Weights, device, progress.
        skip: Leave out photos that cannot be read, and count them, instead of stopping.

    Returns:
        The store, and how many photos were encoded now.

    Raises:
        UsageError: The base is no plain CLIP, or the folder holds other embeddings.
        TileError: A photo is missing or damaged.
    """
    where = surroundings or Surroundings()
    names = pairs.photos.unique()
    shape = (len(names), card.embed_dim)
    store = None
    adapter = base_adapter(card, where)
    settings = {
        "what": "embeddings of photos",
        "names": PHOTO,
        "model": card.id,
        "weights_sha256": adapter.weights_sha256,
        "preprocess": card.preprocess.model_dump(mode="json"),
        "normalised": False,
    }
    store = RowStore.begin(out, names, settings, shape, np.float16)
    encoded = 0
    title = f"photos through {card.id}"
    with where.progress.stage(title, shape[0] - store.done) as advance, ThreadPoolExecutor(environment.cores()) as pool:
        while store.done < shape[0]:
            chosen = names[store.done : store.done + BATCH * AT_ONCE].to_pylist()
            prepared = list(pool.map(lambda name: _prepared(pairs, name, adapter, skip=skip), chosen))
            rows = np.zeros((len(chosen), shape[1]), np.float16)
            there = [k for k, photo in enumerate(prepared) if photo is not None]
            for start in range(0, len(there), BATCH):
                part = there[start : start + BATCH]
                rows[part] = _checked(features(adapter, [prepared[k] for k in part]), [chosen[k] for k in part])
                advance(len(part))
            encoded += len(there)
            store.add(rows, [store.done + k for k, photo in enumerate(prepared) if photo is None])
    if not store.complete:
        store.finish()
    return store, encoded


def features(adapter: Adapter, prepared: list[Any]) -> NDArray[np.float32]:
    """Features of prepared photos as the image tower gives them, not normalised.

    Args:
        adapter: Plain CLIP.
        prepared: uint8 (R, R, 3), B of them.

    Returns:
        float32 (B, D).
    """
    import torch

    how = adapter.preprocess
    pixels = torch.from_numpy(np.stack(prepared)).to(adapter.device).permute(0, 3, 1, 2).float().div_(255)
    mean, std = (torch.tensor(v, device=adapter.device).view(1, -1, 1, 1) for v in (how.mean, how.std))
    with torch.inference_mode():
        found: NDArray[np.float32] = adapter.model.encode_image(pixels.sub_(mean).div_(std)).float().cpu().numpy()
    return found


def _prepared(pairs: PairList, name: str, adapter: Adapter, *, skip: bool) -> NDArray[np.uint8] | None:
    """A photo at the tower's input size; None: it cannot be read, and is left out."""
    from senbench.models.preprocess.host import fit

    try:
        data = pairs.place(name).read_bytes()
        return fit(image.picture(TileFile(data), f"photo {name}").pixels, adapter.preprocess)
    except OSError as error:
        if skip:
            return None
        raise TileError(f"photo {name}: cannot be read ({error.strerror}); correct the manifest, or skip it") from error
    except TileError as error:
        if skip:
            return None
        raise TileError(str(error).replace("tile photo", "photo", 1)) from error


def _checked(rows: NDArray[np.float32], names: list[str]) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        made = rows.astype(np.float16)
    if (wrong := np.flatnonzero(~np.isfinite(made).all(1))).size:
        raise UsageError(
            f"photo {names[wrong[0]]}: its embedding is not finite; `senbench models verify` looks at the base"
        )
    return made
