"""Progress of work over a few seconds: what is done, the rate, the time left. Drawn by the caller."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Progress(Protocol):
    """What draws progress."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Open a stage of `total` steps; call what it yields with the number of steps done."""

    def say(self, line: str) -> None:
        """Show one line."""


class Silent:
    """Draws nothing: for Python callers and tests."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A stage that is not shown."""
        yield lambda done: None

    def say(self, line: str) -> None:
        """A line that is not shown."""
