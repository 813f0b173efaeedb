"""Splits the images over the processes of torchrun and collects their shards."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from senbench.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.runtime.distributed import Team


@dataclass(frozen=True)
class Work:
    """The work that the first process distributes.

    Attributes:
        todo: Positions of the tiles whose rows are missing, ascending.
        batch_size: Images per batch.
        index_hash: Hash of the list of tiles to which the positions refer.
    """

    todo: list[int]
    batch_size: int
    index_hash: str

    def part(self, team: Team) -> list[int]:
        """Return the positions that a process embeds: whole batches, assigned in turn.

        If all tiles have one size, these are the batches of a single process, so that rows are equal to the last bit;
        if sizes vary, batches combine other tiles, and rows differ as between two batch sizes.

        Args:
            team: The processes, with the rank of this one.
        """
        size, todo = self.batch_size, self.todo
        starts = range(team.rank * size, len(todo), team.size * size)
        return [position for start in starts for position in todo[start : start + size]]


@dataclass(frozen=True)
class Done:
    """The report of one process on its part.

    Attributes:
        shards: Names of the cache shards it wrote, since the listing of a network folder may be outdated.
        skipped: Message of each tile that could not be decoded, by position.
        encoded: Number of tiles encoded.
    """

    shards: list[str]
    skipped: dict[int, str]
    encoded: int


def check_shared(team: Team, cache: Path) -> None:
    """Check, before anything is computed, that all processes use the same cache folder.

    Args:
        team: The processes.
        cache: Cache folder of this process.

    Raises:
        UnavailableError: A machine has another folder, or the folder cannot be written.
    """
    if team.size == 1:
        return
    token = team.from_first("" if team.rank else _left(cache))
    visible = (cache / token).is_file()
    machines = team.to_first(None if visible else socket.gethostname())
    if team.rank:
        return
    (cache / token).unlink(missing_ok=True)
    if blind := sorted({name for name in machines if name is not None}):
        raise UnavailableError(
            f"{len(machines) - machines.count(None)} of {team.size} processes, on {', '.join(blind)}, do not see the "
            f"cache {cache} of the first: set SENBENCH_HOME to one folder that all machines share"
        )


def _left(cache: Path) -> str:
    """Create an empty file with a name that no process has looked up before."""
    name = f".shared-{secrets.token_hex(8)}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        (cache / name).touch(0o644, exist_ok=False)
    except OSError as error:
        raise UnavailableError(
            f"cache folder {cache} cannot be written ({error.strerror}); set SENBENCH_HOME to a writable folder that "
            "all machines share"
        ) from error
    return name
