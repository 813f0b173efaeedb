"""Which results may be ranked, exported and blessed: those in which `validate` finds no contradiction."""

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
"""Results that are checked in this process: starting others takes as long."""


def contradictions(folder: Path) -> list[str]:
    """Everything in a result that contradicts its rows, its other fields or what is shipped, one line each.

    What was found is kept under SENBENCH_HOME by the bytes of the files, so that a board of many results is checked
    once.

    Args:
        folder: Result folder.

    Returns:
        Findings; also where the result or its predictions cannot be read.
    """
    if (kept := kept_checks.read(folder)) is not None:
        return kept
    try:
        found = validate.inconsistent(folder, store.load(folder))
    except UsageError as error:
        found = [str(error)]
    kept_checks.keep(folder, found)
    return found


def check_all(folders: Sequence[Path], progress: Progress) -> None:
    """Look for contradictions in all results that were not checked before, on all cores.

    Args:
        folders: Result folders.
        progress: Draws progress.

    Raises:
        UnavailableError: A process was ended from outside.
    """
    new = [folder for folder in folders if kept_checks.read(folder) is None]
    if len(new) <= FEW or cores() == 1:
        return  # `contradictions` does them one by one
    with progress.stage("checking results", len(new)) as advance:
        try:
            for _ in in_processes(contradictions, new, cores()):
                advance(1)
        except ProcessKilledError as error:
            raise UnavailableError(
                "a process that checked results was killed (memory?); the same command continues"
            ) from error


def refuse(folder: Path) -> None:
    """Stop where a result contradicts itself.

    Raises:
        UsageError: With the first contradiction and the number of all.
    """
    if found := contradictions(folder):
        raise UsageError(_line(folder, found))


def each(
    folder: Path, say: Callable[[str], None], progress: Progress | None = None
) -> Iterator[tuple[RunResult, Path]]:
    """All results of a folder that do not contradict themselves, with their own folders.

    Args:
        folder: Folder of result folders.
        say: Told, in one line, of each result that is left out.
        progress: Draws progress where many results were not checked before.

    Raises:
        UsageError: As `store.each`; or no result is left.
    """
    check_all(store.folders(folder), progress or Silent())
    left = 0
    for result, path in store.each(folder):
        if found := contradictions(path):
            say(f"left out: {_line(path, found)}")
        else:
            left += 1
            yield result, path
    if not left:
        raise UsageError(f"all results under {folder} contradict themselves; `senbench results validate` names how")


def _line(folder: Path, found: list[str]) -> str:
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    return f"result {folder.name} contradicts itself: {found[0]}{more}; see `senbench results validate {folder}`"
