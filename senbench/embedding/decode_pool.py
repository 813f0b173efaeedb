"""Decodes tiles in worker processes, for devices that are faster than the threads of one interpreter.

A worker is a new interpreter that imports only what the reader of the tiles needs: neither torch nor the user's
script. It receives the reader once, then positions in small parts, and writes the tiles into memory shared with its
parent. This memory is unnamed and the worker ends when its input is closed, so that nothing is left behind however
either process ends.
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
"""Tiles per message to a worker; a message costs as much as decoding one tile."""
ROOM = 1 << 25
"""Bytes of shared memory per worker, allocated page by page on use; tiles that do not fit are sent over the pipe."""
MOST = 8
"""Most workers; with more, the parent, which collates the batches, is the limit."""
ENOUGH = 4096
"""Fewest tiles for which starting workers saves time."""
_START = "from senbench.embedding.decode_pool import serve; serve()"


def count(n: int, *, portable: bool, overlaps: bool) -> int:
    """Return how many workers to start; 0 decodes in this process.

    Args:
        n: Tiles to be decoded.
        portable: Whether the reader can be sent to another process and decoding takes noticeable time.
        overlaps: Whether the device computes independently of the CPU; a CPU that encodes has no cores to spare.
    """
    cores = environment.cores() // beside()
    useful = portable and overlaps and n >= ENOUGH and cores > 1 and hasattr(os, "memfd_create")
    return min(MOST, cores) if useful else 0


class Workers:
    """Worker processes that share one reader; a context manager.

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
        """Return False while the workers are starting and none is free, so that the caller should decode by itself."""
        return bool(self._idle) or not any(worker.starts for worker in self._all)

    def read(self, indices: Sequence[int]) -> list[NDArray[Any] | TileError]:
        """Decode tiles in a free worker; called from at least as many threads as there are workers.

        Args:
            indices: Indices of tiles, as the reader takes them.

        Returns:
            For each index the tile, in its own memory, or the error that explains why it cannot be decoded.

        Raises:
            UnavailableError: The worker was killed.
            Exception: Any other exception of the reader.
        """
        worker = self._take()
        try:
            return worker.read(indices)
        finally:  # also a dead worker: its next user gets the same error instead of waiting
            self._give(worker)

    def _take(self) -> _Worker:
        """Return a free worker, first come first served: with a queue the last user could take its worker again."""
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
        """End the processes; no thread may be reading."""
        for worker in self._all:  # killed: a regular end takes 0.1 s each
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
                process_group=0,  # the parent handles Ctrl-C
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
        """Return whether the worker is still importing what the reader needs."""
        return self._usher.is_alive()

    def _start(self, reader: bytes, ready: Callable[[_Worker], None]) -> None:
        """Send the reader and wait until the worker has loaded it; a worker that died reports that at its first use."""
        try:
            with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
                self._into.write(reader)
                self._into.flush()
                pickle.load(self._out)
        finally:  # otherwise a thread that waits for a worker would wait forever
            ready(self)

    def read(self, indices: Sequence[int]) -> list[NDArray[Any] | TileError]:
        try:
            pickle.dump(list(indices), self._into)
            self._into.flush()
            answer: list[Any] | Exception = pickle.load(self._out)  # written by our own process
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            raise UnavailableError(
                f"a process that decodes tiles {self._end()}; the same command continues with what was embedded"
            ) from error
        if isinstance(answer, Exception):
            raise answer
        lying = [tile for tile in answer if isinstance(tile, tuple)]
        end = max((at + math.prod(shape) * np.dtype(kind).itemsize for at, shape, kind in lying), default=0)
        mine = np.ndarray(end, np.uint8, self._room).copy()  # the next part overwrites the shared memory
        return [np.ndarray(t[1], t[2], mine, t[0]) if isinstance(t, tuple) else t for t in answer]

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
            with contextlib.suppress(OSError):  # the pipe of a dead worker may still contain data
                pipe.close()
        self._process.wait()
        self._room.close()


def serve() -> None:
    """Run a worker: decode the parts named on standard input into shared memory until the input ends."""
    into, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a reader's printed output must not mix with the answers
    room = mmap.mmap(int(sys.argv[1]), ROOM)
    with contextlib.suppress(EOFError, BrokenPipeError):
        reader: Reader = pickle.load(into)
        out.write(pickle.dumps(None))  # the worker is ready
        out.flush()
        while True:
            _answer(reader, pickle.load(into), room, out)


def _answer(reader: Reader, indices: list[int], room: mmap.mmap, out: IO[bytes]) -> None:
    decoded: list[Any] = []
    at = 0
    try:
        for i in indices:
            try:
                tile = np.ascontiguousarray(reader(i))
            except TileError as error:
                decoded.append(TileError(str(error)))
                continue
            if at + tile.nbytes > ROOM:
                decoded.append(tile)
                continue
            room[at : at + tile.nbytes] = tile.data.cast("B")
            decoded.append((at, tile.shape, tile.dtype.str))
            at += -(-tile.nbytes // 64) * 64  # aligned for all dtypes
        answer = pickle.dumps(decoded)
    except Exception as error:  # the parent raises this exception as if it had read the tile itself
        answer = _sendable(error)
    out.write(answer)
    out.flush()


def _sendable(error: Exception) -> bytes:
    try:
        sent = pickle.dumps(error)
        pickle.loads(sent)
    except Exception:  # an exception whose constructor takes other arguments
        sent = pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return sent
