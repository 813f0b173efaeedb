"""The first use of a model with nothing prepared, against a local server that plays the hub."""

from __future__ import annotations

import json

import numpy as np
import pytest

from senbench.errors import UnavailableError
from senbench.hub import megabytes
from senbench.models import files, zoo
from senbench.models.load import load

REPO, FILE = "pallavijainpj/SenCLIP", "SenCLIP_AvgPool_ViTB32.ckpt"


def test_weights_are_fetched_announced_and_hashed(hub, vit_file, capsys, isolated_home):
    hub.add(REPO, FILE, vit_file.read_bytes())
    adapter = load("senclip", device="cpu")
    assert adapter.weights_sha256 == files.sha256(vit_file)
    err = capsys.readouterr().err
    assert FILE in err
    assert f"({megabytes(vit_file.stat().st_size)})" in err  # the size is said before it is fetched
    hub.requests.clear()
    again = load("senclip", device="cpu", offline=True)
    assert hub.requests == []
    tile = np.zeros((1, 64, 64, 3), np.uint8)
    np.testing.assert_array_equal(adapter.encode_images(tile), again.encode_images(tile))


def test_interrupted_fetch_is_resumed(hub, vit_file):
    data = vit_file.read_bytes()
    hub.add(REPO, FILE, data, break_after=len(data) // 2, breaks=1)
    for _ in range(2):  # the client may resume by itself; if not, the second call does
        try:
            adapter = load("senclip", device="cpu")
            break
        except UnavailableError:
            continue
    assert adapter.weights_sha256 == files.sha256(vit_file)
    assert any(r for r in hub.ranges() if r)


def test_changed_bytes_are_refused_where_the_hash_is_pinned(hub, vit_file, monkeypatch, isolated_home):
    card = zoo.find("senclip")
    pinned = card.weights.model_copy(update={"sha256": files.sha256(vit_file)})
    monkeypatch.setattr(zoo, "cards", lambda: {card.id: card.model_copy(update={"weights": pinned})})
    hub.add(REPO, FILE, vit_file.read_bytes(), corrupt=True)
    with pytest.raises(UnavailableError, match="sha256"):
        load("senclip", device="cpu")
    assert not list(isolated_home.rglob(FILE))


@pytest.mark.parametrize(("status", "code"), [(404, "EntryNotFound"), (401, "GatedRepo"), (500, "")])
def test_refusals_are_one_line(hub, status, code):
    hub.add(REPO, FILE, b"", status=status, code=code)
    with pytest.raises(UnavailableError, match="--weights FILE") as error:
        load("senclip", device="cpu")
    assert "\n" not in str(error.value)


def test_the_main_job_with_nothing_prepared(hub, vit_file, monkeypatch, tmp_path, isolated_home, capsys):
    """`senbench run --model senclip --prompts clip`: weights, archive and lists are fetched, and it goes on."""
    import hashlib
    import sys

    from eurosat_files import BASE, packed, tiffs
    from torchgeo.datasets import EuroSAT

    from senbench.cli.main import main
    from senbench.datasets.registry import EUROSAT as CLASSES

    archive = packed(tmp_path / "made.zip", tiffs(1), BASE + "/").read_bytes()
    names = "".join(f"{key}_1.jpg\n" for key in CLASSES).encode()
    monkeypatch.setattr(EuroSAT, "md5", hashlib.md5(archive).hexdigest())
    monkeypatch.setattr(EuroSAT, "split_md5s", dict.fromkeys(EuroSAT.splits, hashlib.md5(names).hexdigest()))
    revision = EuroSAT.url.rstrip("/").rpartition("/")[2]
    where = {"revision": revision, "repo_type": "dataset"}
    hub.add("torchgeo/eurosat", EuroSAT.filename, archive, **where)
    for file in EuroSAT.split_filenames.values():
        hub.add("torchgeo/eurosat", file, names, **where)
    hub.add(REPO, FILE, vit_file.read_bytes())
    words = [
        "run",
        "--model",
        "senclip",
        "--prompts",
        "clip",
        "--results",
        str(tmp_path / "results"),
        "--device",
        "cpu",
        "--json",
    ]
    monkeypatch.setattr(sys, "argv", ["senbench", *words])
    main_exit = 0
    try:
        main()
    except SystemExit as stop:
        main_exit = int(stop.code or 0)
    captured = capsys.readouterr()
    assert main_exit == 0, captured.err
    (result,) = json.loads(captured.out)
    assert result["model"]["weights_sha256"] == files.sha256(vit_file)
    assert result["dataset"]["n_evaluated"] == 10
    assert result["dataset"]["n_expected"] == 5400
    assert not result["complete"]
    assert result["dataset"]["radiometry"] == "eurosat-jpeg"
    assert f"{EuroSAT.filename} (" in captured.err  # with its size
    assert FILE in captured.err
    assert result["metrics"]["top1"]["interval"].startswith(("cluster", "none"))
