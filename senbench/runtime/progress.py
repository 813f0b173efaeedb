"""Interface through which long work reports its progress; the caller displays it."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Progress(Protocol):
    """What draws progress."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Open a stage of `total` steps; it yields a function to call with the number of steps just done."""

    def say(self, line: str) -> None:
        """Show one line."""


class Silent:
    """Displays nothing: for calls from Python and tests."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Open a stage that is not displayed."""
        yield lambda done: None

    def say(self, line: str) -> None:
        """Ignore the line."""
