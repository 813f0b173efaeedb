"""Embeddings as the tests of prompts use them."""

from __future__ import annotations

import numpy as np
import pytest
from prompt_pools import TEXT_CLASS


@pytest.fixture
def data():
    """Images near their class, prompts of very different length."""
    rng = np.random.default_rng(5)
    centres = rng.normal(size=(3, 8))
    labels = rng.integers(0, 3, 80)
    images = (rng.normal(size=(80, 8)) + 0.7 * centres[labels]).astype(np.float32)
    texts = (rng.normal(size=(13, 8)) + 0.5 * centres[TEXT_CLASS]) * rng.uniform(0.2, 9, (13, 1))
    return images, texts.astype(np.float32), labels
