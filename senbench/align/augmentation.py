"""From packed tiles to what the tower sees: cropped, turned, resized and normalised in one batch.

What is drawn is a function of the seed and the step alone, so that nothing but the number of the step has to be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import interpolate

from senbench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.align.recipe import AlignmentRecipe
    from senbench.schema.model_card import ModelCard, Preprocess

SENCLIP = {"mean": (0.347, 0.376, 0.296), "std": (0.269, 0.261, 0.276)}
"""Of SenCLIP's release, in training and evaluation."""
RAND_AUGMENT = (3, 5)
"""Operations a tile, and their magnitude of 31, in the released code."""


def preprocess_of(card: ModelCard, recipe: AlignmentRecipe) -> Preprocess:
    """How an aligned model is to be evaluated: tiles squashed to the base's input size, normalised as in training.

    Args:
        card: The base.
        recipe: The settings.
    """
    own = {"interpolation": "bicubic", **SENCLIP} if recipe.pixels == "senclip" else {}
    return card.preprocess.model_copy(update={"resize_mode": "squash", **own})


def centre(tiles: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The centre of square tiles (B, S, S, 3); a smaller tile whole."""
    start = max(0, (tiles.shape[1] - side) // 2)
    return tiles[:, start : start + side, start : start + side]


def pixels(
    tiles: NDArray[np.uint8], how: Preprocess, recipe: AlignmentRecipe, seed: list[int] | None = None
) -> torch.Tensor:
    """What the tower sees of tiles.

    Args:
        tiles: RGB, uint8 (B, S, S, 3).
        how: Size, filter, mean and standard deviation.
        recipe: Crop and augmentation.
        seed: What the augmentation is drawn from; None: tiles as they are, as in evaluation.

    Returns:
        float32 (B, 3, R, R).
    """
    shown = np.ascontiguousarray(centre(tiles, recipe.crop))
    planes = torch.from_numpy(shown).permute(0, 3, 1, 2)
    if seed is not None and recipe.augmentation == "flips":
        planes = _turned(planes, np.random.default_rng(seed).integers(0, 8, len(tiles)))
    release = recipe.augmentation == "randaugment"
    mode = "bilinear" if release and seed is not None else how.interpolation
    size = (how.resolution, how.resolution)
    values = planes.float()
    if planes.shape[-1] != how.resolution:
        # with antialiasing torch's filters are PIL's, those of evaluation; without it its bicubic is another one
        values = interpolate(values, size, mode=mode, align_corners=False, antialias=True).clamp_(0, 255)
    if seed is not None and release:
        values = _rand_augmented(values.round().to(torch.uint8), seed).float()
    mean, std = (torch.tensor(v, dtype=torch.float32).view(1, -1, 1, 1) for v in (how.mean, how.std))
    return values.div_(255).sub_(mean).div_(std)


def _turned(planes: torch.Tensor, turns: NDArray[np.int64]) -> torch.Tensor:
    """Planes (B, C, S, S), each in one of the eight positions of a square."""
    out = torch.empty_like(planes, memory_format=torch.contiguous_format)
    for turn in range(8):
        chosen = torch.from_numpy(np.flatnonzero(turns == turn))
        if len(chosen):
            part = planes[chosen].rot90(turn % 4, (2, 3))
            out[chosen] = part.flip(3) if turn >= 4 else part
    return out


def _rand_augmented(images: torch.Tensor, seed: list[int]) -> torch.Tensor:
    """Images uint8 (B, 3, R, R) after RandAugment, each drawn from the seed and its place in the batch."""
    try:
        from torchvision.transforms import RandAugment
    except ImportError as error:
        raise UsageError(f"RandAugment needs torchvision, which cannot be imported: {error}; use flips") from error
    change = RandAugment(*RAND_AUGMENT)
    made = []
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the generator of the process
        for place, image in enumerate(images):
            torch.manual_seed(draw([*seed, place]))
            made.append(change(image))
    return torch.stack(made)


def draw(seed: list[int]) -> int:
    """A 63-bit seed for torch from several numbers."""
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))
