"""Checkpoints: read safely, unnested, and held key by key against the manifest of their release."""

from __future__ import annotations

import contextlib
import re
import zipfile
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError, UnavailableError, brief
from senbench.runtime import parsing
from senbench.runtime.paths import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import torch

    from senbench.models.checkpoints.checkpoint import Checkpoint
    from senbench.schema.model_card import ModelCard

MANIFESTS = PACKAGE / "models" / "manifests"


@cache
def manifest(layout: str) -> dict[str, Any]:
    """Expected keys and shapes of a release, with their source.

    A file lists `keys` (`{0-11}` in a key stands for the numbers 0 to 11), or names under `like` the manifest
    whose keys it shares; what the release adds, such as its activation, is its own.

    Args:
        layout: Manifest name, e.g. `openai-vit-b-32`.

    Returns:
        source, activation (None: the release leaves it open), text_activation where it differs,
        activation_source, drop (patterns of keys that are no part of the model), parameters, keys.

    Raises:
        ContractError: There is no such manifest.
    """
    path = MANIFESTS / f"{layout}.json"
    if not path.is_file():
        raise ContractError(f"card layout {layout!r}: no manifest {path.name} in senbench/models/manifests")
    data: dict[str, Any] = parsing.from_json(path.read_text(encoding="utf-8"))
    if "like" in data:
        shared = manifest(data["like"])
        return {"drop": shared["drop"], "parameters": shared["parameters"], **data, "keys": shared["keys"]}
    return {**data, "keys": {name: shape for key, shape in data["keys"].items() for name in expand(key)}}


def expand(key: str) -> list[str]:
    """Keys that a manifest's line stands for: `a.{0-2}.b` -> `a.0.b`, `a.1.b`, `a.2.b`."""
    found = re.search(r"\{(\d+)-(\d+)\}", key)
    if found is None:
        return [key]
    numbers = range(int(found[1]), int(found[2]) + 1)
    return [f"{key[: found.start()]}{i}{rest}" for i in numbers for rest in expand(key[found.end() :])]


