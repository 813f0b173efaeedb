"""A model that is loaded only when something must be encoded; its other properties are cached."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from senbench.io import checked_json
from senbench.models import devices, kernels, load, tokenizers
from senbench.models.checkpoints import fetch
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.devices import pixel_path
from senbench.runtime.environment import versions
from senbench.runtime.paths import PACKAGE
from senbench.schema.record import Record
from senbench.schema.terms import PixelPath

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from senbench.models.adapter import Adapter
    from senbench.models.encoder import TextEncoder
    from senbench.runtime.access import Access
    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype, Kernels

FOLDER = "models"
"""Subfolder of the cache with the properties of models."""


class Facts(Record):
    """The properties of a loaded model that a run with cached embeddings needs."""

    image: dict[str, Any]
    """`Adapter.image_identity()`."""
    text: dict[str, Any]
    """`Adapter.text_identity()`."""
    described: dict[str, Any]
    """`Adapter.describe()`."""
    logit_scale: float | None
    """Native multiplier of the cosine."""
    logit_bias: float | None
    """Native bias of a sigmoid model."""
    path: PixelPath
    """Where tiles are resized."""
    batch_size: int
    """Default number of images per batch."""
    overlaps: bool
    """As `Adapter.overlaps`."""


class LazyModel:
    """A checkpoint with its card, as an `Encoder`.

    The properties of the loaded model are a function of card, file, settings and versions, and are cached under the
    hash of these. If they are known, torch and the checkpoint are not loaded before something must be encoded.

    Attributes:
        card: The contract.
        preprocess: The resolved preprocessing.
        dtype: Precision of the encoders.
        kernels: Kernels for matrix products on a CPU; they are timed on the first use.
    """

    warnings: tuple[str, ...] = ()

    def __init__(
        self, checkpoint: Checkpoint, cache: Path | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Read the cached properties of the model; load it if there are none.

        Args:
            checkpoint: The file, its card and the settings.
            cache: Cache folder; None caches nothing.
            say: Called with a message when the model is loaded.

        Raises:
            ContractError: File and card contradict each other.
            UnavailableError: The file is damaged, companion files are missing, or the device does not exist.
        """
        self._cache, self._say = cache, say
        self._checkpoint = replace(checkpoint, kernels=kernels.known(checkpoint) or "auto")
        self.card, self.preprocess, self.dtype = checkpoint.card, checkpoint.preprocessing, checkpoint.dtype
        self._own = self.card.adapter.startswith("senbench.")
        # the properties of a plug-in's class may change with code that is not hashed here
        if self._checkpoint.kernels == "auto":
            self._checkpoint = replace(self._checkpoint, kernels=self.model.kernels)
        self.kernels: Kernels = "torch" if self._checkpoint.kernels == "torch" else "onednn"
        about = cache / FOLDER / f"{_key(self._checkpoint)}.json" if cache is not None and self._own else None
        known = None if about is None else _read(about)
        if known is None:
            known = _facts(self.model)
            if about is not None:
                checked_json.write(about, known.model_dump(mode="json"))
        self._facts = known
        self.logit_scale, self.logit_bias = known.logit_scale, known.logit_bias
        self.path, self.batch_size, self.overlaps = known.path, known.batch_size, known.overlaps

    def multiplied_by(self, kernels: Kernels) -> LazyModel:
        """Return the same model with other kernels."""
        return LazyModel(replace(self._checkpoint, kernels=kernels), self._cache, self._say)

    @property
    def of_senbench(self) -> bool:
        """Return whether a class of senbench, not of a plug-in, loads the model."""
        return self._own

    @cached_property
    def model(self) -> Adapter:
        """The loaded model."""
        self._say(f"loading {self.card.title}")
        self.__dict__.pop("_texts", None)  # so that its tensors are in memory only once
        return load.from_file(self._checkpoint)

    @cached_property
    def _texts(self) -> TextEncoder:
        """Return the model if it is loaded, otherwise its text tower alone, which gives the same rows."""
        if not self._own or "model" in self.__dict__:
            return self.model
        self._say(f"loading the text tower of {self.card.title}")
        return load.texts_from_file(self._checkpoint)

    def otherwise(
        self, *, dtype: Dtype | None = None, path: PixelPath | None = None, kernels: Kernels | None = None
    ) -> Adapter:
        """Load the same checkpoint again with another precision, resizing or kernels.

        Args:
            dtype: Precision; None for the present one.
            path: Where tiles are resized; None for the present place.
            kernels: Kernels; None for the present ones.
        """
        wanted = replace(
            self._checkpoint,
            dtype=dtype or self.dtype,
            path=path or self._checkpoint.path,
            kernels=kernels or self.kernels,
        )
        adapter = copy.copy(self.model) if dtype is None and kernels is None else load.from_file(wanted)
        adapter.pixel_path = wanted.path
        return adapter

    @property
    def device(self) -> Any:
        """Return the device of the model, or the type of the device of its cached embeddings."""
        return self.model.device if "model" in self.__dict__ else SimpleNamespace(type=self._facts.image["device"])

    @property
    def embed_dim(self) -> int:
        """Dimension of the joint embedding."""
        return self.card.embed_dim

    def image_identity(self) -> dict[str, Any] | None:
        """As `Adapter.image_identity`."""
        return self._facts.image

    def text_identity(self) -> dict[str, Any] | None:
        """As `Adapter.text_identity`."""
        return self._facts.text

    def describe(self) -> dict[str, Any]:
        """As `Adapter.describe`."""
        fetched = {"weights_revision": self._checkpoint.revision} if self._checkpoint.revision else {}
        return {**self._facts.described, **fetched}

    def prepare(self, tile: NDArray[Any]) -> NDArray[Any]:
        """As `Adapter.prepare`."""
        return self.model.prepare(tile)

    def encode_prepared(self, batch: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """As `Adapter.encode_prepared`."""
        return self.model.encode_prepared(batch)

    def begin(self, batch: Sequence[NDArray[Any]]) -> Callable[[], NDArray[np.float32]]:
        """As `Adapter.begin`."""
        return self.model.begin(batch)

    def encode_texts(
        self, texts: Sequence[str], *, normalize: bool = True, advance: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """As `Adapter.encode_texts`."""
        return self._texts.encode_texts(texts, normalize=normalize, advance=advance)

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Texts that do not fit the context and lose their end."""
        if not self._own:
            return self.model.truncated(texts)
        counts = tokenizers.counter(self.card)(texts)
        return [text for text, n in zip(texts, counts, strict=True) if n > self.card.context_length]

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of texts as the text tower reads them, cut and padded, int64 (P, L)."""
        return tokenizers.of(self.card).tokenize(list(texts)) if self._own else self.model.tokens(texts)


def of(
    card: ModelCard,
    access: Access,
    *,
    preprocess: Preprocess | None = None,
    path: PixelPath | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> LazyModel:
    """Return the model of a card with the settings of a run; its file is downloaded if necessary, and identified.

    Args:
        card: The contract.
        access: Weights, device, dtype and cache, and whether a file may be downloaded.
        preprocess: Replaces the card's preprocessing.
        path: Where tiles are resized; None for the default of the device.
        say: Called with a message when the model is loaded.

    Raises:
        ContractError: As `Checkpoint.of` and `LazyModel`.
        UnavailableError: The same.
    """
    return LazyModel(Checkpoint.of(card, access, preprocess=preprocess, path=path), access.cache, say)


def _key(checkpoint: Checkpoint) -> str:
    """Return the hash of everything that determines the properties of a loaded model."""
    card, architecture = checkpoint.card, Path(checkpoint.card.architecture)
    user_file = architecture.suffix == ".json" and architecture.is_file()
    device = devices.kind(checkpoint.device)
    settings = {
        "card": card.model_dump(mode="json"),
        "weights": checkpoint.digest,
        "companions": fetch.companion_hashes(card),
        "vocabulary": tokenizers.vocabulary_sha256(card),
        "architecture": hashlib.sha256(architecture.read_bytes()).hexdigest() if user_file else None,
        "preprocess": checkpoint.preprocessing.model_dump(mode="json"),
        "settings": [device, checkpoint.dtype, checkpoint.path or pixel_path(device), checkpoint.kernels],
        "versions": versions(),
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _code() -> str:
    """Return the hash of the code that loads and describes models, so that changes of it invalidate the cache."""
    digest = hashlib.sha256()
    for file in sorted((PACKAGE / "models").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _facts(model: Adapter) -> Facts:
    image, text = model.image_identity(), model.text_identity()
    assert image is not None and text is not None  # only a model passed from Python has none
    properties = {
        name: getattr(model, name) for name in ("logit_scale", "logit_bias", "path", "batch_size", "overlaps")
    }
    described = {name: value for name, value in model.describe().items() if name != "weights_revision"}
    facts = Facts(image=image, text=text, described=described, **properties)  # another file may have the same bytes
    return Facts.model_validate_json(facts.model_dump_json())  # tuples become lists, as in the cache


def _read(path: Path) -> Facts | None:
    with contextlib.suppress(ValidationError):
        return Facts.model_validate_json(json.dumps(checked_json.read(path)))
    return None
