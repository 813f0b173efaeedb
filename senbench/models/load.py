"""Loads a model by name as an adapter that is ready to encode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import ContractError, UsageError
from senbench.models import devices, registry
from senbench.models.checkpoints import hashes
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.runtime import lookup
from senbench.runtime.access import Access

if TYPE_CHECKING:
    from senbench.models.adapter import Adapter
    from senbench.models.encoder import TextEncoder
    from senbench.schema.model_card import ModelCard
    from senbench.schema.terms import Dtype, KernelChoice


def load(
    model: str | ModelCard,
    *,
    file: str | None = None,
    device: str = "auto",
    dtype: Dtype = "float32",
    kernels: KernelChoice = "auto",
    offline: bool = False,
    accept_new_weights: bool = False,
) -> Adapter:
    """Load a model.

    Args:
        model: A card, or a name as in `registry.find`.
        file: Local checkpoint; None for the released file, downloaded if necessary.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        dtype: Precision of the encoders.
        kernels: Kernels for matrix products on a CPU: `torch` for gradients, or to equal the reference to the last bit.
        offline: Never open a socket.
        accept_new_weights: Accept a file that changed since it was first used.

    Returns:
        The adapter.

    Raises:
        UsageError: The model or device is unknown.
        ContractError: File and card contradict each other.
        UnavailableError: Weights are missing or damaged, or the device does not exist.
    """
    card = registry.find(model, offline=offline) if isinstance(model, str) else model
    access = Access(
        offline=offline,
        weights=file,
        accept_new_weights=accept_new_weights,
        device=device,
        dtype=dtype,
        kernels=kernels,
    )
    return from_file(Checkpoint.of(card, access))


def from_file(checkpoint: Checkpoint) -> Adapter:
    """Load an existing checkpoint whose hash is known.

    Raises:
        ContractError: File and card contradict each other, or the bytes have another hash than the checkpoint's.
        UnavailableError: The file is damaged, or the device does not exist or lacks the precision.
    """
    with hashes.loading(checkpoint.file, checkpoint.digest):
        return _family(checkpoint).load(checkpoint)


def texts_from_file(checkpoint: Checkpoint) -> TextEncoder:
    """Load only the text tower of an existing checkpoint; its rows equal those of the whole model.

    The complete file was checked against its card before.

    Raises:
        ContractError: As `from_file`.
        UnavailableError: As `from_file`.
    """
    with hashes.loading(checkpoint.file, checkpoint.digest):
        return _family(checkpoint).load_texts(checkpoint)


def _family(checkpoint: Checkpoint) -> type[Adapter]:
    """Return the adapter's class, after checking that the device has the precision."""
    import torch

    devices.check_precision(devices.kind(checkpoint.device), checkpoint.dtype)
    # by default cuDNN would run float32 convolutions in TF32 (`Adapter` allows it for `tf32` alone)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return adapter_class(checkpoint.card)


def adapter_class(card: ModelCard) -> type[Adapter]:
    """Return the class that a card names as its adapter.

    Raises:
        ContractError: It is not an adapter class, or cannot be imported.
    """
    from senbench.models.adapter import Adapter

    try:
        family = lookup.resolve(card.adapter, f"card {card.id}: adapter")
    except UsageError as error:
        raise ContractError(str(error)) from error
    if not (isinstance(family, type) and issubclass(family, Adapter)):
        raise ContractError(
            f"card {card.id}: adapter {card.adapter!r} is {type(family).__name__} and not a subclass of "
            "senbench.models.adapter.Adapter; most cards say senbench.models.openclip:OpenClipAdapter"
        )
    return family
