from __future__ import annotations

import numpy as np
import pytest
from eurosat_files import jpegs, unpack

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.eurosat.huggingface import class_key
from senbench.datasets.open import open_dataset
from senbench.errors import UnavailableError, UsageError

pytest_plugins = ["hub_server"]

# the display names of the published dataset, in an order that is not ours
NAMES = [
    "SeaLake",
    "Annual Crop",
    "Forest",
    "Herbaceous Vegetation",
    "Highway",
    "Industrial Buildings",
    "Pasture",
    "Permanent Crop",
    "Residential Buildings",
    "River",
]


def rows(files, names=NAMES):
    import datasets

    keys = [class_key(n, "t") for n in names]
    columns = {
        "image": [{"bytes": data, "path": None} for data in files.values()],
        "label": [keys.index(name.split("/")[0]) for name in files],
        "filename": [name.split("/")[1] for name in files],
    }
    features = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=names),
        "filename": datasets.Value("string"),
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


@pytest.fixture
def parquet(tmp_path):
    table = rows(jpegs(2))
    folder = tmp_path / "EuroSAT_HF"
    (folder / "data").mkdir(parents=True)
    table.select(range(12)).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    table.select(range(12, 20)).to_parquet(folder / "data" / "test-00000-of-00001.parquet")
    return folder


def opened(where, split=None, offline=True):
    return open_dataset("eurosat-rgb", split=split, data_dir=f"hf:{where}", offline=offline)


def test_parquet_folder_equals_the_jpegs(parquet, tmp_path, no_sockets):
    tiles = opened(parquet)
    reference = open_dataset("eurosat-rgb", split=None, data_dir=str(unpack(tmp_path / "2750", jpegs(2))), offline=True)
    assert tiles.ids == reference.ids
    assert tiles.index_hash() == reference.index_hash()  # labels by name, though the order differs
    for i in range(len(tiles)):
        assert np.array_equal(tiles.read(i), reference.read(i))
        assert tiles.key(i) == reference.key(i)
    assert tiles.source == "hf:EuroSAT_HF"
    assert tiles.n_expected == 27000


def test_saved_to_disk(tmp_path, no_sockets):
    import datasets

    table = rows(jpegs(1))
    datasets.DatasetDict({"train": table.select([0, 1, 2]), "test": table.select(range(3, 10))}).save_to_disk(
        tmp_path / "saved"
    )
    assert len(opened(tmp_path / "saved")) == 10


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.remove_columns("filename"), "no column 'filename'"),
        (lambda t: t.rename_column("label", "class"), "no column 'label'"),
        (lambda t: t.cast_column("label", __import__("datasets").Value("int64")), "without class names"),
    ],
)
def test_columns_are_checked(tmp_path, change, says):
    change(rows(jpegs(1))).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=says):
        opened(tmp_path)


def test_label_that_contradicts_the_file_name_is_refused(tmp_path):
    files = jpegs(1)
    wrong = {("Forest/River_9.jpg" if k.startswith("River") else k): v for k, v in files.items()}
    rows(wrong).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=r"Forest/River_9.jpg is not named"):
        opened(tmp_path)


def test_damaged_and_missing(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(UnavailableError, match="cannot be read") as error:
        opened(tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(UnavailableError, match="no such folder"):
        opened(tmp_path / "nowhere")


def test_repository_is_fetched_then_read_offline(hub, parquet, isolated_home):
    with pytest.raises(UnavailableError, match="nothing is fetched offline"):
        opened("blanchon/EuroSAT_RGB")
    for path in (parquet / "data").iterdir():
        hub.add("blanchon/EuroSAT_RGB", f"data/{path.name}", path.read_bytes(), revision="f" * 40, repo_type="dataset")
    tiles = opened("", offline=False)
    assert len(tiles) == 20
    assert tiles.source == "hf:blanchon/EuroSAT_RGB@ffffffffffff"
    hub.files.clear()
    assert opened("blanchon/EuroSAT_RGB").ids == tiles.ids
    with pytest.raises(UnavailableError, match="no such repository"):
        opened("blanchon/other", offline=False)


@pytest.mark.parametrize("key", EUROSAT)
def test_class_names(key):
    spaced = "".join(f" {c}" if c.isupper() else c for c in key).strip()
    for name in (key, key.lower(), spaced, spaced.replace(" ", "_")):
        assert class_key(name, "t") == key


def test_foreign_class_name():
    with pytest.raises(UsageError, match="'Desert' is none of EuroSAT's"):
        class_key("Desert", "t")
