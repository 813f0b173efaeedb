"""The workflow that a person starts: its own shell steps, run against a stand-in of the hub with generated weights."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import narrow
import pytest
import yaml
from eurosat_files import real
from places import ROOT

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.eurosat import rgb, splits
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.prompts import senclip_release
from senbench.runtime.access import Access

WORKFLOW = ROOT / ".github" / "workflows" / "verify.yml"
MODELS = ("clip-vit-b-32", "senclip-vit-b-32-avgpool")
# senbench as the workflow finds it on its path, but for what is hosted: narrow weights, few tiles, other sentences
STAND_IN = """#!{python}
import json, os, sys, tempfile
sys.path[:0] = [{helpers!r}]
import pytest, narrow
from senbench.datasets.eurosat import rgb, splits
from senbench.models import registry
from senbench.prompts import senclip_release
told, patch, home = json.load(open({told!r})), pytest.MonkeyPatch(), os.environ["SENBENCH_HOME"]
with tempfile.TemporaryDirectory() as elsewhere:
    os.environ["SENBENCH_HOME"] = elsewhere
    narrow.release(patch, told["parameters"])
os.environ["SENBENCH_HOME"] = home
of = registry.card_files.shipped_as
def found(name):
    card = of(name)
    return card and card.model_copy(update={{"parameters": told["parameters"].get(card.id, card.parameters)}})
registry.card_files.shipped_as = found
for name, n in told["parameters"].items():
    registry.card_files.shipped()[name] = registry.card_files.shipped()[name].model_copy(update={{"parameters": n}})
rgb.MD5, rgb.SIZE, senclip_release.ADDRESS = told["md5"], told["size"], told["address"]
senclip_release.SHA256 = told["prompts"]
splits.LISTS.update({{name: splits.SplitList(*one) for name, one in told["lists"].items()}})
from senbench.cli.main import main
main()
"""


def steps():
    """Name of each shell step -> its script."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    return {step["name"]: step["run"] for step in jobs["verify"]["steps"] if "run" in step}


def test_it_is_started_by_a_person_alone_and_says_so():
    told = yaml.safe_load(WORKFLOW.read_text())
    assert list(told[True]) == ["workflow_dispatch"]  # YAML 1.1 reads `on` as true
    assert told["permissions"] == {"contents": "read"}
    inputs = told[True]["workflow_dispatch"]["inputs"]
    assert inputs["publish"]["default"] is False
    from senbench.studies import published_tables

    for model in inputs["models"]["default"].split():
        assert published_tables.of_model(registry.find(model).id, "eurosat-rgb"), model
    assert list(steps()) == ["Install", "Fetch", "Verify", "Run", "Board"]


@pytest.fixture
def machine(hub, tmp_path, monkeypatch):
    """A machine whose internet is the hub: what it hosts, and a function that runs a step."""
    told = {"parameters": {}, "prompts": {}, "lists": {}, "address": f"{hub.url}/senclip"}
    narrow.release(monkeypatch, MODELS)
    for name in MODELS:
        card = registry.find(name)
        path = fetch.locate(card, Access(offline=True))
        hub.add(card.weights.repo, card.weights.file, path.read_bytes(), revision=card.weights.revision or "main")
        from senbench.models.checkpoints import state_dict
        from senbench.models.checkpoints.checkpoint import Checkpoint

        tensors = state_dict.read(Checkpoint(card, path, fetch.sha256(path)))
        told["parameters"][name] = sum(tensor.numel() for tensor in tensors.values())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in real().items():
            archive.writestr(f"2750/{name}", data)
    hub.add(splits.REPO, rgb.FILE, packed.getvalue(), revision=rgb.REVISION, repo_type="dataset")
    told |= {"md5": hashlib.md5(packed.getvalue(), usedforsecurity=False).hexdigest(), "size": len(packed.getvalue())}
    for name, one in splits.LISTS.items():
        text = f"{name}_1.jpg\n".encode()
        hub.add(splits.REPO, one.file, text, revision=splits.REVISION, repo_type="dataset")
        told["lists"][name] = (one.file, hashlib.md5(text, usedforsecurity=False).hexdigest(), one.n)
    names = json.loads(json.dumps(dict.fromkeys(EUROSAT)))
    for name in senclip_release.SHA256:
        text = json.dumps({key: [f"a place like {key} {k}" for k in range(3)] for key in names}).encode()
        hub.add_url(f"/senclip/{name}", text)
        told["prompts"][name] = hashlib.sha256(text).hexdigest()
    (tmp_path / "told.json").write_text(json.dumps(told))
    program = tmp_path / "bin" / "senbench"
    program.parent.mkdir()
    helpers, file = str(ROOT / "tests" / "helpers"), str(tmp_path / "told.json")
    program.write_text(STAND_IN.format(python=sys.executable, helpers=helpers, told=file))
    program.chmod(0o755)
    work = tmp_path / "work"
    (work / "leaderboard").mkdir(parents=True)
    (work / "leaderboard" / "results").symlink_to(ROOT / "leaderboard" / "results")

    def run(script):
        env = os.environ | {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "MODELS": " ".join(MODELS),
            "SENBENCH_HOME": str(tmp_path / "home"),
            "HF_ENDPOINT": hub.url,
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(words, cwd=work, env=env, capture_output=True, text=True, timeout=500, check=False)

    return run, work


@pytest.mark.slow
@pytest.mark.long
def test_every_step_runs_and_the_board_shows_the_models(machine):
    run, work = machine
    for name, script in steps().items():
        if name != "Install":
            done = run(script)
            assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    for model in MODELS:
        report = json.loads((work / "out" / "reports" / f"{model}.json").read_text())
        items = {one["name"]: one for one in report["items"]}
        table = [one for name, one in items.items() if name.startswith("senclip-table1:eurosat/vit-b-32/")]
        assert len(table) == 3 and all("of 60 images right, recorded" in one["detail"] for one in table)
        assert all("incomplete, 60 of 27,000 tiles" in one["detail"] for one in table)
    index = json.loads((work / "out" / "site" / "api" / "index.json").read_text())
    shown = {(one["model"], one["prompts"]) for one in index["runs"]}
    assert {(model, style) for model in MODELS for style in ("generic", "ground", "aerial")} <= shown
    assert (work / "out" / "site" / "index.html").is_file()


@pytest.mark.slow
@pytest.mark.long
def test_weights_that_are_not_the_releases_stop_it(machine, hub):
    run, _ = machine
    assert run(steps()["Fetch"]).returncode == 0
    done = run('rm -r "$SENBENCH_HOME"/data && ' + steps()["Verify"])
    assert done.returncode == 1 and "eurosat-rgb" in done.stderr
