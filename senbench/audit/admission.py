"""Admits results to ranking, export and baselines only if `validate` finds no contradiction in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.audit import validate
from senbench.errors import UnavailableError, UsageError
from senbench.results import kept_checks, store
from senbench.runtime.environment import cores
from senbench.runtime.processes import ProcessKilledError, in_processes
from senbench.runtime.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from senbench.schema.result import RunResult

FEW = 16
"""Number of results up to which they are checked in this process, since starting others takes as long."""


def contradictions(folder: Path) -> list[str]:
    """Return every contradiction between a result and its rows, its other fields or the shipped data, one line each.

    Findings are cached under SENBENCH_HOME by a hash of the files, so that a board of many results is checked once.

    Args:
        folder: Result folder.

    Returns:
        The findings, including that the result or its predictions cannot be read.
    """
    if (kept := kept_checks.read(folder)) is not None:
        return kept
    try:
        lines = validate.inconsistent(folder, store.load(folder))
    except UsageError as error:
        lines = [str(error)]
    kept_checks.keep(folder, lines)
    return lines


def check_all(folders: Sequence[Path], progress: Progress) -> None:
    """Check all results that were not checked before, on all cores.

    Args:
        folders: Result folders.
        progress: Displays progress.

    Raises:
        UnavailableError: A process was ended from outside.
    """
    new = [folder for folder in folders if kept_checks.read(folder) is None]
    if len(new) <= FEW or cores() == 1:
        return  # left to `contradictions`, one by one
    with progress.stage("checking results", len(new)) as advance:
        try:
            for _ in in_processes(contradictions, new, cores()):
                advance(1)
        except ProcessKilledError as error:
            raise UnavailableError(
                "a process that checked results was killed (memory?); the same command continues"
            ) from error


def refuse(folder: Path) -> None:
    """Raise an error for a result that contradicts itself.

    Raises:
        UsageError: States the first contradiction and the number of all.
    """
    if lines := contradictions(folder):
        raise UsageError(_line(folder, lines))


def each(
    folder: Path, say: Callable[[str], None], progress: Progress | None = None
) -> Iterator[tuple[RunResult, Path]]:
    """Yield all results of a folder that do not contradict themselves, with their own folders.

    Args:
        folder: Folder of result folders.
        say: Called with a line on each result that is left out.
        progress: Displays progress if many results were not checked before.

    Raises:
        UsageError: As `store.each`; or no result is left.
    """
    check_all(store.folders(folder), progress or Silent())
    left = 0
    for result, path in store.each(folder):
        if lines := contradictions(path):
            say(f"left out: {_line(path, lines)}")
        else:
            left += 1
            yield result, path
    if not left:
        raise UsageError(f"all results under {folder} contradict themselves; `senbench results validate` names how")


def _line(folder: Path, lines: list[str]) -> str:
    more = f" (and {len(lines) - 1:,} more)" if len(lines) > 1 else ""
    return f"result {folder.name} contradicts itself: {lines[0]}{more}; see `senbench results validate {folder}`"
