"""Wraps a user's own model object, for notebooks and training loops: never cached, never on a board."""

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
    """What a user's object must have; `name`, `logit_scale` and `logit_bias` are read where it has them."""

    def encode_images(self, tiles: list[NDArray[np.uint8]]) -> Any:
        """(N, D) of raw uint8 tiles (H, W, 3): NumPy, or anything NumPy can read."""

    def encode_texts(self, texts: list[str]) -> Any:
        """(N, D) of texts: NumPy, or anything NumPy can read."""


def as_encoder(model: Encoder | UserModel) -> Encoder:
    """A model as it is where it is an encoder already, else wrapped.

    Raises:
        UsageError: A method is missing.
    """
    return cast("Encoder", model) if hasattr(model, "encode_prepared") else UserEncoder(model)


class UserEncoder:
    """Any object with `encode_images(tiles)` and `encode_texts(texts)`, made to fit the engine (`Encoder`).

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
        """A training loop's weights change: nothing is cached."""

    def text_identity(self) -> None:
        """A training loop's weights change: nothing is cached."""

    def prepare(self, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The raw tile: the object does its own preprocessing."""
        return tile

    def encode_prepared(self, batch: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit-length float32 (B, D)."""
        from senbench.scoring.classifier import unit

        return unit(_rows(self.model.encode_images(list(batch)), len(batch)))

    def begin(self, batch: Sequence[NDArray[np.uint8]]) -> Callable[[], NDArray[np.float32]]:
        """`encode_prepared`, done when it is waited for."""
        return lambda: self.encode_prepared(batch)

    def encode_texts(
        self, texts: Sequence[str], *, normalize: bool = True, advance: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """float32 (P, D), unit length unless `normalize` is False."""
        from senbench.scoring.classifier import unit

        parts = [list(texts[i : i + self.batch_size]) for i in range(0, len(texts), self.batch_size)]
        rows = np.concatenate([_rows(self.model.encode_texts(part), len(part)) for part in parts])
        if advance is not None:
            advance(len(texts))
        return unit(rows) if normalize else rows

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Unknown for a user's object."""
        return []

    def tokens(self, texts: Sequence[str]) -> None:
        """Unknown for a user's object."""

    def otherwise(
        self, *, dtype: Dtype | None = None, path: PixelPath | None = None, kernels: Kernels | None = None
    ) -> None:
        """None: only a model of a card can be loaded again."""

    def describe(self) -> dict[str, Any]:
        """What a result records of it."""
        return {"id": self.name, "family": "user", "title": self.name, "weights_sha256": None}


def _number(value: Any) -> float | None:
    return None if value is None else float(np.asarray(_host(value)).reshape(()))


def _host(value: Any) -> Any:
    """A torch tensor as something NumPy can read, without importing torch."""
    return value.detach().float().cpu().numpy() if hasattr(value, "detach") else value


def _rows(value: Any, n: int) -> NDArray[np.float32]:
    rows = np.asarray(_host(value), np.float32)
    if rows.ndim != 2 or len(rows) != n:
        raise UsageError(f"the model returned embeddings of shape {rows.shape} for {n} inputs, expected ({n}, D)")
    return rows
