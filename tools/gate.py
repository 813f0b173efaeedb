"""The project's own gate: texts are encoded and everything is scored anew on kept embeddings of `mini`, then checked.

    python tools/gate.py                        # check against leaderboard/baselines/mini.json, exit 1 if it fails
    python tools/gate.py --bless "why"          # accept what is there now, with the numeric noise measured
    python tools/gate.py --embed DATA_DIR       # make the embeddings anew; DATA_DIR holds EuroSAT.zip

A change of prompts, text tower, ensembling, metrics or statistics moves a figure here; images are not encoded.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).resolve().parents[1] / "leaderboard" / "baselines"
SETS = {"eurosat-rgb": "spatial-test", "demo": "test", "demo-multilabel": "test"}
"""Datasets with the split that is kept: real tiles without positions, then synthetic ones with clusters."""
STYLES = ("ground", "aerial")
OTHER_KERNELS = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OMP_NUM_THREADS": "1",
}
"""Another machine's arithmetic, as far as one machine can play it."""


@dataclass
class Kept:
    """Kept image embeddings under the real text tower; a tile is its own number in three bytes (`Encoder`)."""

    device = kernels = None
    overlaps, warnings = False, ()
    model: Any
    rows: np.ndarray
    batch_size: int = 4096

    def __post_init__(self) -> None:
        self.embed_dim, self.dtype = self.model.embed_dim, self.model.dtype
        self.logit_scale, self.logit_bias = self.model.logit_scale, self.model.logit_bias
        for name in ("encode_texts", "truncated", "tokens", "describe", "preprocess", "path", "card"):
            setattr(self, name, getattr(self.model, name))
        self.text_identity = self.image_identity = self.model.text_identity

    def prepare(self, tile: np.ndarray) -> np.ndarray:
        """The tile as it is."""
        return tile

    def encode_prepared(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Rows by number."""
        return self.rows[np.array(batch).reshape(-1, 3) @ np.array([1 << 16, 1 << 8, 1])]


def tiles(name: str) -> tuple[Any, np.ndarray]:
    """Kept tiles of a dataset and their embeddings, float32 (N, D)."""
    from senbench.datasets.open import dataset_info
    from senbench.datasets.tiles import Reader, Tiles

    with np.load(FOLDER / f"mini-{name}.npz", allow_pickle=False) as file:
        kept = dict(file)
    where = kept.get("clusters")
    numbers = np.arange(len(kept["ids"]))[:, None] >> np.array([16, 8, 0]) & 255
    rows = kept["images"].astype(np.float32)

    class Numbered(Reader):
        """Gives each tile's number in the place of its pixels."""

        located = where is not None

        def rgb(self, i: int) -> np.ndarray:
            return numbers[i].astype(np.uint8).reshape(1, 1, 3)

        def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
            return rows[i].tobytes()

        def locate(self, indices: Sequence[int]) -> list[str]:
            return [str(where[i]) for i in indices]

    opened = Tiles(
        info=dataset_info(name),
        split=SETS[name],
        source=f"mini-{name}.npz",
        ids=tuple(kept["ids"].tolist()),
        labels=kept["labels"],
        reader=Numbered(),
        n_expected=len(rows),
        radiometry=str(kept["radiometry"]),
    )
    return opened, rows / np.linalg.norm(rows, axis=1, keepdims=True)


def score(folder: Path, styles: Sequence[str] = STYLES, **options: Any) -> None:
    """Write a result of every dataset and style into a folder."""
    import senbench
    from senbench.models.load import load
    from senbench.models.registry import find

    model = load(find("mini", offline=True), device="cpu", kernels="torch", offline=True)  # whatever is faster here
    named = type("mini", (Kept,), {})  # a result calls an object by its class
    for name in SETS:
        opened, rows = tiles(name)
        for style in styles:
            senbench.evaluate(
                named(model, rows),
                opened,
                style,
                results=str(folder),
                cache=False,
                offline=True,
                accept_pixels=True,  # pixels tell which embedding is meant, and look like nothing real
                **options,
            )


def embed(data: str) -> None:
    """Make the kept embeddings from the images."""
    from senbench.datasets.open import open_dataset
    from senbench.embedding.engine import embed_images
    from senbench.models.load import load
    from senbench.models.registry import find

    model = load(find("mini", offline=True), device="cpu", kernels="torch", offline=True)  # whatever is faster here
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, split in SETS.items():
        opened = open_dataset(
            name, split=split, data_dir=data if name == "eurosat-rgb" else None, offline=True, say=print
        )
        found = embed_images(model, opened, None)
        clusters = opened.clusters()
        np.savez_compressed(
            FOLDER / f"mini-{name}.npz",
            images=found.rows.astype(np.float16),
            ids=np.array(opened.tile_ids),
            labels=opened.tile_labels,
            radiometry=opened.radiometry,
            **({} if clusters is None else {"clusters": np.array(clusters)}),
        )
        print(f"{name} {split}: {len(found.rows):,} tiles")


def main() -> int:
    """Check, bless or embed, as asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bless", metavar="WHY")
    parser.add_argument("--embed", metavar="DATA_DIR")
    parser.add_argument("--score", metavar="DIR", help=argparse.SUPPRESS)
    parser.add_argument("--format", default="text")
    asked = parser.parse_args()
    if asked.embed:
        embed(asked.embed)
        return 0
    if asked.score:
        score(Path(asked.score))
        return 0
    baseline = str(FOLDER / "mini.json")
    senbench = [sys.executable, "-m", "senbench"]
    with tempfile.TemporaryDirectory() as folder:
        results, repeat = Path(folder, "results"), Path(folder, "repeat")
        score(results)
        command = ["check", "--baseline", baseline, "--results", str(results), "--format", asked.format]
        if asked.bless:
            again = [sys.executable, __file__, "--score", str(repeat)]
            subprocess.run(again, check=True, env={**os.environ, **OTHER_KERNELS})
            command = ["baseline", "bless", "--results", str(results), "--repeat", str(repeat)]
            command += ["--out", baseline, "--why", asked.bless]
        return subprocess.run([*senbench, *command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
