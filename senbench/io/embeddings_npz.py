"""Reads embeddings made by other programs from an .npz, without pickle, and checks each array."""

from __future__ import annotations

import math
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from senbench.errors import UnavailableError, UsageError
from senbench.io import zip_member

if TYPE_CHECKING:
    from pathlib import Path

Arrays = Mapping[str, NDArray[Any]]

REQUIRED = ("images", "labels", "texts", "text_class")
OPTIONAL = ("logit_scale", "logit_bias", "clusters", "class_names", "ids", "template_aligned")
LOGARITHM_BELOW = 6.0
"""Upper limit of a stored logarithm: trained scales lie between 10 and 120, their logarithms between 2.3 and 4.8."""


@dataclass(frozen=True)
class EmbeddingsFile:
    """The checked arrays of an embeddings file.

    Attributes:
        images: Image embeddings, (N, D).
        labels: True class, int64 (N,); or multi-hot, bool (N, C).
        texts: Prompt embeddings, (P, D).
        text_class: Class of each prompt, int64 (P,).
        class_names: Names in label order, C.
        logit_scale: Native multiplier of the cosine, or None.
        logit_bias: Bias of a sigmoid model, or None.
        clusters: Spatial cluster per image, (N,), or None.
        ids: Name of each image, (N,), or None.
        template_aligned: Whether prompt j of every class comes from one template.
        warnings: Caveats for the reader.
    """

    images: NDArray[Any]
    labels: NDArray[Any]
    texts: NDArray[Any]
    text_class: NDArray[np.int64]
    class_names: tuple[str, ...]
    logit_scale: float | None
    logit_bias: float | None
    clusters: NDArray[Any] | None
    ids: NDArray[Any] | None
    template_aligned: bool
    warnings: tuple[str, ...]

    @property
    def multi_label(self) -> bool:
        """Return whether the labels are multi-hot."""
        return self.labels.ndim == 2


