"""Reads checkpoints safely, unnests them, and checks every key against the manifest of the release."""

from __future__ import annotations

import math
import re
import zipfile
from functools import cache
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError, UnavailableError, brief
from senbench.models.checkpoints import container, keys, values
from senbench.models.checkpoints.keys import Expected
from senbench.runtime import parsing
from senbench.runtime.paths import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import torch

    from senbench.models.checkpoints.checkpoint import Checkpoint
    from senbench.schema.model_card import ModelCard

AT_ONCE = 1 << 24
"""Bytes read from a safetensors file before it is opened again."""
MANIFESTS = PACKAGE / "models" / "manifests"


@cache
def manifest(layout: str) -> dict[str, Any]:
    """Return the expected keys and shapes of a release, with their source.

    A file lists `keys` (`{0-11}` in a key stands for the numbers 0 to 11), or names under `like` the manifest
    whose keys it shares; what the release adds, such as its activation, is its own.

    Args:
        layout: Manifest name, e.g. `openai-vit-b-32`.

    Returns:
        source, activation (None if the release does not state it), text_activation if it differs, activation_source,
        drop (patterns of keys that do not belong to the model), parameters, keys.

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
    """Expand a line of a manifest to its keys: `a.{0-2}.b` -> `a.0.b`, `a.1.b`, `a.2.b`."""
    match = re.search(r"\{(\d+)-(\d+)\}", key)
    if match is None:
        return [key]
    numbers = range(int(match[1]), int(match[2]) + 1)
    return [f"{key[: match.start()]}{i}{rest}" for i in numbers for rest in expand(key[match.end() :])]


def read(
    checkpoint: Checkpoint, *, shapes: dict[str, list[int]] | None = None, part: dict[str, list[int]] | None = None
) -> dict[str, torch.Tensor]:
    """Read the state dict of a checkpoint, unnested, without prefix, checked key by key.

    Safetensors, or a torch file with `weights_only=True`; a TorchScript archive only if its sha256 is stated in the
    card, because reading one runs the code in it.

    Args:
        checkpoint: The file and its card.
        shapes: Expected keys and shapes if the card names no layout; None if the caller checks them.
        part: Keys and shapes of the required part of a file that was completely checked before.

    Returns:
        Key -> tensor as stored, on the CPU, in a new dictionary. A scale or bias that the file lacks and the card
        states is included.

    Raises:
        ContractError: Keys, shapes, types or values are not as expected; the message names the key.
        UnavailableError: The file is truncated or not a checkpoint.
    """
    import torch

    card, name = checkpoint.card, checkpoint.file.name
    loaded = load(checkpoint, part)
    wanted = None if part is None and shapes is None and card.layout is None else expected(card, shapes or {})
    if part is not None:
        wanted = _expected(card, part, ())
    state = keys.unnested(loaded, card)
    if state is None:
        arranged = None if wanted is None else keys.arrangement(loaded, wanted)
        lines = arranged.statements(card) if arranged else []
        do = f"; a card with {' and '.join(lines)} reads them (`senbench models new` writes it)" * bool(lines)
        places = (card.nesting,) if isinstance(card.nesting, str) else card.nesting
        raise ContractError(
            f"weights {name}: card {card.id} expects the state dict under {' or '.join(map(repr, places))}, "
            f"the file has {keys.some(loaded)}{do}"
        )
    state = keys.own(state, wanted, card, name)
    if part is not None:
        state = {key: value for key, value in state.items() if key in part}
    if wanted is not None and not set(wanted.required()) <= state.keys() <= wanted.shapes.keys():
        raise ContractError(keys.refusal(loaded, state, wanted, card, checkpoint.file))
    if odd := [key for key, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise ContractError(f"weights {name}: only tensors are accepted, found others ({keys.some(odd)})")
    if wanted is not None:
        state = _with_shapes({**state, **_stated(card, wanted, state)}, wanted.shapes, card, name)
    if part is None:
        values.check(state, name)
    return state


def expected(card: ModelCard, shapes: Mapping[str, list[int]]) -> Expected:
    """Return what a card needs from its file.

    Args:
        card: The contract.
        shapes: Keys and shapes of the architecture, if the card names no layout.
    """
    if card.layout is None:
        return _expected(card, shapes, ())
    listed = manifest(card.layout)
    return _expected(card, listed["keys"], tuple(listed["drop"]))


def _expected(card: ModelCard, shapes: Mapping[str, list[int]], drop: tuple[str, ...]) -> Expected:
    stated = {"logit_scale": card.logit_scale, "logit_bias": card.logit_bias}
    return Expected(shapes, drop, frozenset(key for key, value in stated.items() if isinstance(value, float)))


def _stated(card: ModelCard, wanted: Expected, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return scale and bias that the card states and the file lacks, in the form in which files store them."""
    import torch

    tensors = {}
    for key in wanted.optional & wanted.shapes.keys() - state.keys():
        value = card.logit_scale if key == "logit_scale" else card.logit_bias
        assert isinstance(value, float)
        tensors[key] = torch.tensor(math.log(value) if key == "logit_scale" else value)
    return tensors


