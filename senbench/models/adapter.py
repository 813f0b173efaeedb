"""The adapter interface: final encoding methods around the few hooks that a model family overrides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from senbench.errors import ContractError, UsageError
from senbench.models import architectures, batch_size, card_files, contract, devices, kernels
from senbench.models.checkpoints import fetch, state_dict, values
from senbench.models.preprocess.device import fit_batch, fit_dn_batch
from senbench.models.preprocess.host import fit, fit_dn
from senbench.models.transfer import download, upload
from senbench.runtime import forked, memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch
    from numpy.typing import NDArray

    from senbench.models.checkpoints.checkpoint import Checkpoint
    from senbench.models.encoder import Tokenizer
    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype, Kernels, PixelPath


class Adapter(ABC):
    """A loaded checkpoint, which turns raw tiles or texts into unit-length float32 rows.

    A family implements `_build`, `_encode_image_batch` and `_encode_token_batch`, and overrides `_released_keys` and
    `_own_state` if its files have another layout than its model. Everything that a subclass could forget (the
    contract, preprocessing, normalisation, order, dtype) is done here.

    Attributes:
        card: The contract.
        device: torch device of the weights.
        dtype: Precision of the encoders.
        kernels: Kernels for matrix products on a CPU.
        model: The module with both towers.
        weights_sha256: Hash of the loaded file.
        weights_revision: Commit or ETag at which the file was downloaded; None if unknown.
        companions_sha256: Hash of each companion file.
        preprocess: The resolved preprocessing: the card's, unless a protocol replaces it.
        pixel_path: Where tiles are resized; None for the device unless that is the CPU.
        logit_scale: Native multiplier of the cosine, None if there is none.
        logit_bias: Native bias of sigmoid models, None if there is none.
        live: True for a model passed from Python, whose weights may have changed since the file was read.
        convolutional: True if the image tower is a ResNet.
        channels_last: True if the image tower uses the memory format `channels_last`, as convolutions on CUDA prefer.
        causal_text: True if tokens after the end of text cannot change the embedding, so that batches may be cut there.
        warnings: Caveats about its figures.
    """

    card: ModelCard
    device: torch.device
    dtype: Dtype
    kernels: Kernels = "torch"
    model: Any  # torch types the attributes of its modules as tensors or modules, which cannot be called
    weights_sha256: str
    weights_revision: str | None = None
    companions_sha256: Mapping[str, str] = MappingProxyType({})
    preprocess: Preprocess
    pixel_path: PixelPath | None = None
    logit_scale: float | None
    logit_bias: float | None
    live: bool = False
    convolutional: bool = False
    channels_last: bool = False
    causal_text: bool = False
    warnings: tuple[str, ...] = ()
    _tokenizer: Tokenizer

    @final
    @classmethod
    def load(cls, checkpoint: Checkpoint) -> Self:
        """Load a checkpoint, checking it against its card at every step.

        Args:
            checkpoint: The file, its card and the settings.

        Returns:
            The adapter, ready to encode.

        Raises:
            UsageError: The device name is unknown.
            ContractError: Card, architecture, release and files contradict each other.
            UnavailableError: A file is damaged or missing, or the device does not exist.
        """
        adapter = cls._built(checkpoint)
        adapter._take(adapter._state, checkpoint)
        adapter.convolutional = architectures.convolutional(adapter.model)
        if adapter.device.type == "cuda":
            adapter._by_channel()
        return adapter

    @final
    @classmethod
    def load_texts(cls, checkpoint: Checkpoint) -> Self:
        """Load the text tower alone; it encodes no images.

        Args:
            checkpoint: As in `load`; its complete file was checked against the card before.

        Raises:
            UsageError: As `load`.
            ContractError: As `load`.
            UnavailableError: As `load`.
        """
        adapter = cls._built(checkpoint)
        architectures.drop_images(adapter.model)
        adapter._take(adapter._text_state, checkpoint)
        return adapter

    @final
    @classmethod
    def file_keys(cls, checkpoint: Checkpoint) -> dict[str, list[int]]:
        """Return keys and shapes expected in a card's checkpoint file, without reading it.

        Args:
            checkpoint: As in `load`.

        Raises:
            ContractError: Card and architecture contradict each other.
            UnavailableError: A companion file is damaged or missing.
        """
        adapter = cls._built(checkpoint)
        return adapter._released_keys(architectures.shapes(adapter.model))

    @classmethod
    def _built(cls, checkpoint: Checkpoint) -> Self:
        """Return the adapter of a model without weights."""
        forked.refuse()
        adapter, card = cls(), checkpoint.card
        adapter.card, adapter.dtype, adapter.weights_sha256 = card, checkpoint.dtype, checkpoint.digest
        adapter.weights_revision = checkpoint.revision
        adapter.preprocess, adapter.pixel_path = checkpoint.preprocessing, checkpoint.path
        adapter.device = devices.pick_device(checkpoint.device)
        contract.check_release(card)
        adapter.model = adapter._build(card)
        adapter.kernels = kernels.chosen(checkpoint, adapter.model)
        adapter.companions_sha256 = fetch.companion_hashes(card)
        return adapter

    @abstractmethod
    def _build(self, card: ModelCard) -> torch.nn.Module:
        """Build the model of a card with parameters on the meta device; set `_tokenizer` and `causal_text`."""

    def _released_keys(self, keys: dict[str, list[int]]) -> dict[str, list[int]]:
        """Return keys and shapes of the released file, from those of the model."""
        return keys

    def _own_state(self, state: dict[str, torch.Tensor], checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Convert the state dict of the file to that of the model."""
        return state

    def _state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Return the state dict of the whole model, checked against card and architecture; set scale and bias."""
        keys, card = self._released_keys(architectures.shapes(self.model)), self.card
        contract.check_layout(card, keys)
        state = self._own_state(state_dict.read(checkpoint, shapes=keys), checkpoint)
        # read before the model is cast, because bf16 would round CLIP's 100 to 98.9
        scale, bias = card.logit_scale, card.logit_bias
        if scale == "checkpoint":
            self.logit_scale = values.logit_scale(state["logit_scale"], checkpoint.file.name)
        else:
            self.logit_scale = scale
        self.logit_bias = float(state["logit_bias"]) if bias == "checkpoint" else bias
        return state

    def _text_state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Return the state dict of the text tower, the only remaining part of the model."""
        keys = self._released_keys(architectures.shapes(self.model))
        return self._own_state(state_dict.read(checkpoint, part=keys), checkpoint)

    def _take(self, read: Callable[[Checkpoint], dict[str, torch.Tensor]], checkpoint: Checkpoint) -> None:
        """Load the state dict into the model, and install the kernels."""
        with memory.reading_weights() if self.device.type == "cpu" else nullcontext():
            architectures.fill(self.model, read(checkpoint))
            self.model.to(device=self.device, dtype=torch_dtype(self.dtype))
        if self.kernels == "onednn":
            from senbench.models import onednn

            onednn.use(self.model)

    def _by_channel(self) -> None:
        """Convert a ResNet to the memory format of CUDA's convolutions; on a CPU rows would change by 7e-6."""
        import torch

        self.channels_last = self.convolutional
        if self.channels_last:
            self.model.visual.to(memory_format=torch.channels_last)

    @final
    def prepare(self, tile: NDArray[Any]) -> NDArray[Any]:
        """Prepare one raw tile for the device; thread-safe, on the host.

        The tile is resized to the model's input size, unless the device resizes (`path`) and the raw tile is smaller.

        Args:
            tile: The card's bands in its order: uint8 (H, W, C), or uint16 digital numbers for unit `dn`.

        Returns:
            uint8 (R, R, C), or float32 (R, R, C) in DN; or the tile itself.

        Raises:
            UsageError: The tile has another dtype or number of bands.
        """
        card = self.card
        kind = np.uint16 if card.unit == "dn" else np.uint8
        if tile.dtype != kind or tile.ndim != 3 or tile.shape[2] != len(card.bands):
            raise UsageError(
                f"model {card.id} takes {kind.__name__} tiles (H, W, {len(card.bands)}) with bands "
                f"{', '.join(card.bands)}, got {tile.dtype} {tile.shape}"
            )
        if self.path == "device" and max(tile.shape[:2]) <= self.preprocess.resolution:
            return tile
        return fit_dn(tile, self.preprocess) if card.unit == "dn" else fit(tile, self.preprocess)

    @final
    def encode_prepared(self, batch: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Embed tiles returned by `prepare`.

        Args:
            batch: B tiles of one size and type.

        Returns:
            float32 (B, D), rows of unit length.

        Raises:
            ContractError: Mean and standard deviation are not one per band.
        """
        return self.begin(batch)()

    @final
    def begin(self, batch: Sequence[NDArray[Any]]) -> Callable[[], NDArray[np.float32]]:
        """Start `encode_prepared`; on CUDA the device computes while the host does something else.

        Args:
            batch: B tiles of one size and type.

        Returns:
            A function that waits for the embeddings and returns them, float32 (B, D), rows of unit length.

        Raises:
            ContractError: Mean and standard deviation are not one per band.
        """
        import torch

        forked.refuse()
        preprocess, n = self.preprocess, len(self.card.bands)
        if not len(preprocess.mean) == len(preprocess.std) == n:  # torch would broadcast a single value over all bands
            raise ContractError(
                f"card {self.card.id} has {n} bands, but {len(preprocess.mean)} means and "
                f"{len(preprocess.std)} standard deviations"
            )
        with torch.inference_mode():
            return self._embedded(self._fitted(upload(batch, self.device)))

    @final
    def _fitted(self, tiles: torch.Tensor) -> torch.Tensor:
        """Bring prepared tiles on the device, (B, H, W, C), to the model's input size: uint8, or float32 in DN."""
        import torch

        if tiles.dtype == torch.uint8:
            return fit_batch(tiles, self.preprocess)
        if tiles.dtype == torch.uint16:
            return fit_dn_batch(tiles.to(torch.float32), self.preprocess)
        return tiles

    @final
    def _embedded(self, tiles: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
        """Start embedding the result of `_fitted`, which is overwritten if float32; return a function that waits."""
        import torch

        preprocess = self.preprocess
        pixels = tiles.permute(0, 3, 1, 2).to(torch.float32)
        if self.card.unit == "uint8":
            pixels.div_(255)  # mean and std of digital numbers are in DN
        mean, std = _per_band(preprocess.mean, self.device), _per_band(preprocess.std, self.device)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        pixels = pixels.sub_(mean).div_(std).contiguous(memory_format=layout)
        with _products(self.dtype):  # resizing stays float32
            features = self._encode_image_batch(pixels)
        rows = download(torch.nn.functional.normalize(features.float(), dim=-1))
        return lambda: _finite(rows(), self.dtype)

    @final
    def encode_images(self, tiles: Sequence[NDArray[Any]] | NDArray[Any]) -> NDArray[np.float32]:
        """Embed raw tiles, including preprocessing and normalisation.

        Args:
            tiles: Tiles (H, W, C) as `prepare` takes them, as an array (N, H, W, C) or a sequence of any sizes.

        Returns:
            float32 (N, D), rows of unit length.
        """
        if len(tiles) == 0:
            return np.zeros((0, self.card.embed_dim), np.float32)
        prepared = [self.prepare(tile) for tile in tiles]
        alike: dict[Any, list[int]] = {}
        for i, tile in enumerate(prepared):
            alike.setdefault((tile.shape, tile.dtype), []).append(i)
        rows = np.empty((len(prepared), self.card.embed_dim), np.float32)
        for members in alike.values():
            size = min(self.batch_size, 64)
            for start in range(0, len(members), size):
                chosen = members[start : start + size]
                rows[chosen] = self.encode_prepared([prepared[i] for i in chosen])
        return rows

    @final
    def encode_texts(
        self,
        texts: Sequence[str],
        *,
        normalize: bool = True,
        batch_size: int = 64,
        advance: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Embed texts; they are sorted by length internally, and returned in the order passed.

        If the text tower is causal, a batch is cut at its longest end of text, which is exact and several times
        faster for short prompts.

        Args:
            texts: P texts.
            normalize: Whether to return unit rows; the rule `mean-norm` averages raw rows.
            batch_size: Texts per batch.
            advance: Called with the number of texts done after each batch.

        Returns:
            float32 (P, D), rows of unit length unless `normalize` is False.
        """
        import torch

        if len(texts) == 0:
            return np.zeros((0, self.card.embed_dim), np.float32)
        forked.refuse()
        tokens, lengths = self._tokenize(list(texts))
        order = np.argsort(lengths, kind="stable")
        rows = np.empty((len(texts), self.card.embed_dim), np.float32)
        with torch.inference_mode(), _products(self.dtype):
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                length = int(lengths[chosen].max()) if self.causal_text else tokens.shape[1]
                batch = torch.from_numpy(tokens[chosen, :length]).to(self.device)
                features = self._encode_token_batch(batch).float()
                if normalize:
                    features = torch.nn.functional.normalize(features, dim=-1)
                rows[chosen] = _finite(features.cpu().numpy(), self.dtype)
                if advance is not None:
                    advance(len(chosen))
        return rows

    def _tokenize(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return tokens int64 (P, L) padded to the context, and the length of each text up to its end."""
        tokens = self._tokenizer.tokenize(texts)
        if not self.causal_text:
            return tokens, np.full(len(tokens), tokens.shape[1])
        return tokens, tokens.argmax(axis=1) + 1  # the end of text is the token with the highest id

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Return the texts that are truncated to the context."""
        return [text for text in texts if self._tokenizer.count(text) > self.card.context_length]

    def tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the tokens of texts as the text tower reads them, truncated and padded, int64 (P, L)."""
        return self._tokenizer.tokenize(list(texts))

    @property
    def embed_dim(self) -> int:
        """Return the dimension of the joint embedding."""
        return self.card.embed_dim

    @property
    def batch_size(self) -> int:
        """Return images per batch when none is given."""
        return batch_size.chosen(self.card, self.model, self.device.type, convolutional=self.convolutional)

    @property
    def path(self) -> PixelPath:
        """Return where tiles are resized: `exact`, by PIL on the host, or `device`."""
        return self.pixel_path or devices.pixel_path(self.device.type)

    @property
    def overlaps(self) -> bool:
        """Return whether the host is free after `begin`, so that the next batch can be started before this one ends."""
        return self.device.type == "cuda"

    def image_identity(self) -> dict[str, Any] | None:
        """Return everything except the pixels that determines an image embedding, for the cache key."""
        if self.live:
            return None
        sees: dict[str, Any] = {"bands": self.card.bands, "unit": self.card.unit, "level": self.card.level}
        if self.channels_last:  # other kernels give other last bits
            sees["layout"] = "channels_last"
        return {**self._identity(), **sees, "preprocess": self.preprocess.model_dump(), "path": self.path}

    def text_identity(self) -> dict[str, Any] | None:
        """Return everything except the text that determines a text embedding, for the cache key."""
        if self.live:
            return None
        known = {"tokenizer": self.card.tokenizer, "context_length": self.card.context_length}
        return {**self._identity(), **known, **self._companions("companions")}

    def _identity(self) -> dict[str, Any]:
        return {
            "weights": self.weights_sha256,
            "model": self.card.id,
            "architecture": self.card.architecture,
            "activation": self.card.activation,
            "dtype": self.dtype,
            "device": self.device.type,
            **kernels.identity(self.kernels),
        }

    def describe(self) -> dict[str, Any]:
        """Return the card with the hashes of the loaded files, as recorded in results."""
        known = None if self.live else self.weights_sha256
        fetched = {"weights_revision": self.weights_revision} if self.weights_revision and not self.live else {}
        of_files = {"weights_sha256": known, **fetched, **self._described(), **self._companions("companions_sha256")}
        return {**card_files.portable(self.card), **of_files}

    def _described(self) -> dict[str, Any]:
        """Return what a model family records in addition to the hash of the file."""
        return {}

    def _companions(self, name: str) -> dict[str, dict[str, str]]:
        return {name: dict(self.companions_sha256)} if self.companions_sha256 else {}

    def otherwise(
        self, *, dtype: Dtype | None = None, path: PixelPath | None = None, kernels: Kernels | None = None
    ) -> Adapter | None:
        """Return None, since an adapter passed from Python cannot be loaded again."""
        return None

    @abstractmethod
    def _encode_image_batch(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return image features (B, D) of normalised float32 pixels (B, C, R, R) on the device."""

    @abstractmethod
    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return text features (B, D) of tokens (B, L) on the device."""


def torch_dtype(dtype: Dtype) -> torch.dtype:
    """Return the torch dtype of weights in a precision."""
    import torch

    return {"float32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]


@contextmanager
def _products(dtype: Dtype) -> Iterator[None]:
    """Allow or forbid TF32 for float32 products in this context; by default cuDNN uses it for convolutions."""
    import torch

    switches: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = dtype == "tf32"
        yield
    finally:
        for switch, was in zip(switches, before, strict=True):
            switch.allow_tf32 = was


@lru_cache(maxsize=32)
def _per_band(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """Return float32 (1, C, 1, 1) on the device; cached, since a copy waits for all pending work of the device."""
    import torch

    return torch.tensor(values, device=device).view(1, -1, 1, 1)


def _finite(rows: NDArray[np.float32], dtype: Dtype) -> NDArray[np.float32]:
    if not np.isfinite(rows).all():
        low = "low precision may overflow: try --dtype float32"
        do = low if dtype in ("bf16", "fp16") else "`senbench models verify` looks at the file"
        raise UsageError(f"the model returned values that are not finite in {dtype}; {do}")
    return rows