def load(file: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of an .npz without unpickling.

    Args:
        file: Path of the .npz.

    Returns:
        Arrays by name.

    Raises:
        UsageError: The file is missing, is not an .npz, or contains Python objects.
        UnavailableError: The file is unreadable or damaged.
    """
    if not file.is_file():
        raise UsageError(f"{file}: no such file; give an .npz written by numpy.savez")
    try:
        with file.open("rb") as stream:
            if stream.read(2) != b"PK":
                raise UsageError(f"{file.name} is not an .npz (a zip of arrays); write it with numpy.savez")
        with zipfile.ZipFile(file) as zipped:
            for info in zipped.infolist():
                _bounded(zipped, info, file.name)
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: _member(archive, name, file.name) for name in archive.files}
    except OSError as error:
        raise UnavailableError(f"{file.name} cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, MemoryError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise UnavailableError(f"{file.name} is damaged ({why}); write it again") from error
    return {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def _bounded(zipped: zipfile.ZipFile, info: zipfile.ZipInfo, file: str) -> None:
    """Compare the size in an array's header with the bytes of the member before memory is allocated.

    Raises:
        UsageError: The member unpacks to far more than its size in the file.
        ValueError: The header is malformed, or states another size than the member has.
    """
    if zip_member.is_bomb(info.compress_size, info.file_size):
        raise UsageError(
            f"{file}: {info.filename} takes {info.compress_size:,} bytes and would unpack to {info.file_size:,}; "
            "embeddings are never that empty: write the file again with numpy.savez"
        )
    if not info.filename.endswith(".npy"):
        return
    with zipped.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream)
        announced = stream.tell() + math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and announced != info.file_size:
        raise ValueError(
            f"array {info.filename.removesuffix('.npy')!r} announces shape {shape} of {dtype}, {announced:,} bytes, "
            f"and has {info.file_size:,}"
        )


def _member(archive: Mapping[str, Any], name: str, file: str) -> Any:
    try:
        return archive[name]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise UsageError(f"{file}: array {name!r} holds Python objects; save numbers or strings") from error


def check(arrays: Arrays) -> EmbeddingsFile:
    """Check the arrays of an embeddings file against each other.

    Args:
        arrays: `images`, `labels`, `texts`, `text_class`, and any of `OPTIONAL`, by name.

    Returns:
        The arrays in their final types.

    Raises:
        UsageError: An array is missing, or its shape, type or range is wrong; the message names it.
    """
    if missing := [name for name in REQUIRED if name not in arrays]:
        has = ", ".join(arrays) or "nothing"
        raise UsageError(f"no array {', '.join(map(repr, missing))}; the file holds {has}")
    images, texts = _rows(arrays, "images"), _rows(arrays, "texts")
    if images.shape[1] != texts.shape[1]:
        raise UsageError(f"images have {images.shape[1]} columns, texts {texts.shape[1]}; expected one width")
    text_class = _vector(arrays, "text_class", len(texts), "texts")
    labels = _labels(arrays, len(images))
    n_classes = _n_classes(arrays, labels, text_class)
    _in_range("text_class", text_class, n_classes)
    if labels.ndim == 1:
        _in_range("labels", labels, n_classes)
        if n_classes < 2:
            raise UsageError("there is a single class; zero-shot classification needs two")
    unknown = [name for name in arrays if name not in REQUIRED + OPTIONAL]
    warnings = [f"array {name!r} is unknown and ignored" for name in unknown]
    scale, bias = number(arrays, "logit_scale"), number(arrays, "logit_bias")
    if scale is not None and scale <= 0:
        raise UsageError(f"logit_scale is {scale:g}; expected the positive multiplier of the cosine")
    if scale is not None and 1 < scale < LOGARITHM_BELOW:
        warnings.append(f"logit_scale {scale:g} looks like a logarithm; its exponential is {np.exp(scale):.4g}")
    ids = _names(arrays, "ids", len(images), "images") if "ids" in arrays else None
    if ids is not None and len(np.unique(ids)) != len(ids):
        raise UsageError("ids are not unique: an image would count twice")
    names: Any = range(n_classes)
    if "class_names" in arrays:
        names = _names(arrays, "class_names", n_classes, "classes")
    aligned = np.asarray(arrays.get("template_aligned", False))
    if aligned.size != 1 or aligned.dtype.kind not in "biu":
        raise UsageError(f"template_aligned is {_describe(aligned)}; expected one true or false")
    return EmbeddingsFile(
        images=images,
        labels=labels,
        texts=texts,
        text_class=text_class,
        class_names=tuple(unicodedata.normalize("NFC", str(name)) for name in names),
        logit_scale=scale,
        logit_bias=bias,
        clusters=_names(arrays, "clusters", len(images), "images") if "clusters" in arrays else None,
        ids=ids,
        template_aligned=bool(aligned.ravel()[0]),
        warnings=tuple(warnings),
    )


def _describe(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"


def _rows(arrays: Arrays, name: str) -> NDArray[Any]:
    array = arrays[name]
    if array.ndim != 2 or not array.size or array.dtype.kind not in "fiu":
        raise UsageError(f"{name} is {_describe(array)}; expected real numbers, one row each, none empty")
    return array


def _vector(arrays: Arrays, name: str, length: int, other: str) -> NDArray[np.int64]:
    array = arrays[name]
    if array.shape != (length,) or array.dtype.kind not in "iu":
        raise UsageError(f"{name} is {_describe(array)}; expected {length} integers, as many as {other} has rows")
    if array.dtype.kind == "u" and array.max(initial=0) > np.iinfo(np.int64).max:
        raise UsageError(f"{name} is {array.max()} in row {array.argmax()}; expected the number of a class")
    return array.astype(np.int64)


def _labels(arrays: Arrays, n: int) -> NDArray[Any]:
    labels = arrays["labels"]
    if labels.ndim != 2:
        return _vector(arrays, "labels", n, "images")
    if len(labels) != n or labels.dtype.kind not in "biuf" or not labels.size:
        raise UsageError(f"labels is {_describe(labels)}; expected ({n},) integers or ({n}, classes) of 0 and 1")
    wrong = ~np.isin(labels, (0, 1))
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        raise UsageError(f"multi-hot labels hold {labels[wrong][0]} in row {row}; expected 0 and 1 only")
    return labels.astype(bool)


def _n_classes(arrays: Arrays, labels: NDArray[Any], text_class: NDArray[np.int64]) -> int:
    """Return the number of classes: columns of multi-hot labels, else class names, else the largest class + 1."""
    if labels.ndim == 2:
        return int(labels.shape[1])
    if "class_names" in arrays and arrays["class_names"].ndim == 1:
        return len(arrays["class_names"])
    largest, row = int(text_class.max()), int(text_class.argmax())
    if largest >= len(text_class):
        raise UsageError(
            f"text_class is {largest} in row {row}, but there are {len(text_class)} texts: with classes 0..{largest} "
            "some would have none; number the classes from 0 without gaps"
        )
    return largest + 1


def _in_range(name: str, array: NDArray[np.int64], n_classes: int) -> None:
    bad = np.flatnonzero((array < 0) | (array >= n_classes))
    if len(bad):
        raise UsageError(f"{name} is {array[bad[0]]} in row {bad[0]}; expected 0..{n_classes - 1}")


def number(arrays: Arrays, name: str) -> float | None:
    """Return the finite number stored in an array; None if there is no such array.

    Raises:
        UsageError: The array contains anything else.
    """
    if name not in arrays:
        return None
    array = arrays[name]
    if array.size != 1 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise UsageError(f"{name} is {_describe(array)} {array.ravel()[:1]}; expected one finite number")
    return float(array.ravel()[0])


def _names(arrays: Arrays, name: str, length: int, other: str) -> NDArray[Any]:
    array = arrays[name]
    if array.shape != (length,) or array.dtype.kind not in "Uiu":
        raise UsageError(f"{name} is {_describe(array)}; expected {length} strings or integers, as many as {other}")
    return array
