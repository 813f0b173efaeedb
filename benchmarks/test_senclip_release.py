"""SenCLIP's protocol on BigEarthNet v1 end to end, on a list of the published length, with what it must record checked.

A test list of 125,866 generated patches is written, and of the patches on it those that the protocol draws (26,976,
three bands each, 2.8 GB on the disk). The published list's md5 is replaced by that of the generated one: any other list
of that length is refused. `mini` embeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from pyarrow import parquet

import senbench
from senbench import protocols
from senbench.datasets.bands import RGB
from senbench.datasets.bigearthnet import v1
from senbench.datasets.open import dataset_info, open_source
from senbench.datasets.synthetic import multilabel
from senbench.models.load import load

if TYPE_CHECKING:
    from pathlib import Path

LISTED = 125_866
FIRST = [70062, 115368, 6990, 69900, 108994]
"""Positions that torch's generator of seed 42 draws first from so many."""
EVALUATED = 26_976


def write(root: Path, positions: np.ndarray) -> multilabel.Plan:
    """The whole list, and the patches at these positions of it."""
    plan = multilabel.plan(LISTED, 42)
    if not (root / "bigearthnet-test.csv").exists():
        for i in positions.tolist():
            multilabel._write_patch(root / v1.FOLDER, plan, i, 1, RGB)
        multilabel._write_lists(root, plan, 1)
    return plan


def expected_tile(root: Path, name: str) -> np.ndarray:
    """A patch as the release renders it, read by rasterio: blue, green, red, each patch stretched by its own range."""
    import rasterio

    bands = []
    for band in ("B02", "B03", "B04"):
        with rasterio.open(root / v1.FOLDER / name / f"{name}_{band}.tif") as file:
            bands.append(file.read(1))
    dn = np.stack(bands, axis=-1).astype(np.float64)
    return (dn - dn.min()) / (dn.max() - dn.min()) * 255


def micro_r_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """Share of the k best scores of each patch that are labels of it, k its number of labels; over all patches."""
    hits = 0
    for row, labels in zip(scores, truth, strict=True):
        hits += labels[np.argsort(-row, kind="stable")[: labels.sum()]].sum()
    return float(hits / truth.sum())


@pytest.mark.benchmark(group="protocol")
@pytest.mark.whole
def test_whole_protocol(against, tmp_path, monkeypatch):
    """Limit: the bare forward pass of the same model over as many images."""
    sample = protocols.find("senclip-release").on(dataset_info("bigearthnet-v1")).sample
    positions = sample.positions(LISTED)
    assert positions[:5].tolist() == FIRST and len(positions) == EVALUATED
    root = tmp_path / "v1"
    plan = write(root, positions)
    monkeypatch.setitem(v1.MD5, "test", v1.digest(root / "bigearthnet-test.csv", "md5"))
    how = {"protocol": "senclip-release", "data_dir": str(root), "offline": True, "cache": False}
    results, model = [], load("mini", device="cpu")
    side = model.preprocess.resolution
    ready = torch.randn(256, 3, side, side)

    def run() -> None:
        results.append(senbench.evaluate("mini", "bigearthnet-v1", "ground", results=str(tmp_path / "results"), **how))

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(0, EVALUATED, len(ready)):
                model.model.encode_image(ready)

    against(run, forward, what="a bare forward pass", rounds=1)
    check(results[-1], tmp_path / "results" / results[-1].run_id, root, plan, positions)


def check(result: senbench.RunResult, folder: Path, root: Path, plan: multilabel.Plan, positions: np.ndarray) -> None:
    """Hold the result against the protocol; AssertionError where it differs."""
    data = result.dataset
    names = [plan.names(i)["v1"] for i in positions.tolist()]
    table = parquet.read_table(folder / "predictions.parquet").to_pydict()
    assert table["id"] == names, "the list kept with the result is not the draw, in its order"
    assert (data["n_expected"], data["n_evaluated"], result.complete) == (EVALUATED, EVALUATED, True)
    assert (data["radiometry"], data["band_order"]) == ("minmax-per-image", "B02,B03,B04")
    assert result.resolved.headline == "r_precision_micro" and not result.resolved.overrides
    used = result.resolved.preprocess
    assert (used["mean"], used["std"]) == ([0.347, 0.376, 0.296], [0.269, 0.261, 0.276]), used
    assert (used["resize_mode"], used["interpolation"], result.resolved.path) == ("squash", "bicubic", "exact")
    assert result.resolved.postprocess == "none"
    classes = data["classes"]
    scores = np.array([table[f"score_{key}"] for key in classes]).T
    truth = np.zeros(scores.shape, bool)
    for row, i in enumerate(positions.tolist()):
        for fine in plan.labels(i, 1):
            if fine in multilabel.TO_19:
                truth[row, classes.index(multilabel.TO_19[fine])] = True
    found = result.metrics["r_precision_micro"].value
    assert abs(found - micro_r_precision(scores, truth)) < 1e-12, (found, micro_r_precision(scores, truth))
    tiles = open_source("bigearthnet-v1", split="test", data_dir=str(root), radiometry="minmax-per-image")
    for i in positions[:3].tolist():  # the pixels that were embedded, against rasterio
        assert np.abs(tiles.reader.rgb(i)[..., ::-1] - expected_tile(root, tiles.ids[i])).max() <= 1, tiles.ids[i]
