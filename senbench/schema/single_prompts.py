"""How far figures move with single prompts, as `single-prompts-<hash>.json` holds it."""

from pydantic import Field

from senbench.schema.record import Record

SINGLE_PROMPTS_VERSION = 1
"""Version of the layout of `single-prompts-<hash>.json`."""


class SinglePrompts(Record):
    """How many images each single prompt gets right, for models on the same images."""

    schema_version: int = SINGLE_PROMPTS_VERSION
    """Version of this layout."""
    dataset: str
    """Dataset id."""
    split: str
    """Its split."""
    index_hash: str
    """Which images, with which labels."""
    n: int = Field(ge=1)
    """Number of images."""
    prompts: tuple[str, ...]
    """The prompts, with CLASS in place of the class name."""
    right: dict[str, tuple[int, ...]]
    """Run id of a result of the model on these images -> images that each prompt alone gets right."""
    together: dict[str, tuple[int, ...]] = Field(default={})
    """The same where TransCLIP classifies all images together (access level 2);
    empty in files of before it was counted."""
    averaged_together: dict[str, int] = Field(default={})
    """Run id -> images that the prompts of the run get right with TransCLIP."""
