"""Checkpoints: read safely, unnested, and held key by key against the manifest of their release."""

from __future__ import annotations

import contextlib
import json
import zipfile
from functools import cache
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError, UnavailableError
from senbench.paths import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from senbench.spec import ModelCard

MANIFESTS = PACKAGE / "models" / "manifests"


@cache
def manifest(layout: str) -> dict[str, Any]:
    """Expected keys and shapes of a release, with their source.

    Args:
        layout: Manifest name, e.g. `openai-vit-b-32`.

    Raises:
        ContractError: There is no such manifest.
    """
    path = MANIFESTS / f"{layout}.json"
    if not path.is_file():
        raise ContractError(f"card layout {layout!r}: no manifest {path.name} in senbench/models/manifests")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def read(path: Path, card: ModelCard, digest: str) -> dict[str, torch.Tensor]:
    """State dict of a checkpoint, unnested, without prefix, checked key by key against the manifest.

    Safetensors, or a torch file with `weights_only=True`; a TorchScript archive only if its sha256 is
    one that the card knows, because reading one runs the code in it.

    Args:
        path: The file.
        card: Its contract.
        digest: sha256 of the file.

    Returns:
        Key -> tensor as stored, on the CPU.

    Raises:
        ContractError: Keys or shapes differ from the manifest; both sides are named.
        UnavailableError: The file is truncated or no checkpoint at all.
    """
    state = _load(path, card, digest)
    if card.nesting:
        if not isinstance(state.get(card.nesting), dict):
            raise ContractError(
                f"weights {path.name}: card {card.id} expects the state dict under {card.nesting!r}, "
                f"the file has {_some(state)}"
            )
        state = state[card.nesting]
    expected = manifest(card.layout)
    for prefix in card.prefixes:
        if all(str(key).startswith(prefix) for key in state) and prefix + next(iter(expected["keys"])) in state:
            stripped = {k.removeprefix(prefix): v for k, v in state.items()}
            return _checked(stripped, expected, card, path.name)
    return _checked(state, expected, card, path.name)


def _load(path: Path, card: ModelCard, digest: str) -> dict[str, Any]:
    import pickle

    import torch
    from safetensors.torch import load_file

    damaged = f"weights {path.name} ({path.stat().st_size:,} bytes) cannot be read as a checkpoint of {card.id}"
    if path.suffix == ".safetensors":
        try:
            return dict(load_file(path))
        except Exception as error:
            raise UnavailableError(f"{damaged}: truncated or no safetensors file ({_line(error)})") from error
    if _is_torchscript(path):
        if digest not in card.weights.also_sha256:
            raise ContractError(
                f"weights {path.name} are a TorchScript archive, which runs code when read, and sha256 "
                f"{digest[:12]} is not a known release of {card.id}; save its state_dict() and give that file"
            )
        return dict(torch.jit.load(path, map_location="cpu").state_dict())  # type: ignore[no-untyped-call]
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        reason = _line(error)
        raise UnavailableError(f"{damaged} safely: it is damaged or needs more than tensors ({reason})") from error
    except Exception as error:  # damaged files make torch and zipfile raise almost anything
        raise UnavailableError(f"{damaged}: truncated or foreign ({_line(error)})") from error
    if not isinstance(loaded, dict):
        raise ContractError(f"weights {path.name}: expected a state dict, found {type(loaded).__name__}")
    return loaded


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
    return False  # a damaged directory: torch's own reader says so


def _checked(state: dict[str, Any], expected: dict[str, Any], card: ModelCard, name: str) -> dict[str, torch.Tensor]:
    shapes = expected["keys"]
    state = {k: v for k, v in state.items() if k not in expected["drop"]}
    missing = [k for k in shapes if k not in state]
    extra = [k for k in state if k not in shapes]
    if missing or extra:
        parts = []
        if missing:
            parts.append(f"{len(missing)} keys are missing ({_some(missing)})")
        if extra:
            parts.append(f"{len(extra)} are not expected ({_some(extra)})")
        raise ContractError(
            f"weights {name} do not have the layout {card.layout!r} of {card.id}: {', '.join(parts)}; "
            f"accepted key prefixes: {', '.join(repr(p) for p in card.prefixes)}"
        )
    for key, shape in shapes.items():
        found = list(getattr(state[key], "shape", ["not a tensor"]))
        if found != shape:
            raise ContractError(
                f"weights {name}: {key} has shape {found}, {card.id} (layout {card.layout!r}) expects {shape}"
            )
    return state


def _some(keys: Any, n: int = 3) -> str:
    keys = [str(key) for key in keys]
    return ", ".join(keys[:n]) + (", ..." if len(keys) > n else "")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
