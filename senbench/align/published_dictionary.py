"""The authors' published embeddings of LUCAS photos: a dictionary key -> (1, D), read without running anything."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.align.photo_embeddings import LUCAS_KEY
from senbench.align.row_store import RowStore
from senbench.errors import UnavailableError, UsageError, brief

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.runtime.progress import Progress

AT_ONCE = 8192


def import_embeddings(path: Path, out: Path, progress: Progress) -> RowStore:
    """Keep the rows of a published dictionary as `embed` keeps its own.

    Args:
        path: A file that torch wrote: keys such as `AT_45802814N` -> tensors (1, D) or (D,), of one type.
        out: Folder to make, or to go on with.
        progress: Draws progress.

    Returns:
        The store: rows in the type of the file, names sorted.

    Raises:
        UsageError: It holds something else, code, or rows of several lengths.
        UnavailableError: It is damaged.
    """
    import pyarrow as pa

    held = _loaded(path)
    names = sorted(held)
    first = held[names[0]]
    dim, dtype = first.shape[-1], str(first.dtype).removeprefix("torch.")
    if dtype not in ("float16", "float32"):
        raise UsageError(f"{path.name}: embeddings of type {dtype}, expected float16 or float32")
    settings = {"what": "embeddings of photos", "names": LUCAS_KEY, "source": path.name, "normalised": False}
    store = RowStore.begin(out, pa.array(names, pa.string()), settings, (len(names), dim), np.dtype(dtype))
    with progress.stage("embeddings imported", len(names) - store.done) as advance:
        while store.done < len(names):
            chosen = names[store.done : store.done + AT_ONCE]
            store.add(np.stack([_row(held, name, dim, dtype, path) for name in chosen]), [])
            advance(len(chosen))
    if not store.complete:
        store.finish()
    return store


def _row(held: dict[str, Any], name: str, dim: int, dtype: str, path: Path) -> np.ndarray[Any, Any]:
    value = held[name]
    if tuple(value.shape) not in ((1, dim), (dim,)) or str(value.dtype) != f"torch.{dtype}":
        raise UsageError(
            f"{path.name}: {name!r} has {str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}, others have "
            f"{dtype} (1, {dim})"
        )
    row: np.ndarray[Any, Any] = value.detach().reshape(dim).numpy()
    if not np.isfinite(row).all():
        raise UsageError(f"{path.name}: the embedding {name!r} holds a value that is not finite")
    return row


def _loaded(path: Path) -> dict[str, Any]:
    import zipfile

    import torch

    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path.name}: it holds more than tensors under names, and reading that may run code, or it is damaged "
            f"({brief(error, 80)})"
        ) from error
    except Exception as error:  # damaged files make torch and zipfile raise almost anything
        raise UnavailableError(f"{path.name}: it cannot be read: truncated or foreign ({brief(error)})") from error
    if not isinstance(held, dict) or not held:
        raise UsageError(f"{path.name}: expected a dictionary of embeddings, found {type(held).__name__}")
    for name, value in held.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.ndim not in (1, 2):
            raise UsageError(f"{path.name}: {name!r} -> {type(value).__name__}, expected a name -> tensor (1, D)")
    return held
