"""Several processes of torchrun as one run: the rank of this process, and the points where all synchronise.

Embeddings are not sent between processes: each process writes what it embeds to the shared cache, and the first
process reads it there. Only lists and short messages are sent, and gradients when a model is trained, over gloo on
every device. A process that ends closes its connections, so that the processes waiting for it end too.
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
"""Environment variable with the longest time that a process waits for the others, in minutes."""
USUAL_WAIT = 120


class Team:
    """The processes of one run; a run of a single process does not import torch for it.

    Attributes:
        rank: Number of this process; 0 is the first, which scores and writes.
        size: Number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def from_first(self, value: T) -> T:
        """Send a value of the first process to all of them.

        Args:
            value: Taken from the first process only; it is pickled.

        Raises:UnavailableError: A process ended, or did not answer in time.
        """
        if self.size == 1:
            return value
        sent = [value]
        _meet(lambda dist: dist.broadcast_object_list(sent, src=0))
        return sent[0]

    def to_first(self, value: T) -> list[T]:
        """Collect one value per process, ordered by rank, in the first process; the others get an empty list.

        Args:
            value: The value of this process; it is pickled.

        Raises:UnavailableError: A process ended, or did not answer in time.
        """
        if self.size == 1:
            return [value]
        gathered: list[Any] | None = [None] * self.size if self.rank == 0 else None
        _meet(lambda dist: dist.gather_object(value, gathered, dst=0))
        return gathered or []

    def tensor_from(self, rank: int, value: torch.Tensor | None, *, like: torch.Tensor) -> torch.Tensor:
        """Broadcast a tensor from one process to all.

        Args:
            rank: The process that sends the tensor.
            value: The tensor, on any device; used from that process only.
            like: A tensor of its shape and dtype, which is overwritten in the other processes.

        Raises:
            UnavailableError: A process ended, or did not answer in time.
        """
        sends = rank == self.rank
        if sends and value is None:
            raise ValueError(f"process {rank} must pass the tensor that it sends")
        if self.size == 1 and value is not None:
            return value
        sent = (value if sends and value is not None else like).cpu()  # gloo sends tensors in CPU memory only
        _meet(lambda dist: dist.broadcast(sent, src=rank))
        return value if sends and value is not None else sent.to(like.device)

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Let the first process do something before the others, such as downloading a file that they then reuse."""
        if self.rank:
            self.from_first(None)
        yield
        if not self.rank:
            self.from_first(None)

    def device(self, name: str) -> str:
        """Return the device of this process; CUDA without a number gives each process of a machine its own GPU.

        Args:
            name: Device as asked for.
        """
        if self.size == 1 or name not in ("auto", "cuda"):
            return name
        import torch

        if name == "auto" and not torch.cuda.is_available():
            return name
        local_rank, there = _number("LOCAL_RANK"), torch.cuda.device_count()
        if local_rank >= there:
            raise UnavailableError(
                f"process {local_rank} of this machine has no device: there are {there}; "
                f"use --nproc-per-node {max(1, there)}"
            )
        torch.cuda.set_device(local_rank)  # or every process would hold a context on the first device too
        return f"cuda:{local_rank}"


ALONE = Team()


def team() -> Team:
    """Return the processes of this run, read from torchrun's environment variables; `ALONE` without them."""
    size = _number("WORLD_SIZE", 1)
    return Team(_number("RANK"), size) if size > 1 else ALONE


def beside() -> int:
    """Return how many processes torchrun started on this machine; they share its cores."""
    return max(1, _number("LOCAL_WORLD_SIZE", 1))


def tell(line: str) -> None:
    """Print why the run ends; only the process that failed first prints.

    Args:
        line: What is shown on stderr.
    """
    store: Any = None
    late = False
    with suppress(Exception):  # no store if the first machine is gone: print then, too
        if team().size > 1:
            store = _store()
            late = store.add("failed", 1) > 1
    if late:
        with suppress(RuntimeError):  # torchrun ends all processes at the first exit: wait until the line is printed
            store.wait(["told"], timedelta(seconds=5))
        return
    with suppress(OSError):  # the log may be on a full disk; the exit code is still returned
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
    """Return torchrun's store, which lives in its agent and so outlives a process that fails."""
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


def _torch() -> Any:  # its type stubs are incomplete
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
