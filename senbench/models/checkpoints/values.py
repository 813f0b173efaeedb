"""Checks the values of a checkpoint's tensors, since a file with the right keys may still not be a trained model.

Every weight is summed once, which finds non-finite values, and then only the beginnings of its rows are compared, so
that checking 600 MB takes a fraction of the time of reading them.
"""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from senbench.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

SCALES = (1.0, 1000.0)
"""Range of plausible multipliers of the cosine: CLIP starts at 14 and is clipped at 100, SigLIP ends near 110."""
COUNTERS = ("num_batches_tracked", "position_ids", "token_type_ids", "relative_position_index")
"""Last parts of the names of integer tensors; all others are weights."""
ADDED = (
    "*blocks.*.out_proj.weight",
    "*layers.*.out_proj.weight",
    "*blocks.*.c_proj.weight",
    "*blocks.*.proj.weight",
    "*.fc2.weight",
    "*layer*.output.dense.weight",
    "*pos_embed*",
    "*position*embedding*",
    "*type_embedding*",
    "*class_embedding",
    "*cls_token",
    "*lora_*",
)
"""Tensors that are added to others (a branch, a position, a token). Training may start with zeros there and leave them;
in matrices through which everything passes, zeros are damage."""
TABLES = ("*token_embedding.weight", "*word_embeddings.weight", "*embed_tokens.weight", "*tok_embeddings.weight")
"""Token embeddings: rows of padding, and of tokens that did not occur in training, may be zero."""
ROW = 16
"""Length of the shortest row that is checked; shorter ones may be equal (a filter, a depthwise kernel)."""
GLANCE = 8
"""Number of values of a row that are compared first."""
ANOTHER = "get another file"
DEAD = 0.1
"""Largest share of zero rows in a trained matrix; units may die in training, or vanish in float16."""


def check(state: Mapping[str, torch.Tensor], name: str) -> None:
    """Raise an error for tensors that cannot be trained weights.

    Args:
        state: Key -> tensor as it was read, with the model's shapes.
        name: The file, for messages.

    Raises:
        ContractError: A tensor is not dense or not floating point, contains NaN or infinity, or is a matrix of zero,
            constant or equal rows with which the model cannot work. The message names the key.
    """
    for key, tensor in state.items():
        if what := _odd(key, tensor) or _not_finite(tensor) or _untrained(key, tensor):
            raise ContractError(f"weights {name}: {key} {what}")


def logit_scale(tensor: torch.Tensor, name: str) -> float:
    """Return the multiplier of the cosine from the logarithm that CLIP's checkpoints store.

    Args:
        tensor: The scalar, as stored.
        name: The file, for messages.

    Raises:
        ContractError: The multiplier is outside `SCALES`; the message says which other meaning of the value is likely.
    """
    scale, stored = float(tensor.float().exp()), float(tensor)
    low, high = SCALES
    if low <= scale <= high:
        return scale
    likely = "its exponential is the multiplier of the cosine, and no reading of it is likely: get the released file"
    if low < stored <= high:
        likely = (
            f"the value is likely the multiplier itself and not its logarithm ({math.log(stored):.4g}): a card with "
            f"logit_scale = {stored:.6g} reads it so"
        )
    elif low <= math.exp(min(-stored, 700.0)) <= high:
        likely = (
            "the value is likely the logarithm of a temperature, which divides: a card with logit_scale = "
            f"{math.exp(-stored):.6g} reads it so"
        )
    raise ContractError(
        f"weights {name}: logit_scale is stored as {stored:.6g}, which makes the multiplier {scale:.3g}, outside "
        f"{low:g} to {high:,.0f}; {likely}"
    )


def _odd(key: str, tensor: torch.Tensor) -> str | None:
    """Return why a tensor is not a plain array of floats, or None."""
    import torch

    kind = str(tensor.dtype).removeprefix("torch.")
    convert = "give the checkpoint in float32, float16 or bfloat16"
    if tensor.is_quantized or tensor.layout != torch.strided or tensor.is_nested:
        layout = "quantised" if tensor.is_quantized else "nested" if tensor.is_nested else "sparse"
        return f"is a {layout} tensor ({kind}); {convert}, as plain dense tensors"
    if tensor.is_meta:
        return "has no values (a tensor of the meta device); save the checkpoint of a loaded model"
    if key.rpartition(".")[2] in COUNTERS and not tensor.is_complex():
        return None
    if tensor.dtype not in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        return f"is of type {kind}; {convert}"
    return None


def _not_finite(tensor: torch.Tensor) -> str | None:
    import torch

    if not tensor.is_floating_point():
        return None
    wide = torch.float64 if tensor.dtype == torch.float64 else torch.float32
    if bool(tensor.sum(dtype=wide).isfinite()):
        return None
    odd = int((~tensor.isfinite()).sum())
    problem = f"NaN or infinity in {odd:,} of {tensor.numel():,} values" if odd else "values too large for any weight"
    return f"holds {problem}: the training diverged, or the file is damaged; get another"


def _untrained(key: str, tensor: torch.Tensor) -> str | None:
    """Return why a matrix cannot be trained, or None; vectors (biases, gains, single tokens) may have any values."""
    if not tensor.is_floating_point() or tensor.ndim < 2 or sum(side > 1 for side in tensor.shape) < 2:
        return None
    rows = tensor.detach().reshape(len(tensor), -1) if tensor.is_contiguous() else tensor.detach().flatten(1)
    n, width = rows.shape
    if n < 2 or width < ROW:
        return None
    begins = rows[:, :GLANCE]
    alike = (begins == begins[:, :1]).all(1).nonzero()[:, 0]
    alike = alike[(rows[alike] == rows[alike, :1]).all(1)]
    zeros = int((rows[alike, 0] == 0).sum())
    added = any(fnmatchcase(key, pattern) for pattern in ADDED)
    if zeros < len(alike):
        return f"has {len(alike) - zeros} of {n} rows that hold one value each: no training leaves that; {ANOTHER}"
    most = n - 1 if any(fnmatchcase(key, pattern) for pattern in TABLES) else n if added else int(DEAD * n)
    if zeros > most:
        return f"is zero in {zeros:,} of {n:,} rows: the file is not filled, or damaged; {ANOTHER}"
    if zeros < n and bool((rows[0] == rows[n // 2]).all()) and bool((rows == rows[:1]).all()):
        return f"has {n:,} rows that are all the same: no training leaves that; {ANOTHER}"
    return None
