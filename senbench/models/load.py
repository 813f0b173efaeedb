"""From a model name to an adapter that is ready to encode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import UnavailableError, UsageError
from senbench.models import registry as zoo
from senbench.models.checkpoints import fetch
from senbench.runtime import lookup

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from senbench.models.adapter import Adapter, TextEncoder
    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype


def load(
    model: str | ModelCard,
    *,
    file: str | None = None,
    device: str = "auto",
    dtype: Dtype = "float32",
    preprocess: Preprocess | None = None,
    offline: bool = False,
    accept_new_weights: bool = False,
) -> Adapter:
    """Load a model.

    Args:
        model: A card, or a name as `zoo.find` takes it.
        file: Local checkpoint; None: the released file, fetched if need be.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        dtype: Precision of the encoders.
        preprocess: Replaces the card's preprocessing.
        offline: Never open a socket.
        accept_new_weights: Accept a file that changed since it was first used.

    Returns:
        The adapter.

    Raises:
        UsageError: Unknown model or device.
        ContractError: File and card contradict each other.
        UnavailableError: Weights missing or damaged, or the device is not there.
    """
    card = zoo.find(model, offline=offline) if isinstance(model, str) else model
    path = fetch.locate(card, file, offline=offline)
    digest = fetch.identify(card, path, accept_new=accept_new_weights)
    return from_file(card, path, digest, device=device, dtype=dtype, preprocess=preprocess)


def from_file(
    card: ModelCard,
    path: Path,
    digest: str,
    *,
    device: str = "auto",
    dtype: Dtype = "float32",
    preprocess: Preprocess | None = None,
) -> Adapter:
    """Load a checkpoint that is here and whose hash is known.

    Args:
        card: The contract.
        path: The checkpoint.
        digest: Its sha256.
        device: As for `load`.
        dtype: As for `load`.
        preprocess: As for `load`.

    Returns:
        The adapter.

    Raises:
        ContractError: File and card contradict each other.
        UnavailableError: The file is damaged, the device is not there, or has no such precision.
    """
    chosen = pick_device(device)
    check_precision(chosen.type, dtype)
    adapter: Adapter = lookup.resolve(card.adapter)(
        card, path, digest=digest, device=chosen, dtype=dtype, preprocess=preprocess
    )
    return adapter


def texts_from_file(card: ModelCard, path: Path, digest: str, *, device: str, dtype: Dtype) -> TextEncoder:
    """The text tower of a checkpoint that is here, without the rest of the model; its rows are the whole model's.

    Args:
        card: The contract, which the file was held against before.
        path: The checkpoint.
        digest: Its sha256.
        device: As for `load`.
        dtype: As for `load`.

    Raises:
        ContractError: As `from_file`.
        UnavailableError: As `from_file`.
    """
    chosen = pick_device(device)
    check_precision(chosen.type, dtype)
    texts: TextEncoder = lookup.resolve(card.adapter)(
        card, path, digest=digest, device=chosen, dtype=dtype, texts_only=True
    )
    return texts


def check_precision(kind: str, dtype: Dtype) -> None:
    """Refuse TF32 where nothing would be computed in it.

    Args:
        kind: Type of the device.
        dtype: Precision asked for.

    Raises:
        UnavailableError: The device has no TF32.
    """
    if dtype != "tf32":
        return
    if kind != "cuda":
        raise UnavailableError(f"--tf32: device {kind} has no TF32, CUDA devices from A100 on have; leave it out")
    import torch

    if torch.cuda.get_device_capability() < (8, 0):
        raise UnavailableError(f"--tf32: {torch.cuda.get_device_name()} has no TF32, devices from A100 on have")


def pick_device(name: str) -> torch.device:
    """The torch device of a name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        UsageError: No such device name.
        UnavailableError: The device is not on this machine.
    """
    import torch

    # float32 means float32: cuDNN would run convolutions in TF32 by default (`Adapter` allows it for `tf32` alone)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UnavailableError(f"device {name!r} is not on this machine ({torch.cuda.device_count()} CUDA devices)")
    return device
