"""Progress bars on stderr: rate and time left on a terminal, one line per stage elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from senbench.cli.terminal import make_console
from senbench.runtime.printing import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

PLAIN_SECONDS = 30.0  # seconds between lines without a terminal


class Bars:
    """Displays progress with rich."""

    def __init__(self) -> None:
        """Write to stderr."""
        self.console = make_console(stderr=True)

    def say(self, line: str) -> None:
        """One line."""
        self.console.print(line, style="dim", markup=False)

    def stage(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show a bar of `total` steps; nothing for an empty stage."""
        title = printable(title)
        if total == 0:
            return nullcontext(lambda done: None)
        return self._bar(title, total) if self.console.is_terminal else self._lines(title, total)

    @contextmanager
    def _bar(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=self.console) as bar:
            task = bar.add_task(title, total=total, rate="")

            def advance(done: int) -> None:
                bar.advance(task, done)
                now = bar.tasks[task]
                bar.update(task, rate=f"{now.completed / max(now.elapsed or 0, 1e-9):,.0f}/s")

            yield advance

    @contextmanager
    def _lines(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        began = said = time.monotonic()
        steps = 0

        def advance(done: int) -> None:
            nonlocal said, steps
            steps += done
            now = time.monotonic()
            if now - said > PLAIN_SECONDS and steps < total:
                rate = steps / (now - began)
                left = (total - steps) / rate
                self.say(f"{title}: {steps:,} of {total:,}, {rate:,.0f}/s, {left:,.0f} s left")
                said = now

        yield advance
        if steps:
            self.say(f"{title}: {steps:,} in {time.monotonic() - began:,.1f} s")
