"""Small BigEarthNet look-alikes: generated patches, what else TorchGeo's class wants of v2, and archives of them."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from senbench import protocols
from senbench.datasets import catalog
from senbench.datasets.bigearthnet import v1 as bigearthnet_v1
from senbench.datasets.open import open_dataset
from senbench.datasets.synthetic.multilabel import Plan, write_bigearthnet
from senbench.io.download import digest

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SEED = 3
FIRST = "S2A_MSIL2A_20170601T100031_N9999_R022_T33UUP_00_00"
"""Name of the first generated patch."""


def v1(root: Path, n: int = 8, **how) -> Plan:
    return write_bigearthnet(root, n, SEED, version=1, **how)


def release_draws(monkeypatch: pytest.MonkeyPatch, root: Path, *, drawn: int, batch: int) -> None:
    """Let the generated v1 patches pass for the whole test split, of which `senclip-release` draws some."""
    listed = root / bigearthnet_v1.listing("test")
    module, info = catalog.BUILTIN["bigearthnet-v1"]
    splits = {**info.splits, "test": len(listed.read_text().splitlines())}
    monkeypatch.setitem(catalog.BUILTIN, info.id, (module, info.model_copy(update={"splits": splits})))
    monkeypatch.setitem(bigearthnet_v1.MD5, "test", digest(listed, "md5"))
    variants = protocols.PROTOCOLS["senclip-release"].variants
    sample = protocols.SeededSubset(seed=42, n=drawn, batch=batch)
    monkeypatch.setitem(variants, info.id, variants[info.id].model_copy(update={"sample": sample}))


def v2(root: Path, n: int = 8, **how) -> Plan:
    return write_bigearthnet(root, n, SEED, **how)


def tiff(dn: np.ndarray, **profile) -> bytes:
    """One band as GeoTIFF, written by rasterio."""
    how = {"driver": "GTiff", "height": dn.shape[0], "width": dn.shape[1], "count": 1, "dtype": str(dn.dtype)}
    with MemoryFile() as memory:
        with memory.open(**how | {"crs": "EPSG:32633", "transform": from_origin(4e5, 5e6, 10, 10)} | profile) as file:
            for band in range(1, file.count + 1):
                file.write(dn, band)
        return memory.read()


def complete(root: Path) -> None:
    """Sentinel-1 patches and reference maps beside generated v2 patches: TorchGeo's class does not open without."""
    rng = np.random.default_rng(0)
    for row in pd.read_parquet(root / "metadata.parquet").itertuples():
        scene = row.patch_id.rsplit("_", 2)[0]
        maps = root / "Reference_Maps" / scene / row.patch_id
        maps.mkdir(parents=True)
        (maps / f"{row.patch_id}_reference_map.tif").write_bytes(
            tiff(rng.choice([112, 211, 312, 512], (120, 120)).astype(np.uint16))
        )
        radar = root / "BigEarthNet-S1" / row.s1_name.rsplit("_", 3)[0] / row.s1_name
        radar.mkdir(parents=True)
        for band in ("VV", "VH"):
            (radar / f"{row.s1_name}_{band}.tif").write_bytes(tiff(rng.normal(-12, 3, (120, 120)).astype(np.float32)))


def archive(root: Path, folder: str, extra: dict[str, bytes | tarfile.TarInfo] | None = None) -> bytes:
    """tar.gz of a folder below root, with a leading `./` for every other member, as different tars write them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for k, path in enumerate(sorted((root / folder).rglob("*"))):
            tar.add(path, f"{'./' if k % 2 else ''}{path.relative_to(root).as_posix()}", recursive=False)
        for name, data in (extra or {}).items():
            if isinstance(data, tarfile.TarInfo):
                tar.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def opened(name, root, split="test", **kw):
    return open_dataset(name, split=split, data_dir=str(root), offline=True, **kw)


def patch(root: Path, name: str = FIRST) -> Path:
    """Folder of a v2 patch."""
    return root / "BigEarthNet-S2" / name.rsplit("_", 2)[0] / name


def edit_table(root: Path, **columns) -> None:
    """Change columns of v2's table: name -> function of the table."""
    path = root / "metadata.parquet"
    table = pd.read_parquet(path)
    for name, values in columns.items():
        table[name] = values(table)
    table.to_parquet(path)