def load(checkpoint: Checkpoint, part: Collection[str] | None = None) -> dict[Any, Any]:
    """Load the content of a checkpoint file unchanged; only its format is checked.

    Args:
        checkpoint: The file and its card.
        part: Required keys, if the format allows reading only these.

    Raises:
            ContractError: The file contains something other than a state dict, or code.
            UnavailableError: The file is damaged or not a checkpoint; the message says what it is.
    """
    import pickle

    import torch
    from safetensors import safe_open

    path, card = checkpoint.file, checkpoint.card
    damaged = f"weights {path.name} ({path.stat().st_size:,} bytes) cannot be read as a checkpoint of {card.id}"
    if problem := container.fault(path):
        raise UnavailableError(f"{damaged}: {problem if problem.startswith('truncated') else f'it is {problem}'}")
    kind = container.kind(path)
    if kind == "safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                there = file.keys()
                if part is not None:
                    there = [key for key in there if any(key.removeprefix(p) in part for p in card.prefixes)]
            return _own_memory(path, there)
        except Exception as error:
            raise UnavailableError(f"{damaged}: truncated or no safetensors file ({brief(error)})") from error
    if kind == "torchscript":
        if checkpoint.digest not in card.weights.also_sha256:
            raise ContractError(
                f"weights {path.name} are a TorchScript archive, which runs code when read, and sha256 "
                f"{checkpoint.digest[:12]} is not a known release of {card.id}; save its state_dict() and give that "
                "file"
            )
        return dict(torch.jit.load(path, map_location="cpu").state_dict())  # type: ignore[no-untyped-call]
    try:
        # only parts are memory-mapped: the pages of a whole file would stay in memory next to the converted tensors
        through = part is not None and zipfile.is_zipfile(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=through)
    except pickle.UnpicklingError as error:
        held = re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", str(error))
        if held is not None:
            raise ContractError(
                f"weights {path.name} hold {held[1]} beside tensors, and reading that may run code: save the model's "
                "state_dict() alone and give that file"
            ) from error
        raise UnavailableError(f"{damaged} safely: it is damaged or no checkpoint ({brief(error)})") from error
    except Exception as error:  # for damaged files torch and zipfile raise almost anything
        raise UnavailableError(f"{damaged}: truncated or foreign ({brief(error)})") from error
    if not isinstance(loaded, dict):
        raise ContractError(f"weights {path.name}: expected a state dict, found {type(loaded).__name__}")
    return loaded


def _own_memory(path: Path, keys: Sequence[str]) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors file into separate memory, which is freed with each tensor.

    The file is opened repeatedly, because its pages count as this process's memory while it is open.
    """
    from safetensors import safe_open

    tensors: dict[str, torch.Tensor] = {}
    while len(tensors) < len(keys):
        with safe_open(path, framework="pt") as file:
            read = 0
            for key in keys[len(tensors) :]:
                tensors[key] = file.get_tensor(key).clone()
                if (read := read + tensors[key].nbytes) > AT_ONCE:
                    break
    return tensors


def _with_shapes(
    state: dict[str, torch.Tensor], shapes: Mapping[str, list[int]], card: ModelCard, name: str
) -> dict[str, torch.Tensor]:
    for key, shape in shapes.items():
        found = list(state[key].shape)
        if found == [1] and shape == []:  # a scalar, which libraries store with shape () or (1,)
            state[key] = state[key].reshape(())
        elif found != shape:
            raise ContractError(
                f"weights {name}: {key} has shape {found}, {card.id} ({keys.layout(card)}) expects {shape}"
            )
    return state
