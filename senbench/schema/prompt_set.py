"""The rendered prompts of one style for one dataset."""

from typing import Any

from pydantic import Field

from senbench.schema.record import Record


class PromptFields(Record):
    """What a prompt set and the block of a result that records it both hold."""

    id: str
    """Name in tables: the style, or the file's stem."""
    style: str
    """Style the prompts claim to be."""
    version: int | None = None
    """Version stated by the template."""
    source: str
    """`builtin:<file>` or the name of the user's file."""
    class_names: str
    """Class-name set the templates were rendered with."""
    names: tuple[str, ...]
    """Class names used, in label order."""
    texts: dict[str, tuple[str, ...]]
    """Class key -> prompts, in label order."""
    template_aligned: bool
    """True if prompt j of every class comes from one template."""
    hash: str
    """sha256 of the canonical JSON of `texts`."""
    access_level: int = 0
    """Target data seen in choosing the prompts, for these tiles: 0 none, 1 disjoint unlabelled, 2 the evaluated
    images, 3 labels."""
    provenance: dict[str, Any] = Field(default={})
    """How the prompts were chosen, for a pack that senbench wrote; without its lists of tiles."""


class PromptSet(PromptFields):
    """Rendered prompts of one style for one dataset, aligned to its classes by name.

    The style is `generic`, `aerial`, `ground`, `mixed`, `control`, `clip`, ... or `custom`. The ensembling rule
    `prob-mean` needs `template_aligned`. `provenance` is what `prompts select` or `prompts sensitivity` wrote, in full.
    """

    warnings: tuple[str, ...] = Field(default=(), exclude=True)
    """What the linter warned of before an evaluation, one line per code; written with the result's own."""

    language: str = Field(default="en", exclude=True)
    """Language that the template states (ISO 639-1); English where it states none."""

    @property
    def n(self) -> int:
        """Number of prompts over all classes."""
        return sum(len(t) for t in self.texts.values())

    @property
    def lines(self) -> list[str]:
        """All prompts, class by class in label order, P."""
        return [text for own in self.texts.values() for text in own]

    @property
    def line_class(self) -> list[int]:
        """Class index of each of `lines`, ascending, P."""
        return [k for k, own in enumerate(self.texts.values()) for _ in own]
