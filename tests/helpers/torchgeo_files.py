"""Small look-alikes of TorchGeo's classification datasets, each in the layout that its class reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from eurosat_files import dn_tile, jpeg, tiff
from PIL import Image

from senbench.datasets.torchgeo import known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

SPLITS = ("train", "val", "test")
PER_CLASS = 1
"""Images of each class in each split."""
HAVE = 4
"""Classes that a layout has where its class takes any."""


def _picture(path: Path, seed: int, size: tuple[int, int] = (256, 256)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        path.write_bytes(jpeg(seed, size))
    else:
        rng = np.random.default_rng(seed)
        Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(path)


def _listed(root: Path, folder: str, classes: Sequence[str], listing: str, suffix: str) -> None:
    """Class folders with a list of file names for each split."""
    for split in SPLITS:
        names = []
        for k, key in enumerate(classes):
            for i in range(PER_CLASS):
                name = f"{key}_{split}_{i}{suffix}"
                size = (250, 260) if suffix == ".tif" and k == 0 else (256, 256)  # as a few of UC Merced's are
                _picture(root / folder / key / name, 100 * k + i + len(split), size)
                names.append(name)
        (root / listing.format(split)).write_text("\n".join(names) + "\n")


def ucmerced(root: Path) -> None:
    _listed(root, "UCMerced_LandUse/Images", known.UCMERCED[:HAVE], "uc_merced-{}.txt", ".tif")


def resisc45(root: Path) -> None:
    _listed(root, "NWPU-RESISC45", known.RESISC45[3 : 3 + HAVE], "resisc45-{}.txt", ".jpg")


def patternnet(root: Path) -> None:
    for k, key in enumerate(known.PATTERNNET[:HAVE]):
        _picture(root / "PatternNet" / "images" / key / f"{key}1.jpg", k)


def firerisk(root: Path) -> None:
    for split in ("train", "val"):
        for k, key in enumerate(known.FIRERISK):
            _picture(root / "FireRisk" / split / key / f"{k}.png", k + len(split), (64, 64))


def millionaid(root: Path) -> None:
    for split in ("train", "test"):
        for k, place in enumerate(
            ("agriculture_land/grassland/meadow", "agriculture_land/arable_land/dry_field", "water_area/lake")
        ):
            _picture(root / split / place / f"P{k}.jpg", k + len(split), (60 + k, 50))


def advance(root: Path) -> None:
    from scipy.io import wavfile

    for k, key in enumerate(known.ADVANCE):
        _picture(root / "vision" / key / f"{k}.jpg", k, (64, 64))
        (root / "sound" / key).mkdir(parents=True)
        wavfile.write(root / "sound" / key / f"{k}.wav", 8000, np.zeros(16, np.int16))


def cowc(root: Path) -> None:
    import torchgeo.datasets

    for name in torchgeo.datasets.COWCDetection.filenames:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"archive")
    for split in ("train", "test"):
        names = [f"Potsdam_ISPRS/{split}/{'car' if i % 2 else 'neg'}.{i}.png" for i in range(4)]
        for i, name in enumerate(names):
            _picture(root / name, i + len(split), (64, 64))
        lines = "".join(f"{name} {i % 2}\n" for i, name in enumerate(names))
        (root / f"COWC_{split}_list_detection.txt").write_text(lines)


def so2sat(root: Path, classes: int = 17, n: int = 5) -> None:
    import h5py

    for name in ("training", "validation", "testing", "block/training", "block/testing"):
        path = root / f"{name}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(len(name))
        with h5py.File(path, "w") as file:
            file["sen1"] = rng.normal(0, 0.1, (n, 32, 32, 8))
            file["sen2"] = rng.uniform(0.02, 0.35, (n, 32, 32, 10)) + 0.02 * np.arange(10)
            file["label"] = np.eye(classes)[(np.arange(n) * 3 + len(name)) % classes]


def treesatai(root: Path) -> None:
    import rasterio

    labels = {}
    for split in ("train", "test"):
        files = [f"Abies_{i}_{split}_NLF.tif" for i in range(3)]
        for i, name in enumerate(files):
            rng = np.random.default_rng(i + len(split))
            for sensor, count, kind, side in (("aerial", 4, "uint8", 304), ("s2", 12, "uint16", 6)):
                path = root / sensor / "60m" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                values = rng.integers(1, 255 if kind == "uint8" else 3000, (count, side, side)).astype(kind)
                how = {"driver": "GTiff", "count": count, "height": side, "width": side, "dtype": kind}
                with rasterio.open(path, "w", **how) as file:
                    file.write(values)
            labels[name] = [["Abies", 0.7], [known.TREESATAI[3 + i], 0.3]]
        (root / f"{split}_filenames.lst").write_text("\n".join(files) + "\n")
    (root / "labels").mkdir()
    (root / "labels" / "TreeSatBA_v9_60m_multi_labels.json").write_text(json.dumps(labels))


def bench_eurosat(root: Path) -> None:
    for split in SPLITS:
        names = []
        for k, key in enumerate(("Forest", "River", "SeaLake")):
            path = root / "eurosat_s2" / "all_imgs" / key / f"{key}_{k}{len(split)}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tiff(dn_tile(k + len(split))))
            names.append(path.name.replace(".tif", ".jpg"))
        (root / "eurosat_s2" / f"eurosat-{split}.txt").write_text("\n".join(names) + "\n")


def bench_bigearthnet(root: Path) -> None:
    from senbench.datasets.bigearthnet.corine import CLASSES_19

    folder = root / "bigearthnet_s1s2"
    for split in SPLITS:
        lines = [",".join(["s1", "s2", *(f"c{k}" for k in range(len(CLASSES_19)))])]
        for i in range(3):
            path = folder / "BigEarthNet-S2-5%" / f"S2A_MSIL2A_20170613T101031_{split}_{i}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tiff(dn_tile(i + len(split), side=120, bands=12)))
            lines.append(",".join(["x", path.name, *(str(int(k % (i + 5) == 0)) for k in range(len(CLASSES_19)))]))
        (folder / f"multilabel-{split}.csv").write_text("\n".join(lines) + "\n")


def bench_lcz(root: Path, n: int = 4) -> None:
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    for split in SPLITS:
        rng = np.random.default_rng(len(split))
        with h5py.File(root / f"lcz_{split}.h5", "w") as file:
            file["sen2"] = rng.uniform(0.02, 0.35, (n, 32, 32, 10)).astype(np.float32)
            file["label"] = np.eye(17)[np.arange(n) * 5 % 17]


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "UCMerced": ucmerced,
    "RESISC45": resisc45,
    "PatternNet": patternnet,
    "FireRisk": firerisk,
    "MillionAID": millionaid,
    "ADVANCE": advance,
    "COWCDetection": cowc,
    "So2Sat": so2sat,
    "TreeSatAI": treesatai,
    "CopernicusBenchEuroSATS2": bench_eurosat,
    "CopernicusBenchBigEarthNetS2": bench_bigearthnet,
    "CopernicusBenchLCZS2": bench_lcz,
}
"""Class -> what writes its layout."""
