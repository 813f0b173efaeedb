from __future__ import annotations

import numpy as np
import pytest
import torch

from senbench.align import augmentation
from senbench.align import recipe as recipes
from senbench.models import registry

CARD = registry.find("clip-vit-b-32")
TILES = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3)).astype(np.uint8)


def recipe(**changes):
    return recipes.named("senbench", convolutional=False, **changes)


def small(card=CARD, side=32, **changes):
    made = recipe(**changes)
    return augmentation.preprocess_of(card, made).model_copy(update={"resolution": side}), made


def test_without_a_seed_tiles_are_the_centre_as_it_is_normalised():
    how, made = small()
    seen = augmentation.pixels(TILES, how, made)
    mean, std = (np.array(v, np.float32) for v in (how.mean, how.std))
    expected = (TILES[:, 4:36, 4:36].astype(np.float32) / 255 - mean) / std
    assert np.allclose(seen.permute(0, 2, 3, 1).numpy(), expected, atol=1e-6)


def test_resized_tiles_are_those_of_evaluation_but_for_rounding():
    from senbench.models.preprocess.host import fit

    how, made = small(side=224, crop=32)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (how.mean, how.std))
    tiles = 80 + TILES[:2] // 3  # nothing is clipped, which PIL does after each pass
    seen = augmentation.pixels(tiles, how, made)[0] * std + mean
    exact = torch.tensor(fit(tiles[0, 4:36, 4:36], how)).permute(2, 0, 1)
    difference = (255 * seen - exact).abs()
    assert float(difference.max()) < 1.5  # PIL rounds after each of two passes


def test_turns_are_the_eight_of_a_square_and_a_function_of_the_seed():
    how, made = small(side=40, crop=40)
    first, same, other = (augmentation.pixels(TILES, how, made, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    plain = augmentation.pixels(TILES, how, made)
    turned = {(k, f): plain.rot90(k, (2, 3)).flip(3) if f else plain.rot90(k, (2, 3)) for k in range(4) for f in (0, 1)}
    found = [[key for key, all_of in turned.items() if torch.equal(all_of[i], first[i])] for i in range(len(TILES))]
    assert all(len(one) == 1 for one in found)
    assert len({one[0] for one in found}) > 3


def test_randaugment_is_drawn_from_the_seed_and_leaves_the_generator_of_the_process():
    how, made = small(augmentation="randaugment")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, same, other = (augmentation.pixels(TILES, how, made, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not torch.equal(first, augmentation.pixels(TILES, how, made))


def test_a_tile_smaller_than_the_crop_is_shown_whole():
    assert augmentation.centre(TILES, 64).shape == TILES.shape
    assert np.array_equal(augmentation.centre(TILES, 38), TILES[:, 1:39, 1:39])


def test_whose_pixels():
    senclip = augmentation.preprocess_of(CARD, recipe(pixels="senclip"))
    base = augmentation.preprocess_of(CARD, recipe(pixels="base"))
    released = registry.find("senclip").preprocess
    assert senclip == released
    assert base == CARD.preprocess.model_copy(update={"resize_mode": "squash"})


@pytest.mark.slow
def test_a_tile_takes_at_most_a_millisecond():
    """Crop, turn, resize to 224 and normalise, CPU time on one thread; the goal is 1 ms."""
    import time

    how, made = small(side=224)
    tiles = np.resize(TILES, (32, 40, 40, 3))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        augmentation.pixels(tiles, how, made, [0])
        times = []
        for k in range(10):
            start = time.process_time()
            augmentation.pixels(tiles, how, made, [k])
            times.append((time.process_time() - start) / len(tiles))
    finally:
        torch.set_num_threads(threads)
    assert min(times) < 1e-3
