"""A checkpoint file with its card and the settings for loading it, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from senbench.io import receipt
from senbench.models.checkpoints import fetch

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.runtime.access import Access
    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype, KernelChoice, PixelPath


@dataclass(frozen=True)
class Checkpoint:
    """An identified checkpoint file with its card and the settings for loading it.

    Attributes:
        card: The contract.
        file: The file.
        digest: Its sha256, hex.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        dtype: Precision of the encoders; float32 is canonical.
        preprocess: Replaces the card's preprocessing (a protocol's choice).
        path: Where tiles are resized; None for the device unless that is the CPU.
        kernels: Kernels for matrix products on a CPU (`kernels.py`).
        revision: Commit or ETag at which the file was downloaded; None if not downloaded, or unknown.
    """

    card: ModelCard
    file: Path
    digest: str
    device: str = "auto"
    dtype: Dtype = "float32"
    preprocess: Preprocess | None = None
    path: PixelPath | None = None
    kernels: KernelChoice = "auto"
    revision: str | None = None

    @classmethod
    def of(
        cls, card: ModelCard, access: Access, *, preprocess: Preprocess | None = None, path: PixelPath | None = None
    ) -> Checkpoint:
        """Return the identified checkpoint of a card, downloading it if necessary.

        Args:
            card: The contract.
            access: Location of the file, whether to download it or to accept a changed one, device, dtype and kernels.
            preprocess: See the attribute.
            path: See the attribute.

        Raises:
            UsageError: The user's file does not exist.
            ContractError: The file does not belong to the card, or changed since it was first used.
            UnavailableError: A file is damaged, or missing and cannot be downloaded.
        """
        file = fetch.locate(card, access)
        digest = fetch.identify(card, file, accept_new=access.accept_new_weights)
        revision = receipt.revision(file, digest)
        return cls(card, file, digest, access.device, access.dtype, preprocess, path, access.kernels, revision)

    @property
    def preprocessing(self) -> Preprocess:
        """Return the resolved preprocessing."""
        return self.preprocess or self.card.preprocess
