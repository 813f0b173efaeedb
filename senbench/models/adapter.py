"""The adapter interface: sealed encoding around the few hooks a family overrides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from senbench.errors import ContractError, UsageError
from senbench.models import card_files
from senbench.models.preprocess.device import fit_batch, fit_dn_batch
from senbench.models.preprocess.host import fit, fit_dn
from senbench.models.transfer import download, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype, PixelPath


class TextEncoder(ABC):
    """What encodes texts: all of a text tower, or that half of an adapter.

    Attributes:
        card: The contract.
        device: torch device the weights are on.
        dtype: Precision of the encoders.
    """

    card: ModelCard
    device: torch.device
    dtype: Dtype
    causal_text: bool = False
    """True if tokens after the end of text cannot change the embedding, so that batches may be cut there."""

    @final
    def encode_texts(
        self,
        texts: Sequence[str],
        *,
        normalize: bool = True,
        batch_size: int = 64,
        advance: Callable[[int], None] | None = None,
    ) -> NDArray[np.float32]:
        """Embeddings of texts, sorted by length inside, returned in the given order.

        Where the text tower is causal a batch is cut at its longest end of text, which is exact and
        several times faster on short prompts.

        Args:
            texts: P texts.
            normalize: Unit rows; False: raw rows, which the rule `mean-norm` averages.
            batch_size: Texts per batch.
            advance: Called with the number of texts done after each batch.

        Returns:
            float32 (P, D), rows of unit length unless `normalize` is False.
        """
        import torch

        if len(texts) == 0:
            return np.zeros((0, self.card.embed_dim), np.float32)
        tokens, lengths = self._tokenize(list(texts))
        order = np.argsort(lengths, kind="stable")
        rows = np.empty((len(texts), self.card.embed_dim), np.float32)
        with torch.inference_mode(), _products(self.dtype):
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                length = int(lengths[chosen].max()) if self.causal_text else tokens.shape[1]
                batch = torch.from_numpy(tokens[chosen, :length]).to(self.device)
                rows[chosen] = _finite(_rows(self._encode_token_batch(batch), normalize).cpu().numpy())
                if advance is not None:
                    advance(len(chosen))
        return rows

    @abstractmethod
    def _tokenize(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Tokens int64 (P, L) padded to the context, and the length of each up to its end of text."""

    @abstractmethod
    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        """Text features (B, D) of tokens (B, L) on the device."""


