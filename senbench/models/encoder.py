"""The interface of models to runs, which every adapter and every wrapped object implements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype, Kernels, PixelPath


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer with the context of its model.

    Attributes:
        tokenize: P texts -> tokens int64 (P, L), truncated and padded to the context length L.
        count: A text -> its number of tokens before truncation, including begin and end.
    """

    tokenize: Callable[[list[str]], NDArray[np.int64]]
    count: Callable[[str], int]


class TextEncoder(Protocol):
    """Anything that encodes texts: a model, or its text tower alone."""

    def encode_texts(
        self, texts: Sequence[str], *, normalize: bool = True, advance: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Return float32 (P, D) for texts, unit length unless `normalize` is False."""


class Encoder(TextEncoder, Protocol):
    """A model as used by runs: an `Adapter`, a lazily loaded model, or a user's wrapped object."""

    @property
    def card(self) -> ModelCard | None:
        """Return the contract; None for a user's object."""

    @property
    def embed_dim(self) -> int:
        """Return the dimension of the joint embedding."""

    @property
    def batch_size(self) -> int:
        """Return the default number of images per batch."""

    @property
    def dtype(self) -> str:
        """Return the precision of the encoders; `unknown` for a user's object."""

    @property
    def device(self) -> Any:
        """Return the device, with its `type`; None if unknown."""

    @property
    def preprocess(self) -> Preprocess | None:
        """Return the resolved preprocessing; None for a user's object, which does its own."""

    @property
    def path(self) -> PixelPath | None:
        """Return where tiles are resized; None for a user's object."""

    @property
    def kernels(self) -> Kernels | None:
        """Return the kernels for matrix products on a CPU; None for a user's object."""

    @property
    def logit_scale(self) -> float | None:
        """Return the native multiplier of the cosine, or None."""

    @property
    def logit_bias(self) -> float | None:
        """Return the native bias of sigmoid models, or None."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return caveats about its figures."""

    @property
    def overlaps(self) -> bool:
        """Return whether a batch may be started before the rows of the previous one are awaited."""

    def describe(self) -> dict[str, Any]:
        """Return the model as recorded in results: the card with the hash of the loaded file."""

    def image_identity(self) -> dict[str, Any] | None:
        """Return everything except the tile that determines an image embedding; None if never cached."""

    def text_identity(self) -> dict[str, Any] | None:
        """Return everything except the text that determines a text embedding; None if never cached."""

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Return the texts that are truncated to the context."""

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64] | None:
        """Return the tokens of texts as the text tower reads them, int64 (P, L); None if unknown."""

    def prepare(self, tile: NDArray[Any]) -> NDArray[Any]:
        """Prepare one raw tile, uint8 or digital numbers, for `encode_prepared`; thread-safe."""

    def encode_prepared(self, batch: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Return unit-length float32 (B, D) for prepared tiles of one size and dtype."""

    def begin(self, batch: Sequence[NDArray[Any]]) -> Callable[[], NDArray[np.float32]]:
        """Start `encode_prepared`; return a function that waits for its rows. Called only if `overlaps` is true."""

    def otherwise(
        self, *, dtype: Dtype | None = None, path: PixelPath | None = None, kernels: Kernels | None = None
    ) -> Encoder | None:
        """Return the same model with another precision, resizing or kernels; None if it cannot be loaded again."""
