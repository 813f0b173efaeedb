"""From a model name to an adapter that is ready to encode."""

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
        model: A card, or a name as `registry.find` takes it.
        file: Local checkpoint; None: the released file, fetched if need be.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        dtype: Precision of the encoders.
        kernels: Kernels that multiply on a CPU: `torch` where gradients are wanted, or the reference's last bits.
        offline: Never open a socket.
        accept_new_weights: Accept a file that changed since it was first used.

    Returns:
        The adapter.

    Raises:
        UsageError: Unknown model or device.
        ContractError: File and card contradict each other.
        UnavailableError: Weights missing or damaged, or the device is not there.
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
    """Load a checkpoint that is here and whose hash is known.

    Raises:
        ContractError: File and card contradict each other, or the bytes have another hash than the checkpoint's.
        UnavailableError: The file is damaged, the device is not there, or has no such precision.
    """
    with hashes.loading(checkpoint.file, checkpoint.digest):
        return _family(checkpoint).load(checkpoint)


def texts_from_file(checkpoint: Checkpoint) -> TextEncoder:
    """The text tower of a checkpoint that is here, without the rest of the model; its rows are the whole model's.

    The file was held against its card before, as a whole.

    Raises:
        ContractError: As `from_file`.
        UnavailableError: As `from_file`.
    """
    with hashes.loading(checkpoint.file, checkpoint.digest):
        return _family(checkpoint).load_texts(checkpoint)


def _family(checkpoint: Checkpoint) -> type[Adapter]:
    """The adapter's class, for a device that has the precision."""
    import torch

    devices.check_precision(devices.kind(checkpoint.device), checkpoint.dtype)
    # float32 means float32: cuDNN would run convolutions in TF32 by default (`Adapter` allows it for `tf32` alone)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return adapter_class(checkpoint.card)


def adapter_class(card: ModelCard) -> type[Adapter]:
    """The class that a card names as its adapter.

    Raises:
        ContractError: It names something else, or nothing that can be imported.
    """
    from senbench.models.adapter import Adapter

    try:
        family = lookup.resolve(card.adapter, f"card {card.id}: adapter")
    except UsageError as error:
        raise ContractError(str(error)) from error
    if not (isinstance(family, type) and issubclass(family, Adapter)):
        raise ContractError(
            f"card {card.id}: adapter {card.adapter!r} is {type(family).__name__} and no subclass of "
            "senbench.models.adapter.Adapter; most cards say senbench.models.openclip:OpenClipAdapter"
        )
    return family
