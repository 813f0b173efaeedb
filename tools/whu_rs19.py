"""Make the results of eight real models on WHU-RS19 from the embeddings that RS-TransCLIP recorded.

    python tools/whu_rs19.py FOLDER/rs-transclip-whurs19 leaderboard/results

The embeddings (elkhouryk/RS-TransCLIP, MIT) are not part of this project; figures made from them are. Prompts are put
into packs by their words alone, declared before any figure was looked at: all 106 averaged (ranked), and the 35 of each
of the three sensor phrases. The accuracies of the 106 single prompts go into `single-prompts-<hash>.json`, those of
TransCLIP on the averaged prompt are printed. What is made is held against the recorded accuracies, and the differences
in images are printed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.evaluation.recorded_elsewhere import About, evaluated
from senbench.evaluation.recorded_labels import FewLabels
from senbench.prompts.pairing import resamplings
from senbench.prompts.vocabulary import vocabulary_for_keys
from senbench.results import factorial_file, single_prompts_file
from senbench.schema.factorial import Factorial
from senbench.schema.prompt_set import PromptFields, PromptSet
from senbench.schema.single_prompts import SinglePrompts
from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.comparison.contrasts import ResampledCell, contrasts
from senbench.scoring.intervals.crossed_bootstrap import Units, cell_draws, draws_for, prompt_weights
from senbench.scoring.postprocess import DEFAULT, Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.transclip import Transduction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.schema.result import RunResult

DATASET = "whu-rs19"
TITLE = "WHU-RS19: aerial scenes, not Sentinel-2"
SOURCE = "elkhouryk/RS-TransCLIP, commit a766b4d94314, github.com/elkhouryk/RS-TransCLIP"
LICENCE = "MIT"
MODELS = {
    "CLIP_RN50": "clip-rn50",
    "CLIP_ViT-B-32": "clip-vit-b-32",
    "CLIP_ViT-L-14": "clip-vit-l-14",
    "GeoRSCLIP_ViT-L-14": "georsclip-vit-l-14",
    "GeoRSCLIP_ViT-H-14": "georsclip-vit-h-14",
    "RemoteCLIP_RN50": "remoteclip-rn50",
    "RemoteCLIP_ViT-L-14": "remoteclip-vit-l-14",
    "SkyCLIP50_ViT-L-14": "skyclip-vit-l-14-top50",
}
"""File -> id of the card."""
PACKS = {"averaged": "", "satellite-image": "satellite image", "aerial-image": "aerial image"}
PACKS["remote-sensing-image"] = "remote sensing image"
"""Pack -> words that its prompts hold."""
DECLARED = "averaged"
SHOTS = (1, 2, 4, 8, 16)
"""Labels per class that are held against the averaged prompt, drawn from halves: there is no other split."""


class Given(NamedTuple):
    """The recorded rows of one model."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    texts: np.ndarray
    sha256: str

    def arrays(self, chosen: Sequence[int], names: Sequence[str]) -> dict[str, np.ndarray]:
        """What `senbench score` takes, with some of the prompts, class by class."""
        n, c = len(self.images), len(names)
        texts = self.texts[list(chosen)].transpose(1, 0, 2)  # (C, P, D)
        return {
            "images": self.images,
            "labels": self.labels,
            "texts": texts.reshape(-1, texts.shape[-1]),
            "text_class": np.repeat(np.arange(c), len(chosen)),
            "class_names": np.array(names),
            "ids": np.array([f"row-{k:04}" for k in range(n)]),
            "template_aligned": np.ones(1, bool),
        }


def read(folder: Path) -> tuple[dict[str, Any], list[Given]]:
    """What was recorded, and the rows of each model."""
    recorded = json.loads((folder / "recorded.json").read_text(encoding="utf-8"))
    found = []
    for name in MODELS:
        path = folder / f"{name}.npz"
        with np.load(path) as held:
            rows = held["images"], held["labels"], held["texts"]
        found.append(Given(name, *rows, hashlib.sha256(path.read_bytes()).hexdigest()))
    return recorded, found


def chosen(prompts: Sequence[str], pack: str) -> list[int]:
    """Places of the prompts of a pack."""
    return [k for k, prompt in enumerate(prompts) if PACKS[pack] in prompt]


