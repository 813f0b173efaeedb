"""Wraps a user's model object, for notebooks and training loops; its embeddings are never cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from senbench.errors import UsageError
from senbench.io.embeddings_npz import LOGARITHM_BELOW

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from senbench.models.encoder import Encoder
    from senbench.schema.terms import Dtype, Kernels, PixelPath


class UserModel(Protocol):
    """The methods of a user's object; `name`, `logit_scale` and `logit_bias` are optional."""

    def encode_images(self, tiles: list[NDArray[np.uint8]]) -> Any:
        """Return (N, D) for raw uint8 tiles (H, W, 3), as NumPy or anything that NumPy can read."""

    def encode_texts(self, texts: list[str]) -> Any:
        """Return (N, D) for texts, as NumPy or anything that NumPy can read."""


def as_encoder(model: Encoder | UserModel) -> Encoder:
    """Return an encoder unchanged, and any other object wrapped.

    Raises:
        UsageError: A method is missing.
    """
    return cast("Encoder", model) if hasattr(model, "encode_prepared") else UserEncoder(model)


class UserEncoder:
    """Wraps any object with `encode_images(tiles)` and `encode_texts(texts)` as an `Encoder`.

    Attributes:
        logit_scale: The object's `logit_scale` as a float, None if it has none.
        logit_bias: The object's `logit_bias` as a float, None if it has none.
    """

    card = device = preprocess = path = kernels = None
    batch_size = 64
    dtype = "unknown"
    overlaps = False

    def __init__(self, model: UserModel) -> None:
        """Wrap a model.

        Args:
            model: The object.

        Raises:
            UsageError: A method is missing.
        """
        for name in ("encode_images", "encode_texts"):
            if not callable(getattr(model, name, None)):
                raise UsageError(f"model {type(model).__name__} has no method {name}; give a model id or an adapter")
        self.model = model
        self.name = str(getattr(model, "name", type(model).__name__))
        self.logit_scale = _number(getattr(model, "logit_scale", None))
        self.warnings: tuple[str, ...] = ()
        if self.logit_scale is not None and 1 < self.logit_scale < LOGARITHM_BELOW:
            self.warnings = (
                f"logit_scale {self.logit_scale:.3g} looks like a logarithm (CLIP stores ln 100 = 4.6): "
                "NLL, Brier, ECE, prob-mean and dap are wrong unless it multiplies the cosine",
            )
        self.logit_bias = _number(getattr(model, "logit_bias", None))
        self.embed_dim = _rows(model.encode_texts(["a satellite photo"]), 1).shape[1]

    def image_identity(self) -> None:
        """Return None: the weights in a training loop change, so that nothing is cached."""

    def text_identity(self) -> None:
        """Return None: the weights in a training loop change, so that nothing is cached."""

    def prepare(self, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the raw tile, since the object does its own preprocessing."""
        return tile

    def encode_prepared(self, batch: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return unit-length float32 (B, D)."""
        from senbench.scoring.classifier import unit

        return unit(_rows(self.model.encode_images(list(batch)), len(batch)))

    def begin(self, batch: Sequence[NDArray[np.uint8]]) -> Callable[[], NDArray[np.float32]]:
        """Return `encode_prepared` as a function, which computes when it is called."""
        return lambda: self.encode_prepared(batch)

    def encode_texts(
        self, texts: Sequence[str], *, normalize: bool = True, advance: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return float32 (P, D), unit length unless `normalize` is False."""
        from senbench.scoring.classifier import unit

        parts = [list(texts[i : i + self.batch_size]) for i in range(0, len(texts), self.batch_size)]
        rows = np.concatenate([_rows(self.model.encode_texts(part), len(part)) for part in parts])
        if advance is not None:
            advance(len(texts))
        return unit(rows) if normalize else rows

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Return nothing, since the context of a user's object is unknown."""
        return []

    def tokens(self, texts: Sequence[str]) -> None:
        """Return nothing, since the context of a user's object is unknown."""

    def otherwise(
        self, *, dtype: Dtype | None = None, path: PixelPath | None = None, kernels: Kernels | None = None
    ) -> None:
        """Return None, since only a model with a card can be loaded again."""

    def describe(self) -> dict[str, Any]:
        """Return what a result records of the object."""
        return {"id": self.name, "family": "user", "title": self.name, "weights_sha256": None}


def _number(value: Any) -> float | None:
    return None if value is None else float(np.asarray(_host(value)).reshape(()))


def _host(value: Any) -> Any:
    """Convert a torch tensor to something that NumPy can read, without importing torch."""
    return value.detach().float().cpu().numpy() if hasattr(value, "detach") else value


def _rows(value: Any, n: int) -> NDArray[np.float32]:
    rows = np.asarray(_host(value), np.float32)
    if rows.ndim != 2 or len(rows) != n:
        raise UsageError(f"the model returned embeddings of shape {rows.shape} for {n} inputs, expected ({n}, D)")
    return rows
