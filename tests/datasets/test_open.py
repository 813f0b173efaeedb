from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from senbench.cli.datasets import app
from senbench.datasets.open import dataset_info, list_datasets, open_dataset, prepare_dataset
from senbench.errors import UsageError

runner = CliRunner()


def test_unknown_names_get_the_closest():
    for call in (dataset_info, prepare_dataset, lambda n: open_dataset(n, split=None, data_dir=None)):
        with pytest.raises(UsageError, match=r"'eurosat-rbg'.*Did you mean 'eurosat-rgb'.*folder:PATH"):
            call("eurosat-rbg")


def test_options_for_other_data_sets_are_refused():
    with pytest.raises(UsageError, match="nothing to fetch"):
        prepare_dataset("folder:x")


def test_list_and_info():
    text = runner.invoke(app, ["list"]).stdout
    assert "eurosat-spatial" in text and "folder:PATH" in text
    listed = json.loads(runner.invoke(app, ["list", "--json"]).stdout)
    assert [d["id"] for d in listed] == [i.id for i in list_datasets()]
    facts = json.loads(runner.invoke(app, ["info", "eurosat-100", "--json"]).stdout)
    assert facts["splits"] == {"train": 60, "val": 20, "test": 20, "all": 100}
    assert "eurosat-jpeg" in runner.invoke(app, ["info", "eurosat"]).stdout


def test_fetch_checks_all_names_before_it_fetches(monkeypatch):
    from senbench.datasets import open as registry

    fetched = []
    monkeypatch.setattr(registry, "prepare_dataset", lambda name: fetched.append(name) or "/place")
    assert isinstance(runner.invoke(app, ["fetch", "eurosat-100", "eurosat-1"]).exception, UsageError)
    assert fetched == []
    assert runner.invoke(app, ["fetch", "eurosat-100"]).stdout == "eurosat-100: /place\n"


def test_nothing_heavy_is_imported():
    code = (
        "import sys, senbench.datasets.open as r, senbench.cli.datasets, senbench.io.hub\n"
        "r.list_datasets(); r.dataset_info('eurosat')\n"
        "heavy = {'torch', 'torchgeo', 'torchvision', 'PIL', 'pandas', 'sklearn', 'rasterio', 'datasets',"
        " 'huggingface_hub', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
