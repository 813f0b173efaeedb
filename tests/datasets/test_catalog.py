"""Static facts of the named datasets."""

from __future__ import annotations

from senbench.datasets.catalog import BANDS, BUILTIN, EUROSAT, S2_BANDS
from senbench.datasets.eurosat.splits import LISTS
from senbench.datasets.open import list_datasets
from senbench.runtime.lookup import resolve


def test_facts():
    infos = {i.id: i for i in list_datasets()}
    single = {"eurosat-rgb", "eurosat", "eurosat-spatial", "eurosat-100", "demo"}
    several = {"bigearthnet-v1", "bigearthnet-v1-43", "bigearthnet-v2", "demo-multilabel"}
    assert set(infos) == single | several
    assert {i.id for i in infos.values() if i.task == "multi-label"} == several
    assert all(i.classes == EUROSAT == tuple(sorted(EUROSAT)) for i in infos.values() if i.id in single)
    assert all(i.default_split in i.splits for i in infos.values())
    assert all(i.vocabulary == "eurosat" for i in infos.values() if i.id in single)
    assert [i.id for i in infos.values() if i.synthetic] == ["demo", "demo-multilabel"]
    assert infos["eurosat-rgb"].default_split == "all"
    for info in infos.values():
        if {"train", "val", "test", "all"} <= set(info.splits):
            assert sum(info.splits[s] for s in ("train", "val", "test")) == info.splits["all"]


def test_every_dataset_names_the_module_that_opens_it():
    for name, (module, info) in BUILTIN.items():
        assert info.id == name
        assert callable(resolve(f"{module}:open_tiles")) and callable(resolve(f"{module}:prepare"))
        assert set(info.bands) <= {*BANDS, *S2_BANDS}


def test_eurosats_lists_have_the_sizes_of_the_splits():
    for key, spec in LISTS.items():
        kind, _, part = key.partition("-")
        name = {"spatial": "eurosat-spatial", "random": "eurosat", "100": "eurosat-100"}[kind]
        assert BUILTIN[name][1].splits[part] == spec.n
        assert kind == "100" or BUILTIN["eurosat-rgb"][1].splits[key] == spec.n
