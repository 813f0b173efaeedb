"""Tiles decoded in processes of their own, for a device that outruns the threads of one interpreter.

A worker is a fresh interpreter that imports no more than the reader of the tiles does: neither torch nor the
user's own script. It gets the reader once and positions part by part, and lays the tiles into memory that it
shares with its parent. That memory has no name and the worker ends at the end of its input, so that nothing is
left behind however either of them ends.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from concurrent.futures import Future
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError
from senbench.runtime import environment
from senbench.runtime.distributed import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Reader = Callable[[int], NDArray[Any]]

PART = 32
"""Tiles a worker decodes at a time: a message costs as much as one of them."""
ROOM = 1 << 25
"""Bytes that a worker shares with its parent, taken page by page as they are used; what does not fit is sent."""
MOST = 8
"""Workers: beyond these the parent, which collates, is what limits."""
ENOUGH = 4096
"""Tiles below which starting workers costs more than they save."""
_START = "from senbench.embedding.decode_pool import serve; serve()"


def count(n: int, *, portable: bool, overlaps: bool) -> int:
    """Workers that are worth starting, 0 to decode in this process.

    Args:
        n: Tiles to be decoded.
        portable: Whether the reader can be sent to another process and decoding costs something.
        overlaps: Whether the device works by itself: a CPU that encodes has no core to spare, and is slower.
    """
    cores = environment.cores() // beside()
    useful = portable and overlaps and n >= ENOUGH and cores > 1 and hasattr(os, "memfd_create")
    return min(MOST, cores) if useful else 0


class Workers:
    """Worker processes with one reader; a context manager.

    Args:
        reader: Index -> tile; raises TileError. It is pickled.
        n: Processes.
    """

    def __init__(self, reader: Reader, n: int) -> None:
        sent = pickle.dumps(reader)
        self._all: list[_Worker] = []
        self._idle: deque[_Worker] = deque()
        self._waiting: deque[Future[_Worker]] = deque()
        self._turn = threading.Lock()
        try:
            for _ in range(n):
                self._all.append(_Worker(sent, self._give))
        except OSError as error:
            self.close()
            raise UnavailableError(f"processes that decode tiles cannot be started: {error.strerror}") from error

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def useful(self) -> bool:
        """False while workers are still starting and no other is free: who would ask does better to decode."""
        return bool(self._idle) or not any(worker.starts for worker in self._all)

    def read(self, indices: Sequence[int]) -> list[NDArray[Any] | TileError]:
        """Decode tiles in whichever worker is free; called from as many threads as there are workers, or more.

        Args:
            indices: What the reader takes.

        Returns:
            A tile, in memory of its own, or why there is none, for each index.

        Raises:
            UnavailableError: The worker was killed.
            Exception: What else the reader raised.
        """
        worker = self._take()
        try:
            return worker.read(indices)
        finally:  # a dead one too: who gets it next is told the same, and nobody waits
            self._give(worker)

    def _take(self) -> _Worker:
        """A free worker, in the order of asking: a queue would let who just gave one back take it again."""
        with self._turn:
            if self._idle:
                return self._idle.popleft()
            self._waiting.append(turn := Future[_Worker]())
        return turn.result()

    def _give(self, worker: _Worker) -> None:
        with self._turn:
            if self._waiting:
                self._waiting.popleft().set_result(worker)
            else:
                self._idle.append(worker)

    def close(self) -> None:
        """End the processes; nothing may be reading."""
        for worker in self._all:  # they have nothing to lose, and would take a tenth of a second each to end
            worker.kill()
        for worker in self._all:
            worker.close()


class _Worker:
    def __init__(self, reader: bytes, ready: Callable[[_Worker], None]) -> None:
        room = os.memfd_create("senbench-tiles")
        try:
            os.ftruncate(room, ROOM)
            self._room = mmap.mmap(room, ROOM)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(room)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=(room,),
                process_group=0,  # Ctrl-C is the parent's
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                },
            )
        finally:
            os.close(room)
        pipes = (self._process.stdin, self._process.stdout)
        self._into, self._out = cast("tuple[IO[bytes], IO[bytes]]", pipes)
        self._usher = threading.Thread(target=self._start, args=(reader, ready), daemon=True)
        self._usher.start()

    @property
    def starts(self) -> bool:
        """Whether it still imports what the reader needs."""
        return self._usher.is_alive()

    def _start(self, reader: bytes, ready: Callable[[_Worker], None]) -> None:
        """Hand the reader over and wait until the worker has it; one that died is ready to say so."""
        try:
            with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
                self._into.write(reader)
                self._into.flush()
                pickle.load(self._out)
        finally:  # or who waits for a worker would wait for ever
            ready(self)

    def read(self, indices: Sequence[int]) -> list[NDArray[Any] | TileError]:
        try:
            pickle.dump(list(indices), self._into)
            self._into.flush()
            told: list[Any] | Exception = pickle.load(self._out)  # what our own process wrote
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise UnavailableError(
                f"a process that decodes tiles {self._end()}; the same command continues with what was embedded"
            ) from error
        if isinstance(told, Exception):
            raise told
        lying = [tile for tile in told if isinstance(tile, tuple)]
        end = max((at + math.prod(shape) * np.dtype(kind).itemsize for at, shape, kind in lying), default=0)
        mine = np.ndarray(end, np.uint8, self._room).copy()  # the next part overwrites what is shared
        return [np.ndarray(t[1], t[2], mine, t[0]) if isinstance(t, tuple) else t for t in told]

    def _end(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "does not answer"
        return f"was killed (signal {-code}; memory?)" if code < 0 else f"ended with status {code}"

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._usher.join()
        for pipe in (self._into, self._out):
            with contextlib.suppress(OSError):  # a dead worker's pipe may still hold something
                pipe.close()
        self._process.wait()
        self._room.close()


def serve() -> None:
    """What a worker does: parts of tiles from standard input to shared memory, until its input ends."""
    into, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a reader prints is no answer
    room = mmap.mmap(int(sys.argv[1]), ROOM)
    with contextlib.suppress(EOFError, BrokenPipeError):
        reader: Reader = pickle.load(into)
        out.write(pickle.dumps(None))  # it is up
        out.flush()
        while True:
            _answer(reader, pickle.load(into), room, out)


def _answer(reader: Reader, indices: list[int], room: mmap.mmap, out: IO[bytes]) -> None:
    found: list[Any] = []
    at = 0
    try:
        for i in indices:
            try:
                tile = np.ascontiguousarray(reader(i))
            except TileError as error:
                found.append(TileError(str(error)))
                continue
            if at + tile.nbytes > ROOM:
                found.append(tile)
                continue
            room[at : at + tile.nbytes] = tile.data.cast("B")
            found.append((at, tile.shape, tile.dtype.str))
            at += -(-tile.nbytes // 64) * 64  # aligned for every type
        answer = pickle.dumps(found)
    except Exception as error:  # the parent raises it, as if it had read the tile itself
        answer = _sendable(error)
    out.write(answer)
    out.flush()


def _sendable(error: Exception) -> bytes:
    try:
        sent = pickle.dumps(error)
        pickle.loads(sent)
    except Exception:  # an exception with arguments of its own
        sent = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return sent
