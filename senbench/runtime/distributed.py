"""Several processes as one run, started by torchrun: which one this is, and the few moments at which all meet.

Rows do not travel: every process keeps what it embeds in the shared cache, where the first one reads it. What
travels are lists and words, and gradients where a model is trained, over gloo whatever the device is. A process that
ends closes its connections, so that those which wait for it end too.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from senbench.errors import UnavailableError, UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

T = TypeVar("T")
WAIT = "SENBENCH_WAIT_MINUTES"
"""Variable with the longest time a process waits for the others."""
USUAL_WAIT = 120


class Team:
    """The processes of one run; this one alone where there is no other, and then torch is not imported.

    Attributes:
        rank: Number of this process; 0 is the first, which scores and writes.
        size: Number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def from_first(self, value: T) -> T:
        """What the first process holds, in all of them.

        Args:
            value: Taken from the first process only; it is pickled.

        Raises:
            UnavailableError: A process ended, or did not come in time.
        """
        if self.size == 1:
            return value
        sent = [value]
        _meet(lambda dist: dist.broadcast_object_list(sent, src=0))
        return sent[0]

    def to_first(self, value: T) -> list[T]:
        """What each process holds, by rank, in the first one; nothing in the others.

        Args:
            value: What this process holds; it is pickled.

        Raises:
            UnavailableError: A process ended, or did not come in time.
        """
        if self.size == 1:
            return [value]
        found: list[Any] | None = [None] * self.size if self.rank == 0 else None
        _meet(lambda dist: dist.gather_object(value, found, dst=0))
        return found or []

    def tensor_from(self, rank: int, value: torch.Tensor | None, *, like: torch.Tensor) -> torch.Tensor:
        """A tensor that one process holds, in all of them.

        Args:
            rank: The process that holds it.
            value: The tensor, on any device; taken from that process only.
            like: A tensor of its shape and type, where it is written in the other processes.

        Raises:
            UnavailableError: A process ended, or did not come in time.
        """
        own = rank == self.rank
        if own and value is None:
            raise ValueError(f"process {rank} sends a tensor that it does not hold")
        if self.size == 1 and value is not None:
            return value
        sent = (value if own and value is not None else like).cpu()  # gloo carries what is on the CPU
        _meet(lambda dist: dist.broadcast(sent, src=rank))
        return value if own and value is not None else sent.to(like.device)

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """What the first process does before the others do it, so that they find it done: fetching, hashing."""
        if self.rank:
            self.from_first(None)
        yield
        if not self.rank:
            self.from_first(None)

    def device(self, name: str) -> str:
        """The device of this process: one of its machine's each where CUDA is meant without a number.

        Args:
            name: Device as asked for.
        """
        if self.size == 1 or name not in ("auto", "cuda"):
            return name
        import torch

        if name == "auto" and not torch.cuda.is_available():
            return name
        own, there = _number("LOCAL_RANK"), torch.cuda.device_count()
        if own >= there:
            raise UnavailableError(
                f"process {own} of this machine has no device: there are {there}; use --nproc-per-node {max(1, there)}"
            )
        torch.cuda.set_device(own)  # or every process would hold a context on the first device too
        return f"cuda:{own}"


ALONE = Team()


def team() -> Team:
    """The processes that torchrun started, by its variables; `ALONE` without them."""
    size = _number("WORLD_SIZE", 1)
    return Team(_number("RANK"), size) if size > 1 else ALONE


def beside() -> int:
    """Processes that torchrun started on this machine: they share its cores."""
    return max(1, _number("LOCAL_WORLD_SIZE", 1))


def tell(line: str) -> None:
    """Show why the run ends, once: only the process that failed first does.

    Args:
        line: What is shown on stderr.
    """
    store: Any = None
    late = False
    with suppress(Exception):  # whatever torch raises where the first machine is gone: better twice than never
        if team().size > 1:
            store = _store()
            late = store.add("failed", 1) > 1
    if late:
        with suppress(RuntimeError):  # torchrun ends all at the first exit: not before the line is there
            store.wait(["told"], timedelta(seconds=5))
        return
    with suppress(OSError):  # a log on a disk that is full: the exit code is told yet
        say(line, err=True)
    if store is not None:
        with suppress(RuntimeError):
            store.set("told", "")


def _number(name: str, default: int | None = None) -> int:
    text = os.environ.get(name, "" if default is None else str(default))
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"the environment has {name}={text!r}, which is no whole number: correct or unset it")
    return int(text)


def _wait() -> timedelta:
    return timedelta(minutes=min(max(1, _number(WAIT, USUAL_WAIT)), 525_600))


@cache
def _store() -> Any:
    """The store of torchrun, which lives in its agent and so outlives a process that fails."""
    store, _, _ = next(_torch().rendezvous("env://", timeout=timedelta(minutes=5)))
    return store


@cache
def _connected() -> Any:
    dist, whole = _torch(), team()
    dist.init_process_group(
        "gloo",
        store=dist.PrefixStore("senbench", _store()),
        rank=whole.rank,
        world_size=whole.size,
        timeout=_wait(),
    )
    return dist


def _torch() -> Any:  # its stubs leave out half of what it exports
    from torch import distributed

    return distributed


def _meet(call: Callable[[Any], object]) -> None:
    wait = _wait()
    try:
        call(_connected())
    except RuntimeError as error:  # what gloo and the store raise
        if "imed out" in str(error) or "imeout" in str(error):
            raise UnavailableError(
                f"a process of this run did not come within {wait.total_seconds() / 60:.0f} minutes; if it is only "
                f"slow, raise {WAIT}; the same command continues with what was embedded"
            ) from error
        raise UnavailableError(
            "a process of this run ended before the others (killed: memory?); the same command continues with what "
            "was embedded"
        ) from error