def read(
    checkpoint: Checkpoint, *, shapes: dict[str, list[int]] | None = None, part: dict[str, list[int]] | None = None
) -> dict[str, torch.Tensor]:
    """State dict of a checkpoint, unnested, without prefix, checked key by key.

    Safetensors, or a torch file with `weights_only=True`; a TorchScript archive only if its sha256 is
    one that the card knows, because reading one runs the code in it.

    Args:
        checkpoint: The file and its card.
        shapes: Keys and shapes expected where the card names no layout; None: any, the caller checks.
        part: Keys and shapes of the part that is wanted of a file that was checked as a whole before.

    Returns:
        Key -> tensor as stored, on the CPU; a dictionary that nobody else holds.

    Raises:
        ContractError: Keys or shapes differ from what is expected; both sides are named.
        UnavailableError: The file is truncated or no checkpoint at all.
    """
    import torch

    card, name = checkpoint.card, checkpoint.file.name
    state = _unnested(_load(checkpoint, part), card, name)
    expected, drop = part or shapes, []
    if part is None and card.layout is not None:
        listed = manifest(card.layout)
        expected, drop = listed["keys"], listed["drop"]
    state = _stripped(state, expected, card, name)
    state = {key: value for key, value in state.items() if not any(fnmatchcase(key, pattern) for pattern in drop)}
    if part is not None:
        state = {key: value for key, value in state.items() if key in part}
    if expected is not None:
        _check_keys(state, expected, card, name)
    if odd := [key for key, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise ContractError(f"weights {name}: only tensors are accepted, found others ({_some(odd)})")
    return state if expected is None else _with_shapes(state, expected, card, name)


def _unnested(state: dict[str, Any], card: ModelCard, name: str) -> dict[str, Any]:
    places = (card.nesting,) if isinstance(card.nesting, str) else card.nesting
    here = [place for place in places if place and isinstance(state.get(place), dict)]
    if here:
        state = state[here[0]]
    elif "" not in places:
        raise ContractError(
            f"weights {name}: card {card.id} expects the state dict under {' or '.join(map(repr, places))}, "
            f"the file has {_some(state)}"
        )
    return {str(key): value for key, value in state.items()}


def _stripped(
    state: dict[str, Any], expected: dict[str, list[int]] | None, card: ModelCard, name: str
) -> dict[str, Any]:
    """The state without the card's prefix that every key carries and that yields expected keys."""
    fitting = [
        prefix
        for prefix in card.prefixes
        if all(key.startswith(prefix) for key in state) and (not expected or any(prefix + k in state for k in expected))
    ]
    if expected is None:  # nothing tells keys from prefixes but their length
        fitting = sorted(fitting, key=len)[-1:]
    if len(fitting) > 1:
        raise ContractError(
            f"weights {name}: several key prefixes of card {card.id} fit: {', '.join(map(repr, fitting))}; "
            "give the state dict of one model"
        )
    cut = len(fitting[0]) if fitting else 0  # none: the check of the keys says what is there
    return {key[cut:]: value for key, value in state.items()}


def _load(checkpoint: Checkpoint, part: Collection[str] | None) -> dict[str, Any]:
    import pickle

    import torch
    from safetensors import safe_open

    path, card = checkpoint.file, checkpoint.card
    damaged = f"weights {path.name} ({path.stat().st_size:,} bytes) cannot be read as a checkpoint of {card.id}"
    if path.suffix == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                there = file.keys()
                if part is not None:
                    there = [key for key in there if any(key.removeprefix(p) in part for p in card.prefixes)]
                return {key: file.get_tensor(key) for key in there}
        except Exception as error:
            raise UnavailableError(f"{damaged}: truncated or no safetensors file ({brief(error)})") from error
    if _is_torchscript(path):
        if checkpoint.digest not in card.weights.also_sha256:
            raise ContractError(
                f"weights {path.name} are a TorchScript archive, which runs code when read, and sha256 "
                f"{checkpoint.digest[:12]} is not a known release of {card.id}; save its state_dict() and give that "
                "file"
            )
        return dict(torch.jit.load(path, map_location="cpu").state_dict())  # type: ignore[no-untyped-call]
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        held = re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", str(error))
        if held is not None:
            raise ContractError(
                f"weights {path.name} hold {held[1]} beside tensors, and reading that may run code: save the model's "
                "state_dict() alone and give that file"
            ) from error
        raise UnavailableError(f"{damaged} safely: it is damaged or no checkpoint ({brief(error)})") from error
    except Exception as error:  # damaged files make torch and zipfile raise almost anything
        raise UnavailableError(f"{damaged}: truncated or foreign ({brief(error)})") from error
    if not isinstance(loaded, dict):
        raise ContractError(f"weights {path.name}: expected a state dict, found {type(loaded).__name__}")
    return loaded


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
    return False  # a damaged directory: torch's own reader says so


def _check_keys(state: dict[str, Any], shapes: dict[str, list[int]], card: ModelCard, name: str) -> None:
    missing, extra = [k for k in shapes if k not in state], [k for k in state if k not in shapes]
    if missing or extra:
        parts = [f"{len(missing)} keys are missing ({_some(missing)})"] * bool(missing)
        parts += [f"{len(extra)} are not expected ({_some(extra)})"] * bool(extra)
        do = _remedy(state, shapes) or f"accepted key prefixes: {', '.join(repr(p) for p in card.prefixes)}"
        raise ContractError(f"weights {name} do not have the {_layout(card)} of {card.id}: {', '.join(parts)}; {do}")


def _remedy(state: dict[str, Any], shapes: dict[str, list[int]]) -> str | None:
    """What a card must say to find all expected keys in an entry of a file, or under a prefix; None: not there."""
    inner = {key: value for key, value in state.items() if isinstance(value, dict)}
    for place, held in {"": state, **inner}.items():
        keys, last = set(map(str, held)), next(iter(shapes))
        found = {key[: -len(last)] for key in keys if key.endswith(last)}
        for prefix in sorted(found):
            if (place or prefix) and all(prefix + key in keys for key in shapes):
                told = [f'nesting = "{place}"'] * bool(place) + [f'prefixes = ["{prefix}"]'] * bool(prefix)
                return f"a card with {' and '.join(told)} reads them"
    return None


def _with_shapes(
    state: dict[str, torch.Tensor], shapes: dict[str, list[int]], card: ModelCard, name: str
) -> dict[str, torch.Tensor]:
    for key, shape in shapes.items():
        found = list(state[key].shape)
        if found == [1] and shape == []:  # a scalar: libraries have stored it both ways
            state[key] = state[key].reshape(())
        elif found != shape:
            raise ContractError(f"weights {name}: {key} has shape {found}, {card.id} ({_layout(card)}) expects {shape}")
    return state


def _layout(card: ModelCard) -> str:
    return f"layout {card.layout!r}" if card.layout else f"keys of {card.architecture!r}"


def _some(keys: Any, n: int = 3) -> str:
    keys = [str(key) for key in keys]
    return ", ".join(keys[:n]) + (", ..." if len(keys) > n else "")
