"""A model that is loaded only when something must be encoded; all else that a run asks it is remembered."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import sys
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from senbench.io import checked_json
from senbench.models import load, tokenizers
from senbench.models.checkpoints import companions, fetch
from senbench.runtime.environment import versions
from senbench.runtime.paths import PACKAGE, home
from senbench.schema.record import Record
from senbench.schema.terms import PixelPath

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from senbench.models.adapter import Adapter, TextEncoder
    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.run_spec import RunSpec
    from senbench.schema.terms import Dtype

FOLDER = "models"
"""Beside the embeddings in the cache folder: what is remembered of models."""
GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""What Linux has where there is a device that torch could use as CUDA."""


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


class Deferred:
    """A checkpoint under its card, as the engine and a run need it (`Encoder`).

    What the loaded model would say of itself is a function of card, file, settings and versions; it is kept under
    the hash of these. Where it is known, neither torch nor the checkpoint is read before something must be encoded.

    Attributes:
        card: The contract.
        preprocess: The preprocessing in force.
        dtype: Precision of the encoders.
    """

    def __init__(
        self,
        card: ModelCard,
        path: Path,
        digest: str,
        *,
        device: str,
        dtype: Dtype,
        preprocess: Preprocess,
        exact: bool | None,
        cache: Path | None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Find what is known of the model; load it if that is nothing.

        Args:
            card: The contract.
            path: Its checkpoint, identified.
            digest: sha256 of it.
            device: Device by name, `auto` included.
            dtype: Precision of the encoders.
            preprocess: The preprocessing in force.
            exact: As `Adapter.exact`.
            cache: Cache folder; None: nothing is remembered.
            say: Told when the model is loaded.

        Raises:
            ContractError: File and card contradict each other.
            UnavailableError: The file is damaged, files beside it are missing, or the device is not there.
        """
        self.card, self.preprocess, self.dtype = card, preprocess, dtype
        self._own = card.adapter.startswith("senbench.")
        self._source = (path, digest, device, exact, say)
        # what a plug-in's class says may change with code that is not looked at here
        remembers = cache if self._own else None
        about = remembers and remembers / FOLDER / f"{self._key(digest, kind(device), exact)}.json"
        known = None if about is None else _read(about)
        if known is None:
            known = _facts(self.model)
            if about is not None:
                checked_json.write(about, known.model_dump(mode="json"))
        self._facts = known
        self.logit_scale, self.logit_bias = known.logit_scale, known.logit_bias
        self.path, self.batch_size, self.overlaps = known.path, known.batch_size, known.overlaps

    @cached_property
    def model(self) -> Adapter:
        """The loaded model."""
        path, digest, device, exact, say = self._source
        say(f"loading {self.card.title}")
        self.__dict__.pop("_texts", None)  # its tensors are held once
        adapter = load.from_file(self.card, path, digest, device=device, dtype=self.dtype, preprocess=self.preprocess)
        adapter.exact = exact
        return adapter

    @cached_property
    def _texts(self) -> TextEncoder:
        """What encodes texts: the model where it is loaded, else its text tower alone; their rows are the same."""
        if not self._own or "model" in self.__dict__:
            return self.model
        path, digest, device, _, say = self._source
        say(f"loading the text tower of {self.card.title}")
        return load.texts_from_file(self.card, path, digest, device=device, dtype=self.dtype)

    def otherwise(self, *, dtype: Dtype | None = None, exact: bool | None = None) -> Adapter:
        """The same checkpoint in another precision, or with tiles resized elsewhere; another precision is loaded anew.

        Args:
            dtype: Precision; None: as here.
            exact: As `Adapter.exact`; None: as here.
        """
        path, digest, device, own, _ = self._source
        if dtype is None:
            adapter = copy.copy(self.model)
        else:
            adapter = load.from_file(self.card, path, digest, device=device, dtype=dtype, preprocess=self.preprocess)
        adapter.exact = own if exact is None else exact
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
        return self._facts.described

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

    def _key(self, digest: str, device: str, exact: bool | None) -> str:
        card = self.card
        architecture = Path(card.architecture)
        own = architecture if architecture.suffix == ".json" and architecture.is_file() else None
        settings = {
            "card": card.model_dump(mode="json"),
            "weights": digest,
            "companions": companions.hashes(card),
            "vocabulary": tokenizers.vocabulary_sha256(card),
            "architecture": None if own is None else hashlib.sha256(own.read_bytes()).hexdigest(),
            "preprocess": self.preprocess.model_dump(mode="json"),
            "settings": [device, self.dtype, device == "cpu" if exact is None else exact],  # as `Adapter.path`
            "versions": versions(),
            "code": _code(),
        }
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:32]


def of(
    card: ModelCard,
    spec: RunSpec,
    *,
    preprocess: Preprocess | None = None,
    exact: bool = False,
    device: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Deferred:
    """The model of a card under the settings of a run; its file is fetched if need be, and identified.

    Args:
        card: The contract.
        spec: Weights, device, dtype and cache.
        preprocess: Replaces the card's preprocessing.
        exact: Resize with PIL on the host, whatever the device.
        device: Replaces the run's device.
        say: Told when the model is loaded.

    Raises:
        ContractError: As `files.identify` and `Deferred`.
        UnavailableError: The same.
    """
    path = fetch.locate(card, spec.weights, offline=spec.offline)
    return Deferred(
        card,
        path,
        fetch.identify(card, path, accept_new=spec.accept_new_weights),
        device=device or spec.device,
        dtype=spec.dtype,
        preprocess=preprocess or card.preprocess,
        exact=True if exact else None,
        cache=home() / "cache" if spec.cache else None,
        say=say,
    )


def kind(device: str) -> str:
    """Type of the device of a name, without torch where the name or the machine leaves only the CPU.

    Raises:
        UsageError: No such device name.
        UnavailableError: The device is not on this machine.
    """
    if device == "cpu":
        return "cpu"
    if device == "auto" and sys.platform == "linux" and not any(Path(node).exists() for node in GPU_NODES):
        return "cpu"
    return load.pick_device(device).type


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
    found = Facts(
        image=image,
        text=text,
        described=model.describe(),
        logit_scale=model.logit_scale,
        logit_bias=model.logit_bias,
        path=model.path,
        batch_size=model.batch_size,
        overlaps=model.overlaps,
    )
    return Facts.model_validate_json(found.model_dump_json())  # tuples are lists from the start, as when remembered


def _read(path: Path) -> Facts | None:
    with contextlib.suppress(ValidationError):
        return Facts.model_validate_json(json.dumps(checked_json.read(path)))
    return None
