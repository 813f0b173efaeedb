"""One image stage in several processes: who embeds what, and what each tells the first of it."""

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
    """What the first process found to be done.

    Attributes:
        todo: Positions of the tiles whose rows are missing, ascending.
        batch_size: Images per batch.
        index_hash: Which tiles they are positions of.
    """

    todo: list[int]
    batch_size: int
    index_hash: str

    def part(self, team: Team) -> list[int]:
        """Positions that a process embeds: whole batches, dealt in turn.

        Where all tiles are alike these are the batches of a single process, so that rows are the same to the last
        bit; where sizes vary they are batches of other tiles, and rows differ as between two batch sizes.

        Args:
            team: The process among the others.
        """
        size, todo = self.batch_size, self.todo
        starts = range(team.rank * size, len(todo), team.size * size)
        return [position for start in starts for position in todo[start : start + size]]


@dataclass(frozen=True)
class Done:
    """What a process did.

    Attributes:
        shards: Names of the cache shards it wrote: a listing of a network folder may be older than they are.
        skipped: Message of each tile that could not be decoded, by position.
        encoded: Tiles that went through the model.
    """

    shards: list[str]
    skipped: dict[int, str]
    encoded: int


def check_shared(team: Team, cache: Path) -> None:
    """Make sure that all processes see one cache folder, before anything is computed.

    Args:
        team: The processes.
        cache: Cache folder of this one.

    Raises:
        UnavailableError: A machine has a folder of its own, or the folder cannot be written.
    """
    if team.size == 1:
        return
    token = team.from_first("" if team.rank else _left(cache))
    seen = (cache / token).is_file()
    machines = team.to_first(None if seen else socket.gethostname())
    if team.rank:
        return
    (cache / token).unlink(missing_ok=True)
    if blind := sorted({name for name in machines if name is not None}):
        raise UnavailableError(
            f"{len(machines) - machines.count(None)} of {team.size} processes, on {', '.join(blind)}, do not see the "
            f"cache {cache} of the first: set SENBENCH_HOME to one folder that all machines share"
        )


def _left(cache: Path) -> str:
    """Leave an empty file whose name nobody has asked for yet."""
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
