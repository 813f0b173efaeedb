"""What a run settled, read from its result: model, prompts, ensembling, radiometry; from it tiles can be classified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.datasets.catalog import BUILTIN
from senbench.datasets.channel_statistics import scale
from senbench.datasets.radiometry import DIGITAL, NATIVE, POLICIES
from senbench.errors import UsageError
from senbench.evaluation.embed import Embedder, paired
from senbench.evaluation.model_of_run import ModelOfRun
from senbench.prompts.load import prompt_hash
from senbench.results import places
from senbench.results.qualifications import qualifications
from senbench.schema.prompt_set import PromptSet
from senbench.schema.run_spec import RunSpec
from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.multi_label.thresholds import above_image_mean
from senbench.scoring.postprocess import Scoring, predict
from senbench.scoring.transclip import Transduction

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.models.lazy_model import LazyModel
    from senbench.runtime.progress import Progress
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.result import RunResult
    from senbench.scoring import Float


class Where(NamedTuple):
    """What of a run may be elsewhere on this machine, and how its model runs here."""

    weights: str | None = None
    """Checkpoint file; it must have the hash of the run's. None: the run's own, or the released one."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, ..."""
    offline: bool = False
    """Fetch nothing."""


class Answers(NamedTuple):
    """What a classifier says of some tiles."""

    scores: NDArray[np.float32]
    """Scores as finally compared, (N, C)."""
    best: NDArray[np.int64]
    """Class with the highest score, ties broken by class order, (N,)."""
    margin: NDArray[np.float32]
    """Highest score minus the second highest, (N,)."""
    warnings: tuple[str, ...] = ()
    """What the post-processing warns of."""

    @classmethod
    def of(cls, scores: NDArray[np.float32], warnings: tuple[str, ...] = ()) -> Answers:
        """What follows from scores (N, C)."""
        return cls(scores, predict(scores)[0], margins(scores), warnings)