class Adapter(TextEncoder):
    """One loaded checkpoint: raw tiles or texts in, unit-length float32 rows out.

    A family implements `_tokenize`, `_encode_image_batch` and `_encode_token_batch`; everything that a
    subclass could forget (preprocessing, normalisation, order, dtype) happens here.

    Attributes:
        card: The contract.
        weights_sha256: Hash of the loaded file.
        device: torch device the model is on.
        dtype: Precision of the encoders.
        preprocess: The preprocessing in force: the card's, unless a protocol replaces it.
        logit_scale: Native multiplier of the cosine, None if there is none.
        logit_bias: Native bias of sigmoid models, None if there is none.
    """

    weights_sha256: str
    preprocess: Preprocess
    logit_scale: float | None
    logit_bias: float | None
    live: bool = False
    """True for an object passed from Python, whose weights may have changed since the file was read."""
    exact: bool | None = None
    """True: PIL itself resizes, on the host; False: the device does; None: the device if it is not the CPU."""
    convolutional: bool = False
    """True if the image tower is a ResNet."""
    channels_last: bool = False
    """True if the image tower wants pixels that lie channel by channel in memory, as convolutions on CUDA do."""

    @final
    def prepare(self, tile: NDArray[Any]) -> NDArray[Any]:
        """One raw tile to what is moved to the device; thread-safe, on the host.

        That is the model's input size, unless the device resizes (`path`) and the raw tile is the smaller one.

        Args:
            tile: The card's bands in its order: uint8 (H, W, C), or uint16 digital numbers for unit `dn`.

        Returns:
            uint8 (R, R, C), or float32 (R, R, C) in DN; or the tile itself.

        Raises:
            UsageError: Another type, or another number of bands.
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
        """Embeddings of tiles that `prepare` returned.

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
        """Start what `encode_prepared` does; on CUDA the device goes on while the host does something else.

        Args:
            batch: B tiles of one size and type.

        Returns:
            Waits for the embeddings and gives them, float32 (B, D), rows of unit length.

        Raises:
            ContractError: Mean and standard deviation are not one per band.
        """
        import torch

        how, n = self.preprocess, len(self.card.bands)
        if not len(how.mean) == len(how.std) == n:  # torch would stretch a single value over all bands
            raise ContractError(
                f"card {self.card.id} has {n} bands, but {len(how.mean)} means and {len(how.std)} standard deviations"
            )
        with torch.inference_mode():
            return self._embedded(self._fitted(upload(batch, self.device)))

    @final
    def _fitted(self, tiles: torch.Tensor) -> torch.Tensor:
        """Prepared tiles on the device, (B, H, W, C), at the model's input size: uint8, or float32 in DN."""
        import torch

        if tiles.dtype == torch.uint8:
            return fit_batch(tiles, self.preprocess)
        if tiles.dtype == torch.uint16:
            return fit_dn_batch(tiles.to(torch.float32), self.preprocess)
        return tiles

    @final
    def _embedded(self, tiles: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
        """Start embedding what `_fitted` gives, and writes over it where it is float32; waits for the rows."""
        import torch

        how = self.preprocess
        pixels = tiles.permute(0, 3, 1, 2).to(torch.float32)
        if self.card.unit == "uint8":
            pixels.div_(255)  # mean and std of digital numbers are in DN
        mean, std = _per_band(how.mean, self.device), _per_band(how.std, self.device)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        pixels = pixels.sub_(mean).div_(std).contiguous(memory_format=layout)
        with _products(self.dtype):  # resizing stays float32
            features = self._encode_image_batch(pixels)
        rows = download(_rows(features, normalize=True))
        return lambda: _finite(rows())

    @final
    def encode_images(self, tiles: Sequence[NDArray[Any]] | NDArray[Any]) -> NDArray[np.float32]:
        """Embeddings of raw tiles, preprocessing and normalisation included.

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
            for start in range(0, len(members), 64):
                chosen = members[start : start + 64]
                rows[chosen] = self.encode_prepared([prepared[i] for i in chosen])
        return rows

    @property
    def embed_dim(self) -> int:
        """Dimension of the joint embedding."""
        return self.card.embed_dim

    @property
    def batch_size(self) -> int:
        """Images per batch: small on a CPU, where larger ones gain nothing; by model size on CUDA.

        The first layers of CLIP's ResNets give 3.2 MB an image: eight stay below the 32 MB from which on glibc takes
        fresh memory from the system for every layer.
        """
        if self.device.type != "cuda":
            if self.card.parameters <= 20e6:
                return 256
            return 8 if self.convolutional else 32
        if self.card.unit == "dn":
            return 128  # prepared tiles are 13 times larger than RGB, and several batches wait on the host
        return 1024 if self.card.parameters < 200e6 else 256

    @property
    def path(self) -> PixelPath:
        """Where tiles are resized: `exact`, by PIL on the host, or `device`."""
        exact = self.device.type == "cpu" if self.exact is None else self.exact
        return "exact" if exact else "device"

    @property
    def overlaps(self) -> bool:
        """True if the host is free after `begin`, so that the next batch is worth beginning before this one is done."""
        return self.device.type == "cuda"

    def image_identity(self) -> dict[str, Any] | None:
        """Everything but the pixels that determines an image embedding: a cache key."""
        if self.live:
            return None
        sees: dict[str, Any] = {"bands": self.card.bands, "unit": self.card.unit, "level": self.card.level}
        if self.channels_last:  # other kernels, other last bits
            sees["layout"] = "channels_last"
        return {**self._identity(), **sees, "preprocess": self.preprocess.model_dump(), "path": self.path}

    def text_identity(self) -> dict[str, Any] | None:
        """Everything but the text that determines a text embedding: a cache key."""
        card = self.card
        if self.live:
            return None
        return {**self._identity(), "tokenizer": card.tokenizer, "context_length": card.context_length}

    def _identity(self) -> dict[str, Any]:
        return {
            "weights": self.weights_sha256,
            "model": self.card.id,
            "architecture": self.card.architecture,
            "activation": self.card.activation,
            "dtype": self.dtype,
            "device": self.device.type,
        }

    def describe(self) -> dict[str, Any]:
        """The card with the hash of the loaded file, as results record it."""
        known = None if self.live else self.weights_sha256
        return {**card_files.portable(self.card), "weights_sha256": known}

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Texts that do not fit the context and lose their end."""
        return []

    @abstractmethod
    def _encode_image_batch(self, pixels: torch.Tensor) -> torch.Tensor:
        """Image features (B, D) of normalised float32 pixels (B, C, R, R) on the device."""


def torch_dtype(dtype: Dtype) -> torch.dtype:
    """What weights of a precision are stored in."""
    import torch

    return {"float32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]


@contextmanager
def _products(dtype: Dtype) -> Iterator[None]:
    """Whether CUDA may multiply float32 in TF32, for the calls inside; cuDNN would for convolutions, unasked."""
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
    """float32 (1, C, 1, 1); kept there, since a copy waits for all that the device still has to do."""
    import torch

    return torch.tensor(values, device=device).view(1, -1, 1, 1)


def _rows(features: torch.Tensor, normalize: bool) -> torch.Tensor:
    import torch

    rows = features.float()
    return torch.nn.functional.normalize(rows, dim=-1) if normalize else rows


def _finite(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(rows).all():
        raise UsageError(
            "the model returned values that are not finite; low precision may overflow: try --dtype float32"
        )
    return rows
