"""Windows of a scene through a run's model, block by block; what is done is kept, so that a stopped one continues.

A block is read once, while the one before it is encoded. Its scores lie in a file of their own, written anew after at
most `image_pass.SHARD_SECONDS`, in whole batches, so that a continued block goes through the model in the same batches.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from senbench.embedding.image_pass import EmbedOptions, ImageEmbeddings, ImagePass
from senbench.errors import UnavailableError
from senbench.evaluation.mapping.block_reader import CLASSIFIED, SceneReader, WindowReader, read_block, windows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.evaluation.mapping.scene import Scene
    from senbench.evaluation.mapping.settled import Settled
    from senbench.evaluation.mapping.window_grid import WindowBlock, WindowGrid
    from senbench.models.encoder import Encoder
    from senbench.runtime.distributed import Team
    from senbench.runtime.progress import Progress
    from senbench.scoring.classifier import Classifier

SETTINGS = "settings.json"


class BlockScores(NamedTuple):
    """What is known of a block."""

    state: NDArray[np.uint8]
    """What became of each window, (rows, columns), as of `block_reader`."""
    scores: NDArray[np.float32]
    """Scores (rows, columns, C), NaN where a window is left out or not classified yet."""

    @property
    def complete(self) -> bool:
        """Whether every window that is to be classified is."""
        return not np.isnan(self.scores[self.state == CLASSIFIED]).any()


@dataclass(frozen=True)
class PartFiles:
    """The files of a pass.

    Attributes:
        folder: Their folder, beside what is to be written.
        classes: Number of classes.
    """

    folder: Path
    classes: int

    def path(self, k: int) -> Path:
        """File of block k."""
        return self.folder / f"block-{k:06d}.npz"

    def read(self, k: int, block: WindowBlock) -> BlockScores | None:
        """What is known of a block; None: nothing, or its file is damaged."""
        try:
            with np.load(self.path(k), allow_pickle=False) as data:
                found = BlockScores(data["state"], data["scores"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
        fits = found.state.shape == block.shape and found.scores.shape == (*block.shape, self.classes)
        return found if fits and found.scores.dtype == np.float32 else None

    def write(self, k: int, part: BlockScores) -> None:
        """Keep what is known of a block, whole or not at all; raises UnavailableError."""
        path = self.path(k)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with temporary.open("wb") as stream:
                np.savez(stream, state=part.state, scores=part.scores)
            temporary.replace(path)
        except OSError as error:
            raise UnavailableError(f"{self.folder} cannot be written: {error.strerror or error}") from error
        finally:
            temporary.unlink(missing_ok=True)

    def begin(self, settings: dict[str, Any], say: Callable[[str], None]) -> None:
        """Make the folder, empty unless it holds parts of a pass with the same settings; raises UnavailableError."""
        text = json.dumps(settings, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        try:
            if self.folder.exists() and _told(self.folder) != digest:
                say(f"{self.folder.name}: holds parts of a map with other settings or pixels, which is begun anew")
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / SETTINGS).write_text(json.dumps({"sha256": digest, "settings": settings}, indent=1))
        except OSError as error:
            raise UnavailableError(f"{self.folder} cannot be written: {error.strerror or error}") from error


def _told(folder: Path) -> str | None:
    try:
        found = json.loads((folder / SETTINGS).read_text())
        return str(found["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True)
class ScenePass:
    """A scene, its windows and what classifies them.

    Attributes:
        settled: The run.
        scene: The scene.
        grid: Its windows.
        encoder: The run's model.
        classifier: The run's classifier.
        options: Batch size, and the processes that share the work.
    """

    settled: Settled
    scene: Scene
    grid: WindowGrid
    encoder: Encoder
    classifier: Classifier
    options: EmbedOptions

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that are read."""
        return self.settled.order or self.settled.model.card.bands

    @property
    def policy(self) -> str:
        """Rendering of digital numbers to 8-bit RGB."""
        return self.settled.rendering(self.scene.info) or self.scene.info.radiometry

    def classify(self, files: PartFiles, team: Team, progress: Progress) -> None:
        """Classify every window of this process's blocks, and keep the scores.

        Raises:
            UnavailableError: A block cannot be read or kept.
        """
        blocks = self.grid.blocks()
        mine = range(team.rank, len(blocks), team.size)
        total = sum(blocks[k].shape[0] * blocks[k].shape[1] for k in mine)
        title = f"{self.settled.model.card.title}: windows of {self.scene.title}"
        with progress.stage(title if team.size == 1 else f"{title}, one of {team.size} processes", total) as advance:
            todo = []
            for k in mine:
                if (part := files.read(k, blocks[k])) is not None and part.complete:
                    advance(part.state.size)
                else:
                    todo.append((k, part))
            for (k, part), reader in self._ahead([(k, part, blocks[k]) for k, part in todo]):
                self._block(k, part, reader, files, advance)

    def _ahead(
        self, todo: Sequence[tuple[int, BlockScores | None, WindowBlock]]
    ) -> Iterator[tuple[tuple[int, BlockScores | None], WindowReader]]:
        """Blocks, each read while the one before it is encoded."""
        source = SceneReader(self.scene, self.bands)
        with ThreadPoolExecutor(1) as pool:
            try:
                waiting = [pool.submit(read_block, source, self.grid, todo[0][2], self.policy)] if todo else []
                for i, (k, part, _) in enumerate(todo):
                    reader = waiting.pop().result()
                    if i + 1 < len(todo):
                        waiting.append(pool.submit(read_block, source, self.grid, todo[i + 1][2], self.policy))
                    yield (k, part), reader
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                source.close()

    def _block(
        self, k: int, part: BlockScores | None, reader: WindowReader, files: PartFiles, advance: Callable[[int], None]
    ) -> None:
        state = reader.state()
        if part is None or not np.array_equal(part.state, state):
            part = BlockScores(state, np.full((*state.shape, files.classes), np.nan, np.float32))
        size = self.options.batch_size or self.encoder.batch_size
        keeper = _Scores(self.classifier, part, size, lambda known: files.write(k, known))
        wanted = np.flatnonzero(state.ravel() == CLASSIFIED)
        todo = wanted[np.isnan(keeper.rows[wanted, 0])].tolist()
        advance(state.size - len(todo))
        tiles = self.settled.as_seen(windows_of(self.scene, reader, self.policy))
        images = ImagePass(self.encoder, tiles, keeper, ImageEmbeddings(batch_size=size), self.options)
        images.embed(todo, lambda position: position.to_bytes(8, "big"), advance)
        if not todo:
            files.write(k, part)


class _Scores:
    """Takes rows of a pass, and keeps the scores that follow from them."""

    def __init__(
        self, classifier: Classifier, part: BlockScores, batch: int, write: Callable[[BlockScores], None]
    ) -> None:
        self.classifier, self.part, self.batch, self.write = classifier, part, batch, write
        self.rows = part.scores.reshape(-1, part.scores.shape[-1])

    def add(self, keys: Sequence[bytes], rows: NDArray[np.float32]) -> None:
        """Score the rows of the windows that the keys name, and write what is known of the block.

        Batches are scored one by one: the last bits of a product depend on its size, and how many batches come at
        once depends on the clock.
        """
        at = [int.from_bytes(key, "big") for key in keys]
        for start in range(0, len(at), self.batch):
            part = slice(start, start + self.batch)
            self.rows[at[part]] = self.classifier.scores(rows[part])
        self.write(self.part)
