"""How long the image stage of a run takes on this machine, by model: weights are drawn, nothing is fetched."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.datasets import bands
from senbench.datasets.open import open_dataset
from senbench.datasets.tiles import stratified
from senbench.embedding.engine import embed_images
from senbench.models import architectures, load, registry
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.schema.record import Record

if TYPE_CHECKING:
    import torch

    from senbench.datasets.tiles import Tiles
    from senbench.models.adapter import Adapter
    from senbench.runtime.progress import Progress
    from senbench.schema.terms import Dtype

MODELS = ("clip-rn50", "clip-vit-b-32", "clip-vit-b-16", "clip-vit-l-14")
"""A model of each size that cards have."""
SECONDS = 3.0
"""About how long a model is measured."""


class Pace(Record):
    """How fast a model embeds tiles."""

    model: str
    """Model id."""
    dtype: str
    """Precision."""
    kernels: str
    """Kernels that multiply on a CPU."""
    rate: float
    """Tiles a second, from the file to the row."""


def measure(
    dataset: str, *, data_dir: str | None, split: str | None, device: str, dtype: Dtype, draw: Progress
) -> list[Pace]:
    """Measure every model of `MODELS`.

    Args:
        dataset: Dataset id.
        data_dir: Folder that holds the data.
        split: Split; None: the dataset's usual one.
        device: Device.
        dtype: Precision.
        draw: Progress.

    Raises:
        UsageError: Unknown names, or a dataset whose bands the models do not take.
        UnavailableError: Data missing.
    """
    opened, found = open_dataset(dataset, split=split, data_dir=data_dir, say=draw.say), []
    with draw.stage("bench: models", len(MODELS)) as advance:
        for name in MODELS:
            encoder = generated(name, device, dtype)
            tiles = opened.paired(bands.pair(encoder.card, opened.info, None))
            found.append(Pace(model=name, dtype=dtype, kernels=encoder.kernels, rate=rate(encoder, tiles)))
            advance(1)
    return found


def rate(encoder: Adapter, tiles: Tiles) -> float:
    """Tiles a second of so many tiles as take about `SECONDS`, after a batch that warms up and one that tells.

    Args:
        encoder: The model.
        tiles: Tiles with its bands.
    """
    order = stratified(tiles.tile_labels, len(tiles), 0)

    def seconds(n: int) -> float:
        began = time.perf_counter()
        embed_images(encoder, tiles.take(order[:n]), None)
        return time.perf_counter() - began

    size = min(encoder.batch_size, len(tiles))
    seconds(size)
    n = min(len(tiles), size * max(1, int(SECONDS / seconds(size))))
    return n / seconds(n)


def generated(name: str, device: str, dtype: Dtype) -> Adapter:
    """A model with weights that are drawn: as fast as the released ones, and of no other use.

    Args:
        name: Model id.
        device: Device.
        dtype: Precision.
    """
    import torch

    card = registry.find(name)
    checkpoint = Checkpoint(card, Path("generated"), "", device, dtype)

    class Drawn(load.adapter_class(card)):  # type: ignore[misc]
        def _state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
            self.logit_scale, self.logit_bias = 100.0, None
            generator = torch.Generator().manual_seed(0)
            shapes = architectures.shapes(self.model)
            drawn = {key: torch.randn(shape, generator=generator).mul_(0.02) for key, shape in shapes.items()}
            return {key: value.abs_().add_(1) if "running_var" in key else value for key, value in drawn.items()}

    adapter: Adapter = Drawn.load(checkpoint)
    adapter.live = True
    return adapter
