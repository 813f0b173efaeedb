"""A checkpoint file under its card, and the settings it is loaded with, as one value."""

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
    """A checkpoint file under its card, identified, and the settings it is loaded with.

    Attributes:
        card: The contract.
        file: The file.
        digest: Its sha256, hex.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        dtype: Precision of the encoders; float32 is canonical.
        preprocess: Replaces the card's preprocessing (a protocol's choice).
        path: Where tiles are resized; None: on the device if that is not the CPU.
        kernels: Kernels that multiply on a CPU (`kernels.py`).
        revision: Commit or ETag that the file was fetched at; None: it was not fetched, or that is not known.
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
        """The checkpoint of a card, fetched if need be and identified.

        Args:
            card: The contract.
            access: Where the file is, whether one may be fetched or a changed one used, device, dtype and kernels.
            preprocess: As the attribute.
            path: As the attribute.

        Raises:
            UsageError: The user's file does not exist.
            ContractError: The file is not one that the card may have, or changed since it was first used.
            UnavailableError: A file is not here and cannot be fetched, or is damaged.
        """
        file = fetch.locate(card, access)
        digest = fetch.identify(card, file, accept_new=access.accept_new_weights)
        revision = receipt.revision(file, digest)
        return cls(card, file, digest, access.device, access.dtype, preprocess, path, access.kernels, revision)

    @property
    def preprocessing(self) -> Preprocess:
        """The preprocessing in force."""
        return self.preprocess or self.card.preprocess
