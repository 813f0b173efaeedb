"""What a run needs of a model: the contract that every adapter and every wrapped object fulfils."""

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
        tokenize: P texts -> tokens int64 (P, L), cut and padded to the context length L.
        count: A text -> its number of tokens before any cut, begin and end included.
    """

    tokenize: Callable[[list[str]], NDArray[np.int64]]
    count: Callable[[str], int]


class TextEncoder(Protocol):
    """What encodes texts: a model, or its text tower alone."""

    def encode_texts(
        self, texts: Sequence[str], *, normalize: bool = True, advance: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """float32 (P, D) of texts, unit length unless `normalize` is False."""


class Encoder(TextEncoder, Protocol):
    """A model as the engine and a run use it: an `Adapter`, a model loaded when needed, a user's wrapped object."""

    @property
    def card(self) -> ModelCard | None:
        """The contract; None for a user's object, which has none."""

    @property
    def embed_dim(self) -> int:
        """Dimension of the joint embedding."""

    @property
    def batch_size(self) -> int:
        """Images per batch when none is asked for."""

    @property
    def dtype(self) -> str:
        """Precision of the encoders; `unknown` for a user's object."""

    @property
    def device(self) -> Any:
        """The device, with its `type`; None where it is not known."""

    @property
    def preprocess(self) -> Preprocess | None:
        """The preprocessing in force; None: a user's object does its own."""

    @property
    def path(self) -> PixelPath | None:
        """Where tiles are resized; None: a user's object does its own."""

    @property
    def kernels(self) -> Kernels | None:
        """Kernels that multiply on a CPU; None: not known, of a user's object."""

    @property
    def logit_scale(self) -> float | None:
        """Native multiplier of the cosine; None if there is none."""

    @property
    def logit_bias(self) -> float | None:
        """Native bias of sigmoid models; None if there is none."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of its figures must know."""

    @property
    def overlaps(self) -> bool:
        """True if a batch may be begun before the rows of the one before it are waited for."""

    def describe(self) -> dict[str, Any]:
        """The model as results record it: the card with the hash of the loaded file."""

    def image_identity(self) -> dict[str, Any] | None:
        """Everything but the tile that determines an image embedding; None: never cached."""

    def text_identity(self) -> dict[str, Any] | None:
        """Everything but the text that determines a text embedding; None: never cached."""

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Texts that do not fit the context and lose their end."""

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64] | None:
        """Tokens of texts as the text tower reads them, cut and padded, int64 (P, L); None: they are not known."""

    def prepare(self, tile: NDArray[Any]) -> NDArray[Any]:
        """One raw tile, uint8 or digital numbers, to what `encode_prepared` takes; thread-safe."""

    def encode_prepared(self, batch: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Unit-length float32 (B, D) of prepared tiles of one size and type."""

    def begin(self, batch: Sequence[NDArray[Any]]) -> Callable[[], NDArray[np.float32]]:
        """Start `encode_prepared`; what is returned waits for its rows. Called only where `overlaps` is true."""

    def otherwise(
        self, *, dtype: Dtype | None = None, path: PixelPath | None = None, kernels: Kernels | None = None
    ) -> Encoder | None:
        """The same model in another precision, resizing elsewhere, or with other kernels; None: it cannot be loaded."""