def margins(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Highest score minus the second highest, (N,), of scores (N, C) with C of at least 2."""
    two = np.partition(scores, scores.shape[1] - 2, axis=1)[:, -2:]
    return np.asarray(two[:, 1] - two[:, 0], np.float32)


@dataclass(frozen=True)
class Settled:
    """What a run settled.

    Attributes:
        result: Its result.
        model: Its model, with the hash of the weights, preprocessing, precision and kernels.
        prompts: Its prompts as they were rendered.
    """

    result: RunResult
    model: ModelOfRun
    prompts: PromptSet

    @classmethod
    def of(cls, result: RunResult) -> Settled:
        """Read what a result settled; nothing is looked for on this machine.

        Raises:
            UsageError: Its prompts are not those that its hash names, or do not fit its classes.
            UnavailableError: It was not made by running a model under a card: there is nothing to run again.
        """
        model, block = ModelOfRun.of(result), result.prompts
        prompts = PromptSet.model_validate(block.model_dump(include=set(PromptSet.model_fields)))
        if tuple(prompts.texts) != result.dataset.classes or prompt_hash(prompts.texts) != block.hash:
            raise UsageError(
                f"{result.run_id}: its prompts are not those that its hash {block.hash[:12]} names: the result was "
                "changed (`senbench results validate`); run it again"
            )
        return cls(result, model, prompts)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class keys in label order."""
        return self.result.dataset.classes

    @property
    def multi_label(self) -> bool:
        """Whether a tile may have several labels."""
        return self.result.dataset.task == "multi-label"

    @property
    def thresholds(self) -> NDArray[np.float64] | None:
        """Score from which each label is predicted, infinite where it never is, (C,); None: the run tuned none."""
        found = {one.key: one.threshold for one in self.result.per_label}
        cuts = [found.get(key) for key in self.classes]
        if not self.multi_label or all(cut is None for cut in cuts):
            return None
        return np.array([np.inf if cut is None else cut for cut in cuts])

    def labels(self, scores: Float) -> NDArray[np.bool_] | None:
        """Labels that are predicted, (N, C): at the tuned thresholds, else above the mean score of the tile.

        Args:
            scores: Scores as finally compared, (N, C).

        Returns:
            Labels; None where a tile has one class.
        """
        if not self.multi_label:
            return None
        cuts = self.thresholds
        return above_image_mean(scores) if cuts is None else np.asarray(scores >= cuts)

    @property
    def together(self) -> str | None:
        """What makes every answer depend on all tiles that are classified; None: each tile is classified alone."""
        if self.result.postprocess != "none":
            return self.result.postprocess
        return "dap" if self.result.ensemble == "dap" else None

    @property
    def order(self) -> tuple[str, ...] | None:
        """Bands in the order in which an RGB model got them, where it was not the model's own."""
        card, order = self.model.card, self.result.dataset.band_order
        own = card.unit != "uint8" or order in ("rgb", ",".join(card.bands))
        return None if own else tuple(order.split(","))

    def marks(self) -> tuple[str, ...]:
        """What qualifies the run, one line each, the gravest first."""
        return tuple(one.line for one in qualifications(self.result))

    def rendering(self, info: DatasetInfo) -> str | None:
        """The radiometry under which other tiles are seen as the run saw its own.

        Args:
            info: Facts of these tiles.

        Returns:
            A key of `radiometry.POLICIES`; None: nothing is rendered.

        Raises:
            UsageError: They cannot be seen so.
        """
        mine = self.result.dataset.radiometry
        if self.model.card.unit != "uint8":
            return None
        if info.unit == "dn":
            if mine in POLICIES:
                return mine
            if self._as_dn in POLICIES:
                return self._as_dn
            raise UsageError(
                f"{info.id} holds digital numbers, but the tiles of {self.result.run_id} were 8-bit pictures, and how "
                "they were rendered is not known: give pictures made alike, or a run on digital numbers"
            )
        if mine == NATIVE or scale(info, NATIVE) == mine:
            return None
        raise UsageError(
            f"{info.id} holds 8-bit pictures, and how they were rendered is not known; {self.result.run_id} saw "
            f"digital numbers as {mine}: give digital numbers, or a run on such pictures"
        )

    @property
    def _as_dn(self) -> str:
        """How 8-bit tiles of a named dataset were made of digital numbers; empty: not known."""
        known = BUILTIN.get(self.result.dataset.id)
        return "" if known is None else scale(known[1], self.result.dataset.radiometry) or ""

    def as_seen(self, tiles: Tiles) -> Tiles:
        """Tiles as the run's model got its own: bands by name, in its order.

        Raises:
            UsageError: A band is missing, or the tiles are rendered in another way.
        """
        wanted, radiometry = self.rendering(tiles.info), self.result.dataset.radiometry
        if wanted is not None and tiles.radiometry != wanted:
            raise UsageError(
                f"{tiles.info.id} is rendered as {tiles.radiometry}, {self.result.run_id} saw {wanted}: open it with "
                "that radiometry"
            )
        card = self.model.card
        return paired(tiles, card, DIGITAL if radiometry == DIGITAL else wanted, self.order)

    def differences(self, info: DatasetInfo) -> tuple[str, ...]:
        """What a reader must know where the tiles are of another kind than the run's, one line each.

        Args:
            info: Facts of the tiles.
        """
        data, found = self.result.dataset, []
        if info.level != data.level and {info.level, data.level} != {None}:
            mine, its = (f"level {one[1:]}" if one else "no known level" for one in (data.level, info.level))
            if data.level is not None or data.radiometry != NATIVE or self._as_dn == "":
                found.append(f"another level: the run saw tiles of {mine}, these are of {its}; its figures do not hold")
        if data.radiometry == NATIVE and info.unit == "dn":
            found.append(f"another form: the run saw 8-bit pictures, these are digital numbers rendered {self._as_dn}")
            if info.level == "L2A" and self._as_dn == "eurosat-jpeg":
                found.append("another level: these pictures were made of level 1C, these tiles are of level 2A")
        elif data.radiometry != NATIVE and info.unit == "uint8":
            found.append("another form: the run saw digital numbers, these are pictures made of such")
        if self.multi_label and self.thresholds is None:
            found.append(
                "the run tuned no thresholds (--tune): labels are those that score above the mean over the labels of "
                "their tile, which says little of how many there are"
            )
        if self.together is not None:
            found.append(
                f"{self.together} compares the given tiles with one another: with other tiles beside it a tile may "
                "get another class (target data seen, level 2)"
            )
        return tuple(found)

    def encoder(self, where: Where, progress: Progress) -> LazyModel:
        """The run's model on this machine.

        Raises:
            UsageError: `--weights` is no file.
            UnavailableError: No file with the hash of the run's weights is here.
        """
        from pathlib import Path

        given = [where.weights] if where.weights is not None else []
        if given and not Path(given[0]).expanduser().is_file():
            raise UsageError(f"--weights {given[0]}: no such file")
        own = places.spec_here(self.result).weights
        files = [*given, *([own] if own and not given else [])]
        return self.model.load(files, where.device, progress.say, offline=where.offline)

    def spec(self, *, accept_pixels: bool) -> RunSpec:
        """Settings under which pixels are looked at before they are classified."""
        return RunSpec(
            models=(self.model.card.id,), prompts=(self.prompts.id,), accept_pixels=accept_pixels, results=None
        )

    def classifier(self, embedder: Embedder) -> Classifier:
        """The classifier of the run's prompts; its texts are embedded, or were."""
        rows, lines = embedder.texts(self.prompts.lines).rows, self.prompts.lines
        encoder, result = embedder.encoder, self.result
        return Classifier.of(
            np.stack([rows[text] for text in lines]),
            np.array(self.prompts.line_class),
            len(self.classes),
            Scoring(result.ensemble, result.postprocess, encoder.logit_scale, encoder.logit_bias),
            names=self.prompts.names,
            template_aligned=self.prompts.template_aligned,
        )

    def answers(self, classifier: Classifier, rows: Float) -> Answers:
        """Classes and scores of embedded tiles.

        Args:
            classifier: Of `classifier`.
            rows: Image embeddings, (N, D).

        Raises:
            UsageError: So few tiles that comparing them with one another says nothing.
        """
        if self.together is not None and len(rows) < (least := 2 * len(self.classes)):
            raise UsageError(
                f"{self.together} compares tiles with one another, and {len(rows)} tiles are too few for "
                f"{len(self.classes)} classes (at least {least}): give more, or a run with --postprocess none"
            )
        scores = classifier.scores(rows)
        if classifier.scoring.postprocess == "transclip":
            return Answers.of(Transduction.of(unit(rows, "images")).predict(scores))
        final, warnings = classifier.scoring.finish(scores, self.classes)
        return Answers.of(final, tuple(warnings))


def settled(path: Path) -> Settled:
    """What the run of a result folder settled; errors as of `store.load` and `Settled.of`."""
    from senbench.results import store

    return Settled.of(store.load(path))
