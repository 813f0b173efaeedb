"""What single prompts and their average got right on WHU-RS19 when RS-TransCLIP recorded it, run again."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.open import open_dataset
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.grid import evaluate
from senbench.models.verify import Item
from senbench.results import predictions
from senbench.runtime.paths import shipped
from senbench.studies.recorded_protocols import too_close

if TYPE_CHECKING:
    from senbench.runtime.progress import Progress
    from senbench.studies.reproduction import Options

DATASET = "whu-rs19"
"""WHU-RS19, which senbench does not fetch: `--data-dir` names its folder with one folder a class."""
RECIPE = "rs-transclip-whu-rs19"
"""What `senbench reproduce` calls them; `RECIPE:MODEL` is one model."""
AVERAGED = "averaged"
CHANGE = {"float32": 1e-4, "float16": 1e-3}
"""Precision in which it was recorded -> change of a cosine that versions, devices and precision explain; declared."""


def recorded() -> dict[str, Any]:
    """Class names, prompts, and by model the images that each prompt and their average got right.

    Raises:
        UnavailableError: The file is missing.
    """
    path = shipped("leaderboard") / "recorded_whu_rs19.json"
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnavailableError(f"recorded prompts {path}: {error.strerror}; install senbench again") from error
    return held


def models(name: str) -> list[str]:
    """Models of `RECIPE`, or the one of `RECIPE:MODEL`.

    Raises:
        UsageError: Nothing is recorded of it.
    """
    _, _, model = name.partition(":")
    held = recorded()["models"]
    if model and model not in held:
        raise UsageError(f"nothing is recorded of {model} on {DATASET}; it is of {', '.join(held)}")
    return [model] if model else list(held)


def verify(model: str, options: Options, progress: Progress | None = None) -> list[Item]:
    """Run the averaged prompt and every single one.

    Args:
        model: Model id.
        options: Folder of WHU-RS19, checkpoint, device.
        progress: Draws progress.

    Returns:
        An item for the average, and one for all single prompts.

    Raises:
        UsageError: Nothing is recorded of the model, or the folder holds other classes.
        UnavailableError: The folder is not given or not here.
    """
    models(f"{RECIPE}:{model}")
    held = recorded()
    if options.data_dir is None:
        raise UnavailableError(
            f"recorded prompts of {model} on {DATASET} need its images, which are not fetched here: --data-dir FOLDER"
        )
    own, names, prompts = held["models"][model], held["class_names"], held["prompts"]
    dataset, keys = f"folder:{options.data_dir}", _keys(options.data_dir, names)
    told = {AVERAGED: list(prompts), **{prompt: [prompt] for prompt in prompts}}
    right, close, n = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        for frames in told.values():
            texts = {key: [f"{frame} {name}." for frame in frames] for key, name in zip(keys, names, strict=True)}
            how = {"weights": options.weights, "device": options.device, "offline": True, "results": folder}
            result = evaluate(model, dataset, texts, progress=progress, **how)
            table = predictions.read(Path(folder) / result.run_id, result)
            right.append(int(np.trace(np.array(result.confusion))))
            close.append(too_close(table, CHANGE[own["dtype"]]))
            n = result.dataset.n_evaluated
    off = np.array(right) - [own[AVERAGED], *own["right"]]
    unlike = "" if n == held["n"] else f"; n: {held['n']:,} recorded, {n:,} here"
    inside = abs(off) <= close
    first = (
        f"{right[0]:,} of {n:,} images right, recorded {own[AVERAGED]:,} ({off[0]:+,}) in {own['dtype']}; precision "
        f"explains {close[0]:,}"
    )
    rest = (
        f"{int((off[1:] == 0).sum())} of {len(prompts)} equal, the others within {abs(off[1:]).max()} images; outside "
        f"of what precision explains ({min(close[1:])} to {max(close[1:])} images): {int((~inside[1:]).sum())}"
    )
    return [
        Item(f"{DATASET}:{AVERAGED}", None if unlike else bool(inside[0]), first + unlike),
        Item(f"{DATASET}:single prompts", None if unlike else bool(inside[1:].all()), rest + unlike),
    ]


def _keys(data_dir: str, names: list[str]) -> list[str]:
    """Folder of each class, matched by its letters alone: `footballField` is `football field`."""
    classes = open_dataset(f"folder:{data_dir}", split=None, data_dir=None, offline=True).info.classes
    of = {_letters(key): key for key in classes}
    if set(of) != {_letters(name) for name in names} or len(classes) != len(names):
        odd = next((key for key in classes if _letters(key) not in map(_letters, names)), f"{len(classes)} classes")
        raise UsageError(f"--data-dir {data_dir} is not {DATASET}: it has {odd}, expected {', '.join(names)}")
    return [of[_letters(name)] for name in names]


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
