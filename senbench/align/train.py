"""Training: from pairs and a base to a tower that says of a tile what photos say of the place."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.align import hold_out, retrieval, run_folder, zero_shot_probe
from senbench.align import recipe as recipes
from senbench.align.augmentation import pixels as made_pixels
from senbench.align.augmentation import preprocess_of
from senbench.align.learner import Learner
from senbench.align.run_folder import RunFolder
from senbench.errors import UsageError
from senbench.models import card_files, load
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.registry import find
from senbench.runtime import environment
from senbench.runtime.access import Access
from senbench.runtime.distributed import ALONE, Team
from senbench.runtime.paths import PACKAGE
from senbench.runtime.progress import Progress, Silent

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.align.recipe import AlignmentRecipe
    from senbench.align.training_set import TrainingSet
    from senbench.align.zero_shot_probe import Probe
    from senbench.models.adapter import Adapter
    from senbench.schema.model_card import ModelCard, Preprocess

SAVE_EVERY = 60.0
"""Seconds after which the state is kept again: what a killed run repeats at the most."""
ORDER, AUGMENT, FILL = 11, 12, 13
"""What a random stream is for: the order of an epoch, the augmentation of a step, the first queue."""
EVALUATED_AT_ONCE = 64


@dataclass(frozen=True)
class Surroundings:
    """Where and how an alignment runs; none of it changes what is computed, but device and threads in last bits.

    Attributes:
        access: The base's weights, the device, and whether a file may be fetched.
        team: The processes that share each batch.
        progress: Draws progress.
        probe: What is evaluated zero-shot after each epoch; None: nothing.
        save_every: Seconds after which the state is kept again.
    """

    access: Access = field(default_factory=Access)
    team: Team = ALONE
    progress: Progress = field(default_factory=Silent)
    probe: Probe | None = None
    save_every: float = SAVE_EVERY


class Trained(NamedTuple):
    """An alignment that has come to its end."""

    adapter: Adapter
    """The base with its aligned tower, ready to encode, preprocessing as it is to be evaluated with."""
    folder: RunFolder
    """Steps and epochs as measured, and where all is kept."""
    state_sha256: str
    """Hash of all that training changed: parameters, statistics, queue, the optimiser's moments."""
    preprocess: Preprocess
    """What the aligned tower was shown."""


def train(
    data: TrainingSet,
    base: str | ModelCard,
    out: Path,
    recipe: str | AlignmentRecipe = "senbench",
    surroundings: Surroundings | None = None,
    **changes: Any,
) -> Trained:
    """Align the tile tower of a base with the embeddings of photos; goes on with what is in the folder.

    An example, on arrays::

        data = TrainingSet(ids=ids, tiles=tiles, photos=photos, photo_rows=rows, latitude=lat, longitude=lon)
        done = train(data, "mini", Path("runs/a"), epochs=3, hold_out="random:0.05", crop=64)
        senbench.evaluate(done.adapter, "eurosat-rgb", "ground")

    Args:
        data: Tiles, embeddings of their photos by the same base, and which belongs to which.
        base: A card of plain CLIP (ViT or ResNet), or a name as `registry.find` takes it.
        out: Folder of the run.
        recipe: Name of a recipe (`recipe.RECIPES`), or one that is made.
        surroundings: Device, processes, progress; None: this process, silent, the base's released weights.
        **changes: Fields of `AlignmentRecipe` that are to be otherwise, for a recipe by name.

    Returns:
        The aligned model and what was measured.

    Raises:
        UsageError: Data, settings or base do not go together; nothing was computed.
        ContractError: The base's file is not its card's.
        UnavailableError: Weights or device are missing, a file is damaged, or a process ended.
    """
    where = surroundings or Surroundings()
    run = _Alignment.prepared(data, base, out, recipe, where, changes)
    return run.to_the_end()


