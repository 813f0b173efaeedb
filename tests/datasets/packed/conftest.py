"""Small shards, so that a few tiles make several."""

from __future__ import annotations

import pytest

from senbench.datasets.eurosat import multispectral as eurosat
from senbench.datasets.packed import format as packed_


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(packed_, "ROWS", 7)
    monkeypatch.setattr(eurosat, "DEMO_PER_CLASS", 2)
