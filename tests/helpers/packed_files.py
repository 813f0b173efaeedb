"""Datasets of every kind in a few files, packed and opened: tools of the tests."""

from __future__ import annotations

import bigearthnet_files
import numpy as np
from eurosat_files import jpeg, jpegs, packed, tiffs, unpack

from senbench.datasets.open import open_dataset, open_source
from senbench.datasets.packed import write as packing

BANDS = ("B02", "B8A", "B04", "B03")


class Lines:
    """Progress that remembers what was said."""

    def __init__(self):
        self.lines = []

    def __call__(self, line):
        self.lines.append(line)

    @property
    def text(self):
        return "\n".join(self.lines)


def rgb_zip(root):
    return "eurosat-rgb", {"data_dir": str(packed(root / "EuroSAT.zip", jpegs(3))), "split": "all"}


def rgb_folder(root):
    unpack(root / "2750", jpegs(3))
    return "eurosat-rgb", {"data_dir": str(root), "split": "all"}


def multispectral(root):
    return "eurosat", {"data_dir": str(unpack(root / "EuroSAT_MS", tiffs(2))), "split": "all"}


def own(root):
    files = {
        f"{key}/{n}.jpg": jpeg(9 * k + n, (30 + n, 50 - 2 * n))
        for k, key in enumerate(("lake", "town"))
        for n in range(9)
    }
    return f"folder:{unpack(root / 'mine', files)}", {"data_dir": None, "split": None}


def bigearthnet_v1(root):
    bigearthnet_files.v1(root / "v1", 9)
    return "bigearthnet-v1", {"data_dir": str(root / "v1"), "split": "test"}


def bigearthnet_v2(root):
    bigearthnet_files.v2(root / "v2", 9)
    return "bigearthnet-v2", {"data_dir": str(root / "v2"), "split": "test"}


def demo(root):
    return "demo", {"data_dir": None, "split": None}


def source(name, how, **more):
    return open_source(name, offline=True, **how, **more)


def opened(name, how, say=lambda line: None, **more):
    return open_dataset(name, offline=True, say=say, **how, **more)


def write(name, how, bands=None, folder=None, processes=2, on_error="stop", **more):
    task = packing.job(source(name, how, **more), bands, on_error)
    return packing.pack(task, folder, processes=processes)[0]


def same(a, b):
    """Everything that a run looks at."""
    assert a.tile_ids == b.tile_ids
    assert np.array_equal(a.tile_labels, b.tile_labels)
    assert (a.split, a.n_expected, a.source, a.radiometry, a.info) == (
        b.split,
        b.n_expected,
        b.source,
        b.radiometry,
        b.info,
    )
    assert a.index_hash() == b.index_hash()
    assert a.clusters() == b.clusters()
    assert a.meta == b.meta
    assert a.facts_of_source == b.facts_of_source
    for i in range(len(a)):
        assert a.key(i) == b.key(i)
        x, y = a.read(i), b.read(i)
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        assert np.array_equal(x, y)
        assert np.array_equal(a.picture(i), b.picture(i))


def alter(path, at=100):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