def sentences(prompts: Sequence[str], places: Sequence[int], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Class name -> its prompts, as RS-TransCLIP fills them."""
    return {name: tuple(f"{prompts[k]} {name}." for k in places) for name in names}


def score(
    given: Given, recorded: Mapping[str, Any], pack: str, out: Path | None, postprocess: str = "none"
) -> RunResult:
    """One result, written where a folder is given."""
    names, prompts = recorded["class_names"], prompts_of(recorded)
    places = chosen(prompts, pack)
    about = About(
        model=MODELS[given.name],
        prompts=pack,
        dataset=DATASET,
        source=SOURCE,
        licence=LICENCE,
        declared=pack == DECLARED,
        title=TITLE,
        texts=sentences(prompts, places, names),
    )
    file = f"{given.name}.npz", given.sha256
    scoring = Scoring(postprocess=postprocess)
    few = FewLabels(SHOTS) if about.declared and postprocess == "none" else None
    return evaluated(
        given.arrays(places, names), about, file, scoring=scoring, results=None if out is None else str(out), few=few
    )


def prompts_of(recorded: Mapping[str, Any]) -> list[str]:
    """The 106 prompts, the same for every model, in the order of the rows."""
    lists = [[one["prompt"] for one in model["prompts"]] for model in recorded["models"].values()]
    assert all(prompts == lists[0] for prompts in lists)
    return lists[0]


def right(given: Given, k: int) -> int:
    """Images that one prompt gets right."""
    c = given.texts.shape[1]
    classifier = Classifier.of(given.texts[k], np.arange(c), c, DEFAULT)
    return int((classifier.scores(given.images).argmax(axis=1) == given.labels).sum())


def right_together(given: Given) -> tuple[int, ...]:
    """Images that each prompt gets right with TransCLIP."""
    rows = unit(given.images, "images")
    found, c = Transduction.of(rows), given.texts.shape[1]
    cosines = (rows @ Classifier.of(texts, np.arange(c), c, DEFAULT).rows.T for texts in given.texts)
    return tuple(int((found.predict(own).argmax(axis=1) == given.labels).sum()) for own in cosines)


def compared(given: Sequence[Given], results: Sequence[RunResult]) -> Factorial:
    """Packs and models under prompts and images drawn anew, as `senbench run` compares styles and models."""
    first = results[0]
    keys = first.dataset.classes
    sample = Sample(given[0].labels, keys)
    units = Units.of(sample, draws_for(sample.labels), first.spec.seed)
    names = set(PromptFields.model_fields)
    sets = {r.prompts.id: PromptSet.model_validate(r.prompts.model_dump(include=names)) for r in results}
    drawn = dict(zip(sets, resamplings(list(sets.values()), vocabulary_for_keys(keys)), strict=True))
    rows = {MODELS[one.name]: one for one in given}
    cells = {}
    for r in results:
        own, how = rows[r.model.id], drawn[r.prompts.id]
        places = r.prompts.texts[keys[0]]
        at = [OF[text.removesuffix(f" {keys[0]}.")] for text in places]
        texts = [unit(own.texts[[at[i] for i in order], k], "texts") for k, order in enumerate(how.order)]
        weights = prompt_weights(texts, how.seeds, units.times.shape[1], first.spec.seed)
        value = r.metrics[r.headline].value
        cells[r.model.id, r.prompts.id] = ResampledCell(
            value=np.nan if value is None else value,
            per_class=np.array([np.nan if c.recall is None else c.recall for c in r.per_class]),
            draws=cell_draws(unit(own.images, "images"), texts, weights, sample.labels, units),
            prompts=len(at),
        )
    # the differences of every class would be most of what is committed
    models, styles = list(dict.fromkeys(m for m, _ in cells)), list(sets)
    found = contrasts(cells, models, styles, (), {s: how.matching for s, how in drawn.items()}, sample)
    return Factorial(
        run_ids=tuple(r.run_id for r in results),
        dataset=first.dataset.id,
        split=first.dataset.split,
        index_hash=first.dataset.index_hash,
        headline=first.headline,
        access_levels=tuple(r.access_level for r in results),
        class_names=dict(zip(keys, first.prompts.names, strict=True)),
        seed=first.spec.seed,
        draws=units.times.shape[1],
        units=len(sample.sizes),
        clustered=False,
        contrasts=tuple(one.model_copy(update={"per_class": ()}) for one in found),
        notes=(),
    )


OF: dict[str, int] = {}
"""Prompt -> its row."""


def main(folder: Path, out: Path) -> None:
    """Make everything anew."""
    recorded, given = read(folder)
    prompts = prompts_of(recorded)
    OF.update({prompt: k for k, prompt in enumerate(prompts)})
    for old in (*out.glob(f"*_{DATASET}_all_recorded_*"), *out.glob("single-prompts-*.json")):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    results = [score(one, recorded, pack, out) for one in given for pack in PACKS]
    factorial_file.save(out, compared(given, results))
    count(given, recorded, out, results)


def count(given: Sequence[Given], recorded: Mapping[str, Any], out: Path, results: Sequence[RunResult]) -> None:
    """Count what single prompts get right, alone and with TransCLIP, and hold it against what was recorded."""
    prompts = prompts_of(recorded)
    together = [score(one, recorded, DECLARED, None, "transclip") for one in given]
    declared = [r for r in results if r.prompts.id == DECLARED]
    counts = {
        r.run_id: tuple(right(one, k) for k in range(len(prompts))) for one, r in zip(given, declared, strict=True)
    }
    first, n = declared[0], len(given[0].labels)
    transduced = {r.run_id: right_together(one) for one, r in zip(given, declared, strict=True)}
    singles = SinglePrompts(
        dataset=DATASET,
        split=first.dataset.split,
        index_hash=first.dataset.index_hash,
        n=n,
        prompts=tuple(f"{prompt} CLASS." for prompt in prompts),
        right=counts,
        together=transduced,
        averaged_together={r.run_id: hits(own) for r, own in zip(declared, together, strict=True)},
    )
    single_prompts_file.save(out, singles)
    for kind, runs in (("zero_shot", declared), ("transductive", together)):
        told = []
        for one, r in zip(given, runs, strict=True):
            mine, theirs = r.metrics["top1"].value, recorded["models"][one.name]["average"][kind] / 100
            told.append(f"{one.name} {round(mine * n) - round(theirs * n):+d}")
        print(f"averaged prompt, {kind}, images of {n:,} against those recorded: {', '.join(told)}")
    for kind, found in (("zero_shot", counts), ("transductive", transduced)):
        for one, r in zip(given, declared, strict=True):
            own = recorded["models"][one.name]
            off = np.array(found[r.run_id]) - [round(p[kind] / 100 * n) for p in own["prompts"]]
            equal = f"{(off == 0).sum()} of {len(off)} single prompts equal, rest within {abs(off).max()}"
            print(f"{one.name} ({own['dtype']}), {kind}: {equal}")


def hits(result: RunResult) -> int:
    """Images that a result gets right."""
    return sum(row[k] for k, row in enumerate(result.confusion))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
