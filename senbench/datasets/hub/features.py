"""Which columns of a hub dataset hold images and labels, and what is in them; nothing is decided by a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.readers.left_out import natural
from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.schema.terms import Task

LABELS = ("label", "labels")
"""Names under which a column of labels is found whatever its type."""


class ImageColumn(NamedTuple):
    """A column of images."""

    name: str
    encoded: bool
    """Files in bytes; False: arrays of values."""


class LabelColumn(NamedTuple):
    """A column of labels."""

    name: str
    names: tuple[str, ...]
    """Class names of its numbers; empty where its values are names themselves."""
    task: Task


def image_column(features: Mapping[str, Any], asked: str | None, title: str) -> ImageColumn:
    """The column of images: the one that was asked for, or the only one of its kind.

    Args:
        features: Column -> its type, as `datasets` has it.
        asked: Name; None: it is found.
        title: The dataset, for messages.

    Raises:
        UsageError: No such column, none that can hold images, or several.
    """
    kinds = {name: kind for name, feature in features.items() if (kind := _image_kind(feature))}
    if asked is not None:
        if asked not in features:
            raise UsageError(f"{title}: no column {asked!r}; it has {', '.join(features)}")
        if asked not in kinds:
            raise UsageError(f"{title}: column {asked!r} holds no images, bytes or arrays: {features[asked]!s:.80}")
        return ImageColumn(asked, kinds[asked] != "array")
    for kind in ("image", "bytes", "array"):
        if found := [name for name, its in kinds.items() if its == kind]:
            if len(found) > 1:
                raise UsageError(f"{title}: columns {', '.join(found)} may hold the images: choose with --image-column")
            return ImageColumn(found[0], kind != "array")
    raise UsageError(f"{title}: no column of images, bytes or arrays; it has {', '.join(features)}")


def label_column(features: Mapping[str, Any], asked: str | None, title: str) -> LabelColumn:
    """The column of labels: the one asked for, one called `label` or `labels`, or the only one with class names.

    Args:
        features: Column -> its type, as `datasets` has it.
        asked: Name; None: it is found.
        title: The dataset, for messages.

    Raises:
        UsageError: As `image_column`.
    """
    if asked is not None and asked not in features:
        raise UsageError(f"{title}: no column {asked!r}; it has {', '.join(features)}")
    named = [asked] if asked is not None else [name for name in LABELS if name in features]
    found = named or [name for name, feature in features.items() if _names(_inner(feature)[0])]
    if len(found) != 1:
        which = f"columns {', '.join(found)} may hold the labels" if found else "no column of labels is known as such"
        raise UsageError(f"{title}: {which}; it has {', '.join(features)}: choose with --label-column")
    inner, several = _inner(features[found[0]])
    if not _names(inner) and getattr(inner, "dtype", None) not in ("string", "large_string", "bool", *_WHOLE):
        raise UsageError(f"{title}: column {found[0]!r} holds no labels: {features[found[0]]!s:.80}")
    return LabelColumn(found[0], _names(inner), "multi-label" if several else "single-label")


_WHOLE = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))


def _image_kind(feature: Any) -> str:
    """`image`, `bytes` or `array`; empty for what cannot be an image."""
    kind = type(feature).__name__
    if kind == "Image":
        return "image"
    if isinstance(feature, dict):
        return "bytes" if "bytes" in feature and getattr(feature["bytes"], "dtype", "") in _BINARY else ""
    if getattr(feature, "dtype", "") in _BINARY:
        return "bytes"
    if kind in ("Array2D", "Array3D"):
        return "array"
    depth, inner = 0, feature
    while (below := _below(inner)) is not None:
        depth, inner = depth + 1, below
    numeric = str(getattr(inner, "dtype", "")).startswith(("int", "uint", "float")) and not _names(inner)
    return "array" if depth in (2, 3) and numeric else ""


_BINARY = ("binary", "large_binary")


def _below(feature: Any) -> Any:
    """What a list holds; None for what is no list."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", None)


def _inner(feature: Any) -> tuple[Any, bool]:
    """Type of one label, and whether a tile has several."""
    below = _below(feature)
    return (feature, False) if below is None else (below, True)


def _names(feature: Any) -> tuple[str, ...]:
    return tuple(getattr(feature, "names", None) or ())


def class_keys(column: LabelColumn, values: Iterable[Sequence[Any]]) -> tuple[str, ...]:
    """Class keys in label order: those of the column's type, or what is in it, in natural order.

    Args:
        column: The column.
        values: Its values, split by split.
    """
    if column.names:
        return column.names
    several = column.task == "multi-label"
    found = {_key(one) for split in values for value in split for one in ((value or ()) if several else (value,))}
    return tuple(sorted(found - {""}, key=natural))


def _key(value: Any) -> str:
    return "" if value is None else str(value).strip()


def labels_of(column: LabelColumn, values: Sequence[Any], keys: tuple[str, ...], title: str) -> NDArray[Any]:
    """Labels of a split.

    Args:
        column: The column.
        values: Its values.
        keys: Class keys, C.
        title: Dataset and split, for messages.

    Returns:
        int64 (N,), or multi-hot, bool (N, C).

    Raises:
        UsageError: A number outside the class names, or a tile without a label where it must have one.
    """
    at = {key: k for k, key in enumerate(keys)}

    def index(value: Any, row: int) -> int:
        if column.names:
            if not isinstance(value, int) or not 0 <= value < len(keys):
                raise UsageError(f"{title}: row {row} has label {value!r}, outside 0 to {len(keys) - 1}")
            return value
        if (key := _key(value)) not in at:
            raise UsageError(f"{title}: row {row} has no label in column {column.name!r}")
        return at[key]

    if column.task == "single-label":
        return np.array([index(value, row) for row, value in enumerate(values)], np.int64)
    found = np.zeros((len(values), len(keys)), bool)
    for row, several in enumerate(values):
        found[row, [index(value, row) for value in several or ()]] = True
    return found
