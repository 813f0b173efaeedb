"""The first use of a model with nothing prepared, against a local server that plays the hub."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tomllib
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import stubs

import senbench
from senbench.cli.main import main
from senbench.errors import ContractError, UnavailableError
from senbench.models.card_files import CARDS
from senbench.models.checkpoints import fetch
from senbench.models.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.result import RunResult

REPO, FILE = "pallavijainpj/SenCLIP", "SenCLIP_AvgPool_ViTB32.ckpt"


@pytest.fixture(scope="module")
def released() -> bytes:
    """A small checkpoint that is nobody's: mini's tensors in a file of another hash."""
    from safetensors.torch import load_file, save

    return save(load_file(fetch.SHIPPED / "mini.safetensors"), {"made": "for tests"})


@pytest.fixture
def card(tmp_path) -> Path:
    """A user's card of that checkpoint: mini's, with another source and no licence."""

    def write(**source: str) -> Path:
        table = tomllib.loads((CARDS / "mini.toml").read_text(encoding="utf-8"))["model"][0]
        table |= {"id": "mine", "licence": "none stated", "commercial_use": "not stated", "weights": source}
        lines = ["[[model]]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
        path = tmp_path / "my.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)  # strings, numbers, truth values and lists of them are written alike


def evaluate(model: Path, **options: object) -> RunResult:
    """A run on a few tiles in memory."""
    prompts = {"Field": ["a field"], "Lake": ["a lake"], "Town": ["a town"]}
    return senbench.evaluate(str(model), stubs.tiles(), prompts, device="cpu", **options)


def zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def test_weights_are_fetched_announced_and_hashed(hub, released, card, capsys):
    hub.add("o/m", "mine.safetensors", released)
    mine = str(card(repo="o/m", file="mine.safetensors"))
    adapter = load(mine, device="cpu")
    assert adapter.weights_sha256 == hashlib.sha256(released).hexdigest()
    assert f"mine.safetensors ({len(released) / 1e6:.1f} MB)" in capsys.readouterr().err  # said before it is fetched
    hub.requests.clear()
    again = load(mine, device="cpu", offline=True)
    assert hub.requests == []
    tile = np.zeros((1, 64, 64, 3), np.uint8)
    np.testing.assert_array_equal(adapter.encode_images(tile), again.encode_images(tile))


def test_a_half_fetched_file_is_never_loaded(hub, released, card, monkeypatch):
    hub.add("o/m", "mine.safetensors", released, break_after=len(released) // 2, breaks=99)
    mine = str(card(repo="o/m", file="mine.safetensors"))
    hosted = hub.files["/o/m/resolve/main/mine.safetensors"]
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100_000)
    monkeypatch.setattr("time.sleep", lambda seconds: setattr(hosted, "status", 503))
    for _ in range(2):
        with pytest.raises(UnavailableError, match="run again to continue"):
            load(mine, device="cpu")
    hosted.status, hosted.breaks = 200, 0
    assert load(mine, device="cpu").weights_sha256 == hashlib.sha256(released).hexdigest()
    assert any(hub.ranges())


def test_changed_bytes_are_refused_where_the_hash_is_pinned(hub, released, card, isolated_home):
    hub.add("o/m", "mine.safetensors", released, corrupt=True)
    mine = str(card(repo="o/m", file="mine.safetensors", sha256=hashlib.sha256(released).hexdigest()))
    with pytest.raises(UnavailableError, match="sha256"):
        load(mine, device="cpu")
    assert not list(isolated_home.rglob("mine.safetensors"))


def test_a_run_fetches_a_zip_and_says_the_licence_once(hub, released, card, capsys):
    url = hub.add_url("/ckpt/mine.zip", zipped("mine/weights.safetensors", released))
    mine = card(url=url, member="mine/weights.safetensors")
    result = evaluate(mine)
    assert result.model.weights_sha256 == hashlib.sha256(released).hexdigest()
    err = capsys.readouterr().err
    assert err.count("licence of mine: none stated by the authors; ask them before commercial use") == 1
    assert err.count("fetching") == 1
    hub.requests.clear()
    evaluate(mine, offline=True)
    assert hub.requests == []
    err = capsys.readouterr().err
    assert "licence" not in err and "fetching" not in err


def test_a_run_refuses_weights_that_changed_until_they_are_accepted(released, card, tmp_path):
    file = tmp_path / "mine.safetensors"
    file.write_bytes(released)
    mine = card(path=str(file))
    evaluate(mine)
    file.write_bytes(released[:-2] + bytes([released[-2] ^ 1, released[-1]]))  # one bit of one weight
    with pytest.raises(ContractError, match=r"changed since it was first used.* --accept-new-weights"):
        evaluate(mine)
    result = evaluate(mine, accept_new_weights=True)
    assert result.model.weights_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert result.spec.accept_new_weights is True
    evaluate(mine)


def test_weights_of_the_user_that_are_not_the_pinned_release(released, card, tmp_path):
    file = tmp_path / "mine.safetensors"
    file.write_bytes(released)
    mine = str(card(repo="o/m", file="mine.safetensors", sha256="0" * 64))
    with pytest.raises(ContractError, match="is not the release the card pins"):
        load(mine, file=str(file), device="cpu", offline=True)
    load(mine, file=str(file), device="cpu", offline=True, accept_new_weights=True)


@pytest.mark.parametrize(("status", "code"), [(404, "EntryNotFound"), (401, "GatedRepo"), (500, "")])
def test_refusals_are_one_line(hub, status, code):
    hub.add(REPO, FILE, b"", status=status, code=code)
    with pytest.raises(UnavailableError, match="--weights FILE") as error:
        load("senclip", device="cpu")
    assert "\n" not in str(error.value)


def test_the_main_job_with_nothing_prepared(hub, vit_file, monkeypatch, tmp_path, isolated_home, capsys):
    """`senbench run --model senclip --prompts clip`: weights, archive and lists are fetched, and it goes on."""
    from eurosat_files import BASE, packed, tiffs

    from senbench.datasets.catalog import EUROSAT as CLASSES
    from senbench.datasets.eurosat import multispectral, splits

    archive = packed(tmp_path / "made.zip", tiffs(1), BASE + "/").read_bytes()
    names = "".join(f"{key}_1.jpg\n" for key in CLASSES).encode()
    known = multispectral.ALL_BANDS._replace(md5=hashlib.md5(archive).hexdigest())
    monkeypatch.setitem(multispectral.PUBLISHED, "eurosat", known)
    where = {"revision": splits.REVISION, "repo_type": "dataset"}
    hub.add("torchgeo/eurosat", known.archive, archive, **where)
    for part in ("train", "val", "test"):
        name = f"{known.lists}-{part}"
        spec = replace(splits.LISTS[name], md5=hashlib.md5(names).hexdigest())
        monkeypatch.setitem(splits.LISTS, name, spec)
        hub.add("torchgeo/eurosat", spec.file, names, **where)
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
    assert result["model"]["weights_sha256"] == fetch.sha256(vit_file)
    assert result["dataset"]["n_evaluated"] == 10
    assert result["dataset"]["n_expected"] == 5400
    assert not result["complete"]
    assert result["dataset"]["radiometry"] == "eurosat-jpeg"
    assert f"{known.archive} (" in captured.err  # with its size
    assert FILE in captured.err
    assert captured.err.count("licence of senclip-vit-b-32-avgpool: none stated") == 1
    assert result["metrics"]["top1"]["interval"].startswith(("cluster", "none"))
