"""Small image classification datasets as people keep them on the hub: tools of the tests."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from eurosat_files import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_server import Hub

CLASSES = ("orchard", "pond", "quarry")
N = 6


def pictures(n: int = N) -> list[bytes]:
    return [jpeg(i, (48, 40)) for i in range(n)]


def arrays(n: int = N, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (n, 8, 9, channels), dtype=np.uint8)


def parquet(columns: dict[str, Any], features: Any = None) -> bytes:
    """A parquet file as `datasets` writes it, with its features where they are given."""
    import datasets

    out = io.BytesIO()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(out)
    return out.getvalue()


def plain(columns: dict[str, Any], types: Any = None) -> bytes:
    """A parquet file that tells nothing of `datasets`."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    write_table(pa.table(columns) if types is None else pa.table(columns, schema=types), out)
    return out.getvalue()


def _typed(**features: Any) -> Any:
    import datasets

    return datasets.Features(features)


def class_label() -> bytes:
    """`image`: Image, `label`: ClassLabel."""
    import datasets

    kinds = _typed(image=datasets.Image(), label=datasets.ClassLabel(names=list(CLASSES)))
    return parquet({"image": [{"bytes": b, "path": None} for b in pictures()], "label": [0, 1, 2] * 2}, kinds)


def text_label() -> bytes:
    """`image`: Image, `label`: text."""
    import datasets

    kinds = _typed(image=datasets.Image(), label=datasets.Value("string"))
    names = [CLASSES[i % 3] for i in range(N)]
    return parquet({"image": [{"bytes": b, "path": None} for b in pictures()], "label": names}, kinds)


def several_numbers() -> bytes:
    """`image`: Image, `labels`: list of ClassLabel."""
    import datasets

    kinds = _typed(image=datasets.Image(), labels=datasets.List(datasets.ClassLabel(names=list(CLASSES))))
    labels = [[0], [1, 2], [], [0, 1], [2], [0, 1, 2]]
    return parquet({"image": [{"bytes": b, "path": None} for b in pictures()], "labels": labels}, kinds)


def several_texts() -> bytes:
    """`image`: struct of bytes and path without a type of `datasets`, `labels`: list of texts."""
    labels = [["pond"], ["orchard", "quarry"], [], ["pond", "orchard"], ["quarry"], ["pond"]]
    return plain({"image": [{"bytes": b, "path": "x.jpg"} for b in pictures()], "labels": labels})


def raw_bytes() -> bytes:
    """`jpg`: bytes, `label`: whole numbers without names."""
    return plain({"jpg": pictures(), "label": [3, 10, 3, 10, 3, 10]})


def array_3d() -> bytes:
    """`pixels`: Array3D of uint8, `label`: ClassLabel."""
    import datasets

    kinds = _typed(
        pixels=datasets.Array3D(shape=(8, 9, 3), dtype="uint8"), label=datasets.ClassLabel(names=list(CLASSES))
    )
    return parquet({"pixels": list(arrays()), "label": [0, 1, 2] * 2}, kinds)


def nested_lists() -> bytes:
    """`img`: lists of lists of lists, channels first, `label`: text."""
    values = arrays().transpose(0, 3, 1, 2).tolist()
    return plain({"img": values, "label": [CLASSES[i % 3] for i in range(N)]})


def odd_names() -> bytes:
    """Two columns of images and two of class names: they are to be named."""
    import datasets

    names = datasets.ClassLabel(names=list(CLASSES))
    kinds = _typed(before=datasets.Image(), after=datasets.Image(), crop=names, soil=names)
    images = [{"bytes": b, "path": None} for b in pictures()]
    return parquet({"before": images[::-1], "after": images, "crop": [0, 1, 2] * 2, "soil": [2, 1, 0] * 2}, kinds)


SHAPES: dict[str, Callable[[], bytes]] = {
    "class-label": class_label,
    "text-label": text_label,
    "several-numbers": several_numbers,
    "several-texts": several_texts,
    "raw-bytes": raw_bytes,
    "array-3d": array_3d,
    "nested-lists": nested_lists,
    "odd-names": odd_names,
}
"""Eight shapes of columns."""


def host(hub: Hub, repo: str, data: bytes, split: str = "test", **more: bytes) -> None:
    """Put a repository of one parquet file for each split on the hub."""
    for name, content in {split: data, **more}.items():
        for revision in ("main", "f" * 40):
            hub.add(repo, f"data/{name}-00000-of-00001.parquet", content, revision=revision, repo_type="dataset")