@dataclass
class _Alignment:
    """An alignment while it runs."""

    data: TrainingSet
    recipe: AlignmentRecipe
    where: Surroundings
    adapter: Adapter
    learner: Learner
    rows: hold_out.Split
    folder: RunFolder
    preprocess: Preprocess

    @classmethod
    def prepared(
        cls,
        data: TrainingSet,
        base: str | ModelCard,
        out: Path,
        recipe: str | AlignmentRecipe,
        where: Surroundings,
        changes: dict[str, Any],
    ) -> _Alignment:
        """Everything checked, the first state or the kept one in place, before the first step."""
        card = find(base, offline=where.access.offline) if isinstance(base, str) else base
        data.check(card.embed_dim, card.id)
        adapter = base_adapter(card, where)
        data.check_base(adapter.weights_sha256, card.id)
        if isinstance(recipe, str):
            made = recipes.named(recipe, convolutional=adapter.convolutional, **changes)
        elif changes:
            raise UsageError(f"{next(iter(changes))} changes a recipe by name, and a made recipe was given")
        else:
            made = recipe
        _check_parts(made, adapter, where.team)
        rows = hold_out.split(data, made.hold_out, made.seed)
        if len(rows.train) < made.batch:
            raise UsageError(
                f"{len(rows.train):,} tiles to train on are fewer than a batch of {made.batch}; use a smaller --batch"
            )
        adapter.preprocess = preprocess_of(card, made)
        learner = Learner(adapter.model, made, card.embed_dim)
        folder = RunFolder(out)
        run = cls(data, made, where, adapter, learner, rows, folder, adapter.preprocess)
        with where.team.first_alone():
            other = folder.begin(run.settings(), computed_with(adapter))
            if where.team.rank == 0:
                folder.keep_places(data.latitude, data.longitude)
        if other is not None:
            where.progress.say(f"goes on with another {other}: the last bits may be others than those of one run")
        if (state := folder.state()) is not None:
            learner.restore(state)
            where.progress.say(f"goes on after step {learner.done:,} of {run.steps:,}, from {out}")
        elif made.queue_start == "table":
            run.fill_queue()
        return run

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch; tiles that fill no batch are left for another."""
        return len(self.rows.train) // self.recipe.batch

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.per_epoch * self.recipe.epochs

    def settings(self) -> dict[str, Any]:
        """All that decides what comes out, as `align.json` holds it."""
        described = self.adapter.card.model_dump(mode="json")
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "base": {
                "card": card_files.portable(self.adapter.card),
                "card_sha256": hashlib.sha256(repr(sorted(described.items())).encode()).hexdigest(),
                "weights_sha256": self.adapter.weights_sha256,
            },
            "data": {**self.data.facts, "sha256": self.data.digest()},
            "tiles": {
                "train": len(self.rows.train),
                "held_out": len(self.rows.held),
                "left_out_near_held_out": len(self.rows.left_out),
            },
            "trained": list(self.learner.prefixes),
            "preprocess": self.preprocess.model_dump(mode="json"),
        }

    def fill_queue(self) -> None:
        """Start the queue with targets of training tiles, drawn by the seed."""
        import torch

        rng = np.random.default_rng([self.recipe.seed, FILL])
        n = len(self.rows.train)
        chosen = (
            rng.permutation(n)[: self.recipe.queue] if n >= self.recipe.queue else rng.integers(0, n, self.recipe.queue)
        )
        photos, there = self.data.seen(self.rows.train[chosen], self.recipe.views)
        with torch.no_grad():
            self.learner.fill_queue(self.learner.targets(torch.from_numpy(photos), torch.from_numpy(there)))

    def to_the_end(self) -> Trained:
        """Make all steps that are left, and measure after each epoch."""
        recipe, first = self.recipe, self.where.team.rank == 0
        if self.learner.done < self.steps:
            self._estimate()
        while self.learner.done < self.steps:
            epoch = self.learner.done // self.per_epoch
            self._epoch(epoch)
            measured = self._measured(epoch)
            if first:
                self.folder.epochs.append(measured)
                self.folder.save(self.learner.state())
        sha256 = run_folder.digest(self.learner.state())
        if first:
            self.folder.note(state_sha256=sha256, steps=self.learner.done)
        self.adapter.model.eval().requires_grad_(requires_grad=False)
        self.adapter.live = True  # the file's hash is no longer that of the weights
        self.where.progress.say(f"{recipe.epochs} epochs, {self.learner.done:,} steps: {self.folder.path}")
        return Trained(self.adapter, self.folder, sha256, self.preprocess)

    def _epoch(self, epoch: int) -> None:
        """Make the steps of an epoch that are left."""
        order = np.random.default_rng([self.recipe.seed, ORDER, epoch]).permutation(self.rows.train)
        began, size = self.learner.done - epoch * self.per_epoch, self.recipe.batch
        kept, title = time.monotonic(), f"epoch {epoch + 1} of {self.recipe.epochs}, tiles"
        with self.where.progress.stage(title, (self.per_epoch - began) * size) as advance:
            for k in range(began, self.per_epoch):
                start = time.perf_counter()
                report = self.step(order[k * size : (k + 1) * size], epoch)
                rate = size / (time.perf_counter() - start)
                if not math.isfinite(report.loss):
                    raise UsageError(
                        f"the loss is {report.loss} in step {self.learner.done:,}; use a smaller --learning-rate, or "
                        "--dtype float32"
                    )
                self.folder.steps.append(
                    (self.learner.done, epoch + 1, *report, self.learner.learning_rate(epoch), rate)
                )
                advance(size)
                last = k + 1 == self.per_epoch  # its state is kept when the epoch was measured
                if not last and self.where.team.rank == 0 and time.monotonic() - kept >= self.where.save_every:
                    self.folder.save(self.learner.state())
                    kept = time.monotonic()

    def step(self, rows: NDArray[np.int64], epoch: int) -> Any:
        """One step on some tiles."""
        return self.learner.step(*self._tensors(rows), epoch=epoch, team=self.where.team)

    def _tensors(self, rows: NDArray[np.int64]) -> tuple[Any, Any, Any]:
        import torch

        batch = self.data.batch(rows, self.recipe.views)
        seed = [self.recipe.seed, AUGMENT, self.learner.done]
        seen = made_pixels(batch.tiles, self.preprocess, self.recipe, seed)
        return seen, torch.from_numpy(batch.photos), torch.from_numpy(batch.there)

    def _estimate(self) -> None:
        """Say how long it will take, from one batch whose gradients are not used."""
        learner, rows = self.learner, self.rows.train[: self.recipe.batch]
        before = {name: value.clone() for name, value in learner.statistics.items()}
        seconds = math.inf
        for _ in range(2):  # the first time is longer
            start = time.perf_counter()
            learner.gradients(*self._tensors(rows), team=self.where.team)
            seconds = min(seconds, time.perf_counter() - start)
        for name, value in learner.statistics.items():
            value.copy_(before[name])
        left = self.steps - learner.done
        trained = sum(p.numel() for p in learner.parameters.values())
        self.where.progress.say(
            f"{len(self.rows.train):,} tiles to train on, {len(self.rows.held):,} held out; {trained:,} parameters are "
            f"trained; {left:,} steps of {self.recipe.batch} tiles, about {_duration(left * seconds)} "
            f"({self.recipe.batch / seconds:,.0f} tiles/s) besides what is measured after each epoch"
        )

    def _measured(self, epoch: int) -> dict[str, Any]:
        """Retrieval of held-out tiles, and the probe, by the first process; the others wait."""
        found: dict[str, Any] = {}
        if self.where.team.rank == 0:
            rows = [row for row in self.folder.steps if row[1] == epoch + 1]
            found = {
                "epoch": epoch + 1,
                "step": self.learner.done,
                "mean_loss": sum(row[2] for row in rows) / len(rows),
                "retrieval": self.retrieved(),
            }
            if self.where.probe is not None:
                found["zero_shot"] = zero_shot_probe.measure(self.adapter, self.where.probe)
            self.where.progress.say(_line(found))
        return self.where.team.from_first(found)

    def retrieved(self) -> dict[str, Any] | None:
        """Recall on held-out tiles, by the tower and, where there is a head, behind it; None: none are held out."""
        import torch

        if len(self.rows.held) == 0:
            return None
        tower, behind, targets = [], [], []
        training = [module for module in self.adapter.model.modules() if module.training]
        self.adapter.model.eval()
        with torch.inference_mode():
            for start in range(0, len(self.rows.held), EVALUATED_AT_ONCE):
                batch = self.data.batch(self.rows.held[start : start + EVALUATED_AT_ONCE], self.recipe.views)
                features = self.learner.features(made_pixels(batch.tiles, self.preprocess, self.recipe))
                tower.append(_unit(features))
                if self.learner.head is not None:
                    behind.append(_unit(self.learner.head(features)))
                photos, there = torch.from_numpy(batch.photos), torch.from_numpy(batch.there)
                targets.append(_unit(self.learner.targets(photos, there)))
        for module in training:
            module.training = True
        found = retrieval.recall(np.concatenate(tower), np.concatenate(targets))
        if behind:
            found["behind_head"] = retrieval.recall(np.concatenate(behind), np.concatenate(targets))
        return found


def base_adapter(card: ModelCard, where: Surroundings) -> Adapter:
    """The base, in float32, with kernels that give gradients.

    Args:
        card: Its card.
        where: Weights and device.

    Raises:
        UsageError: It is not plain CLIP, or takes other tiles than 8-bit RGB.
        ContractError: Its file is not its card's.
        UnavailableError: Its file or the device is missing.
    """
    from senbench.models.clip.resnet import ModifiedResNet
    from senbench.models.clip.vit import CLIP, VisionTransformer

    if card.unit != "uint8" or len(card.bands) != 3:
        raise UsageError(
            f"--base {card.id} takes {len(card.bands)} bands of {card.unit}; aligned are bases of 8-bit RGB"
        )
    access = Access(
        offline=where.access.offline,
        weights=where.access.weights,
        accept_new_weights=where.access.accept_new_weights,
        device=where.team.device(where.access.device),
        kernels="torch",
    )
    with where.team.first_alone():
        checkpoint = Checkpoint.of(card, access)
    adapter = load.from_file(checkpoint)
    if not (type(adapter.model) is CLIP and isinstance(adapter.model.visual, VisionTransformer | ModifiedResNet)):
        raise UsageError(f"--base {card.id} is no plain CLIP (a ViT or ResNet beside a text tower); take such a card")
    return adapter


def computed_with(adapter: Adapter) -> dict[str, Any]:
    """What decides the last bits: device, threads a process, versions and a hash of the code that trains."""
    import torch

    digest = hashlib.sha256()
    for folder in ("align", "models/clip"):
        for file in sorted((PACKAGE / folder).glob("*.py")):
            digest.update(file.read_bytes())
    return {
        "device": adapter.device.type,
        "threads": torch.get_num_threads(),
        "versions": environment.versions(),
        "code_sha256": digest.hexdigest(),
    }


def _check_parts(recipe: AlignmentRecipe, adapter: Adapter, team: Team) -> None:
    """Refuse to cut a batch whose statistics are asked for, and processes that have nothing to do."""
    if recipe.batch_statistics and adapter.convolutional and recipe.micro_batches > 1:
        raise UsageError(
            f"{recipe.micro_batches} micro-batches: batch norms with statistics of the batch need it whole; use 1, or "
            "frozen statistics (recipe senbench)"
        )
    if team.size > recipe.micro_batches or recipe.micro_batches % team.size:
        raise UsageError(
            f"{team.size} processes cannot share {recipe.micro_batches} micro-batches evenly; give --micro-batches "
            f"{team.size} (it is part of the settings: use the same with fewer processes for the same bits)"
        )


def _unit(rows: Any) -> NDArray[np.float32]:
    from torch.nn.functional import normalize

    found: NDArray[np.float32] = normalize(rows.float(), dim=1).cpu().numpy()
    return found


def _line(measured: dict[str, Any]) -> str:
    """An epoch in one line."""
    told = f"epoch {measured['epoch']}: mean loss {measured['mean_loss']:.3f}"
    if (found := measured["retrieval"]) is not None:
        ways = f"{100 * found['tile_to_ground']['1']:.1f} % / {100 * found['ground_to_tile']['1']:.1f} %"
        told += f"; R@1 of {found['n']:,} held-out tiles {ways} (chance {100 * found['chance']['1']:.2g} %)"
    if (probe := measured.get("zero_shot")) is not None:
        told += f"; {probe['metric']} on {probe['dataset']} {100 * probe['value']:.1f} %"
    return told


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
