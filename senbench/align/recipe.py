"""Recipes: every setting of an alignment, under the names of the paper, of the released code, and of this project."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from senbench.errors import UsageError
from senbench.runtime import lookup
from senbench.schema.record import Record, first_error

Pool = Literal["avg", "att-image", "att-dim"]
Negatives = Literal["queue", "batch", "both"]
MOST_VIEWS = 16
"""Photos of one tile, at the most."""
TEMPERATURE = 0.07
"""Where the temperature starts, or stays."""
HIGHEST_LOG_SCALE = 4.6052
"""Largest logarithm of a learned scale, ln 100; the smallest is 0."""
DROPOUT = 0.1
"""Share of the projection head's second layer that is dropped."""
LAST_BLOCK, VISUAL = "last-block", "visual"


class AlignmentRecipe(Record):
    """Settings of an alignment. What is computed depends on these, the data, the base and the number of threads."""

    name: str
    """Recipe that these settings started from."""
    pool: Pool = "avg"
    """How the photos of a tile become one target."""
    views: int = Field(MOST_VIEWS, ge=1, le=MOST_VIEWS)
    """Photos used of a tile, the first of them in the manifest's order."""
    head: bool
    """Whether a projection head follows the tower while training; it is never exported."""
    train: tuple[str, ...]
    """What is trained: `last-block`, `visual`, or prefixes of names of parameters below `visual.`."""
    queue: int = Field(512, ge=1)
    """K, ground embeddings kept as negatives."""
    queue_start: Literal["random", "table"]
    """What the queue holds first: random unit vectors, or targets of training tiles."""
    negatives: Negatives = "queue"
    """What a tile is told apart from: the queue, the other targets of its batch, or both."""
    learned_temperature: bool
    """Whether the scale is learned; it starts at 1 / 0.07."""
    learning_rate: float = Field(gt=0)
    """Step size of AdamW in the first epoch."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled weight decay of AdamW."""
    decay_all: bool
    """Whether norms, biases and the scale decay as weights do."""
    decay_every: int = Field(ge=1)
    """Epochs after which the learning rate is multiplied by `decay_factor`, again and again."""
    decay_factor: float = Field(0.95, gt=0, le=1)
    """Factor of the learning rate after every `decay_every` epochs."""
    epochs: int = Field(ge=1)
    """Passes over the training tiles."""
    batch: int = Field(32, ge=1)
    """Tiles of a step."""
    micro_batches: int = Field(ge=1)
    """Parts of a batch whose gradients are summed in a fixed order, whatever the number of processes."""
    crop: int = Field(32, ge=1)
    """Side of the centre of a tile that is shown, in pixels; a smaller tile is shown whole."""
    augmentation: Literal["flips", "randaugment", "none"]
    """`flips`: the eight flips and quarter turns; `randaugment`: three operations of magnitude 5."""
    pixels: Literal["base", "senclip"]
    """Whose mean, standard deviation and resizing filter: the base's card, or SenCLIP's release."""
    batch_statistics: bool
    """Whether batch norms of the trained part use, and update, statistics of the batch, as in the release."""
    hold_out: str = "none"
    """`spatial:SHARE`, `random:SHARE`, `split` (the manifest's column) or `none`."""
    dtype: Literal["float32", "bf16"] = "float32"
    """Precision of the tower's products; parameters and the loss stay float32."""
    seed: int = Field(0, ge=0)
    """Seed of the order of tiles, the augmentation, the hold-out and the first queue."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.negatives != "batch" and self.queue % self.batch:
            raise ValueError(
                f"batch {self.batch} does not divide the queue of {self.queue}: the queue is a ring of whole batches; "
                f"use a queue of {self.batch * max(1, round(self.queue / self.batch))}"
            )
        if self.batch % self.micro_batches:
            raise ValueError(f"batch {self.batch} is not cut evenly into {self.micro_batches} micro-batches")
        if self.negatives == "batch" and self.batch == 1:
            raise ValueError("a batch of one tile holds no negatives; use a queue")
        held_out(self.hold_out)
        return self


RELEASE: dict[str, Any] = {
    "head": True,
    "train": (VISUAL,),
    "queue_start": "random",
    "learned_temperature": True,
    "learning_rate": 1e-5,
    "decay_all": True,
    "decay_every": 10,
    "epochs": 1,
    "augmentation": "randaugment",
    "pixels": "senclip",
    "batch_statistics": True,
}
"""Defaults of SenCLIP's released code (commit 4b9b4c2)."""
PAPER: dict[str, Any] = {
    **RELEASE,
    "learned_temperature": False,
    "decay_every": 5,
    "epochs": 20,
    "augmentation": "flips",
}
"""What the paper states; where it states nothing, as the released code."""
OWN: dict[str, Any] = {
    **PAPER,
    "head": False,
    "queue_start": "table",
    "learned_temperature": True,
    "decay_all": False,
    "pixels": "base",
    "batch_statistics": False,
    "hold_out": "spatial:0.05",
}
"""This project's default."""
RECIPES = {"senbench": OWN, "senclip-paper": PAPER, "senclip-release": RELEASE}


def named(name: str, *, convolutional: bool, **changes: Any) -> AlignmentRecipe:
    """A recipe by its name.

    Args:
        name: `senbench`, `senclip-paper` or `senclip-release`.
        convolutional: Whether the tile tower is a ResNet, which the paper trains whole and at a lower rate.
        **changes: Fields of `AlignmentRecipe` that are to be otherwise.

    Raises:
        UsageError: No such recipe, or a setting that is not allowed.
    """
    if name not in RECIPES:
        raise lookup.unknown("recipe", name, RECIPES)
    fields = dict(RECIPES[name])
    if name != "senclip-release" and not convolutional:
        fields |= {"train": (LAST_BLOCK,), "learning_rate": 1e-4}
    fields |= changes
    # batch statistics are those of all tiles of a batch
    whole = convolutional and fields["batch_statistics"]
    even = fields.get("batch", 32) % 2 == 0
    try:
        return AlignmentRecipe(name=name, **{"micro_batches": 2 if even and not whole else 1, **fields})
    except ValidationError as error:
        raise UsageError(first_error(error).replace("field : Value error, ", "")) from error


def held_out(text: str) -> tuple[str, float]:
    """Kind and share of a statement such as `spatial:0.05`.

    Raises:
        ValueError: It is none.
    """
    kind, _, share = text.partition(":")
    if text in ("none", "split"):
        return text, 0.0
    try:
        number = float(share)
    except ValueError:
        number = 0.0
    if kind not in ("spatial", "random") or not 0 < number <= 0.5:
        raise ValueError(
            f"hold-out {text!r}: give spatial:SHARE or random:SHARE with a share above 0 and up to 0.5, split or none"
        )
    return kind, number
