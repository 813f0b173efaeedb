"""A model that is loaded only when something must be encoded; all else that a run asks it is remembered."""

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
"""Beside the embeddings in the cache folder: what is remembered of models."""


class Facts(Record):
    """What a loaded model says of itself, and a run with cached embeddings needs."""

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
    """Images per batch where none is asked for."""
    overlaps: bool
    """As `Adapter.overlaps`."""


class LazyModel:
    """A checkpoint under its card, as the engine and a run need it (`Encoder`).

    What the loaded model would say of itself is a function of card, file, settings and versions; it is kept under
    the hash of these. Where it is known, neither torch nor the checkpoint is read before something must be encoded.

    Attributes:
        card: The contract.
        preprocess: The preprocessing in force.
        dtype: Precision of the encoders.
        kernels: Kernels that multiply on a CPU; they are timed where nobody has before.
    """

    warnings: tuple[str, ...] = ()

    def __init__(
        self, checkpoint: Checkpoint, cache: Path | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """Find what is known of the model; load it if that is nothing.

        Args:
            checkpoint: The file, its card and the settings.
            cache: Cache folder; None: nothing is remembered.
            say: Told when the model is loaded.

        Raises:
            ContractError: File and card contradict each other.
            UnavailableError: The file is damaged, files beside it are missing, or the device is not there.
        """
        self._cache, self._say = cache, say
        self._checkpoint = replace(checkpoint, kernels=kernels.known(checkpoint) or "auto")
        self.card, self.preprocess, self.dtype = checkpoint.card, checkpoint.preprocessing, checkpoint.dtype
        self._own = self.card.adapter.startswith("senbench.")
        # what a plug-in's class says may change with code that is not looked at here
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
        """The same model with other kernels."""
        return LazyModel(replace(self._checkpoint, kernels=kernels), self._cache, self._say)

    @property
    def of_senbench(self) -> bool:
        """False where a plug-in's class loads the model."""
        return self._own

    @cached_property
    def model(self) -> Adapter:
        """The loaded model."""
        self._say(f"loading {self.card.title}")
        self.__dict__.pop("_texts", None)  # its tensors are held once
        return load.from_file(self._checkpoint)

    @cached_property
    def _texts(self) -> TextEncoder:
        """What encodes texts: the model where it is loaded, else its text tower alone; their rows are the same."""
        if not self._own or "model" in self.__dict__:
            return self.model
        self._say(f"loading the text tower of {self.card.title}")
        return load.texts_from_file(self._checkpoint)

    def otherwise(
        self, *, dtype: Dtype | None = None, path: PixelPath | None = None, kernels: Kernels | None = None
    ) -> Adapter:
        """The same checkpoint in another precision or with other kernels, loaded anew, or with tiles resized elsewhere.

        Args:
            dtype: Precision; None: as here.
            path: Where tiles are resized; None: as here.
            kernels: Kernels; None: as here.
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
        """The device that the model is on, or the type of the one that its embeddings were made on."""
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
    """The model of a card under the settings of a run; its file is fetched if need be, and identified.

    Args:
        card: The contract.
        access: Weights, device, dtype and cache, and whether a file may be fetched.
        preprocess: Replaces the card's preprocessing.
        path: Where tiles are resized; None: chosen by the device.
        say: Told when the model is loaded.

    Raises:
        ContractError: As `Checkpoint.of` and `LazyModel`.
        UnavailableError: The same.
    """
    return LazyModel(Checkpoint.of(card, access, preprocess=preprocess, path=path), access.cache, say)


def _key(checkpoint: Checkpoint) -> str:
    """Hash of all that decides what a loaded model says of itself."""
    card, architecture = checkpoint.card, Path(checkpoint.card.architecture)
    own = architecture.suffix == ".json" and architecture.is_file()
    device = devices.kind(checkpoint.device)
    settings = {
        "card": card.model_dump(mode="json"),
        "weights": checkpoint.digest,
        "companions": fetch.companion_hashes(card),
        "vocabulary": tokenizers.vocabulary_sha256(card),
        "architecture": hashlib.sha256(architecture.read_bytes()).hexdigest() if own else None,
        "preprocess": checkpoint.preprocessing.model_dump(mode="json"),
        "settings": [device, checkpoint.dtype, checkpoint.path or pixel_path(device), checkpoint.kernels],
        "versions": versions(),
        "code": _code(),
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _code() -> str:
    """Hash of the code that loads models and says what they are: a change of it forgets what was remembered."""
    digest = hashlib.sha256()
    for file in sorted((PACKAGE / "models").rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _facts(model: Adapter) -> Facts:
    image, text = model.image_identity(), model.text_identity()
    assert image is not None and text is not None  # only an object passed from Python has none
    told = {name: getattr(model, name) for name in ("logit_scale", "logit_bias", "path", "batch_size", "overlaps")}
    described = {name: value for name, value in model.describe().items() if name != "weights_revision"}
    found = Facts(image=image, text=text, described=described, **told)  # the same bytes may come from elsewhere
    return Facts.model_validate_json(found.model_dump_json())  # tuples are lists from the start, as when remembered


def _read(path: Path) -> Facts | None:
    with contextlib.suppress(ValidationError):
        return Facts.model_validate_json(json.dumps(checked_json.read(path)))
    return None
