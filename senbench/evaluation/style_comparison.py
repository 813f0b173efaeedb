"""Collects the cells of a grid while their embeddings are in memory, then compares styles and models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from senbench import protocols
from senbench.prompts.lexicon import is_control
from senbench.prompts.pairing import Resampling, resamplings
from senbench.prompts.vocabulary import select, vocabulary_for
from senbench.results import portable
from senbench.schema.factorial import Factorial
from senbench.scoring.classifier import unit
from senbench.scoring.comparison.contrasts import ResampledCell, contrasts
from senbench.scoring.comparison.cue_frame import cue_frame
from senbench.scoring.intervals.crossed_bootstrap import Units, cell_draws, draws_for, prompt_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.embedding.image_pass import ImageEmbeddings
    from senbench.evaluation.data import EvalData
    from senbench.schema.result import RunResult
    from senbench.schema.run_spec import RunSpec
    from senbench.scoring.sample import Sample


@dataclass
class Crossing:
    """The comparisons of one dataset, collected cell by cell; stores resampled figures, no embeddings.

    Attributes:
        spec: The run.
        data: The dataset and its prompt sets.
        results: Results so far, model by model.
        cells: (model, style) -> figures of the comparable results.
        ids: Model as passed -> its id.
    """

    spec: RunSpec
    data: EvalData
    results: list[RunResult] = field(default_factory=list)
    cells: dict[tuple[str, str], ResampledCell] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    _units: Units | None = None
    _sample: Sample | None = None

    def __post_init__(self) -> None:
        """Determine how the prompts of each set are resampled, and how the sets are named."""
        info, spec = self.data.tiles.info, self.spec
        class_names = protocols.class_names(spec, protocols.find(spec.protocol), info)
        vocabulary = select(vocabulary_for(info, class_names)[0], info.classes)
        self.drawn: tuple[Resampling, ...] = resamplings(self.data.prompts, vocabulary)
        self.styles = _distinct([pack.id for pack in self.data.prompts], spec.prompts)

    def add(
        self, model: str, j: int, result: RunResult, rows: Mapping[str, NDArray[np.float32]], images: ImageEmbeddings
    ) -> None:
        """Resample the figures of one cell.

        Args:
            model: The model as passed.
            j: Position of the prompt set.
            result: The cell's result.
            rows: Text -> raw embedding, float32 (D,).
            images: Image embeddings.
        """
        self.results.append(result)
        self.ids[model] = result.model.id
        if refusal(result) or result.dataset.index_hash != self.results[0].dataset.index_hash:
            return
        if self._units is None or self._sample is None:
            self._sample = self.data.sample.take(images.positions)
            self._units = Units.of(self._sample, draws_for(self._sample.labels), self.spec.seed)
        labels, units = self._sample.labels, self._units
        pack, drawing = self.data.prompts[j], self.drawn[j]
        texts = [
            unit(np.stack([rows[pack.texts[key][i]] for i in order]), "texts")
            for key, order in zip(pack.texts, drawing.order, strict=True)
        ]
        weights = prompt_weights(texts, drawing.seeds, units.times.shape[1], self.spec.seed)
        figures = [r.recall for r in result.per_class] or [r.average_precision for r in result.per_label]
        value = result.metrics[result.headline].value
        self.cells[model, self.styles[j]] = ResampledCell(
            value=np.nan if value is None else value,
            per_class=np.array(figures, np.float64),
            draws=cell_draws(images.rows, texts, weights, labels, units),
            prompts=min(len(block) for block in texts),
            access_level=result.access_level,
        )

    def finish(self) -> Factorial | str:
        """Return the comparisons, or why there are none."""
        first = self.results[0]
        reasons = {r.run_id: refusal(r) or _other_tiles(r, first) for r in self.results}
        models = list(dict.fromkeys(model for model, _ in self.cells))
        names = dict(zip(self.ids, _distinct(list(self.ids.values()), list(self.ids)), strict=True))
        notes = [f"{r.model.id} with {r.prompts.id}: {reasons[r.run_id]}" for r in self.results if reasons[r.run_id]]
        if self._units is None or len(self.cells) < 2 or self._sample is None:
            return f"styles and models are not compared: {notes[0] if notes else 'one cell'}"
        levels = {cell.access_level for cell in self.cells.values()}
        if len(levels) > 1:
            notes.append(f"access levels {', '.join(map(str, sorted(levels)))}: only cells of one level are compared")
        info, sample = self.data.tiles.info, self._sample
        cells = {(names[model], style): cell for (model, style), cell in self.cells.items()}
        named = [names[model] for model in models]
        comparisons = contrasts(
            cells,
            named,
            self.styles,
            [s for s, pack in zip(self.styles, self.data.prompts, strict=True) if is_control(pack.style)],
            {s: drawing.matching for s, drawing in zip(self.styles, self.drawn, strict=True)},
            sample,
        )
        if not first.complete:
            n, of = first.dataset.n_evaluated, first.dataset.n_expected
            notes.append(f"incomplete: a trial on {n:,} of {of:,} tiles (--limit {first.dataset.limit}), never ranked")
        compared = [r for r in self.results if not reasons[r.run_id]]
        return Factorial(
            run_ids=tuple(r.run_id for r in compared),
            dataset=first.dataset.id,
            split=first.dataset.split,
            index_hash=first.dataset.index_hash,
            headline=first.headline,
            access_levels=tuple(r.access_level for r in compared),
            class_names=dict(zip(info.classes, self.data.prompts[0].names, strict=True)),
            seed=self.spec.seed,
            draws=self._units.times.shape[1],
            units=len(sample.sizes),
            clustered=sample.clusters is not None,
            contrasts=comparisons,
            cue_frame=cue_frame(cells, named, sample),
            notes=tuple(portable.told(notes, portable.folders(self.spec))),
        )


def refusal(result: RunResult) -> str:
    """Return why a result cannot be compared; empty if it can."""
    if result.ensemble != "norm-mean-norm" or result.postprocess != "none":
        return (
            f"ensemble {result.ensemble} with post-processing {result.postprocess}; "
            "prompts are resampled under norm-mean-norm without post-processing"
        )
    if result.dataset.skipped or (not result.complete and result.dataset.limit is None):
        return "tiles are missing or could not be decoded, and only results on all the tiles asked for are compared"
    return ""


def _other_tiles(result: RunResult, first: RunResult) -> str:
    same = result.dataset.index_hash == first.dataset.index_hash
    return "" if same else "evaluated on other tiles"


def _distinct(ids: Sequence[str], passed: Sequence[str]) -> list[str]:
    """Return the ids if they are distinct, otherwise the names as passed without folders, numbered if equal."""
    if len(set(ids)) == len(ids):
        return list(ids)
    names = [portable.name(one) for one in passed]
    return [f"{one} ({names[: i + 1].count(one)})" if names.count(one) > 1 else one for i, one in enumerate(names)]
