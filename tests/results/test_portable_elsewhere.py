"""What else takes a path: plug-ins, packs of selected prompts, folders of models and tiles, lists, pages."""

from __future__ import annotations

import contextlib
import getpass
import json
import socket
import sys
from pathlib import Path

import eurosat_files
import hf_release
import pytest
from typer.testing import CliRunner

from senbench.audit.validate import validate
from senbench.cli.main import application
from senbench.datasets.synthetic.scenes import CLASSES, write_eurosat
from senbench.models import entry_points
from senbench.models.checkpoints import fetch
from senbench.results import store

SECRET = "ada-lovelace"
PLUGIN = """
from pathlib import Path
from senbench.models.card_files import read_cards, CARDS
from senbench.models.openclip import OpenClipAdapter
from senbench.schema.model_card import WeightsSource

class Own(OpenClipAdapter):
    pass

def cards():
    (mini,) = read_cards(CARDS / "mini.toml")
    here = WeightsSource(path=str(Path(__file__).with_name("own.safetensors")))
    told = {"id": "plugged", "aliases": (), "adapter": "portable_plug:Own", "weights": here}
    return [mini.model_copy(update={**told, "verified": False, "fingerprint": ()})]
"""
QUIET = ("--offline", "--device", "cpu")


def invoke(*words):
    done = CliRunner().invoke(application(), [str(word) for word in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A folder of a person with all that options take, and in `out` what commands made of it by absolute paths."""
    top = tmp_path_factory.mktemp("top") / f"home of {SECRET}" / "my work"
    (top / "out").mkdir(parents=True)
    plug = top / "site" / "portable_plug-1.0.dist-info"
    plug.mkdir(parents=True)
    (plug / "METADATA").write_text("Metadata-Version: 2.1\nName: portable-plug\nVersion: 1.0\n")
    (plug / "entry_points.txt").write_text(f"[{entry_points.GROUP}]\nportable = portable_plug:cards\n")
    (top / "site" / "portable_plug.py").write_text(PLUGIN)
    data = (fetch.SHIPPED / "mini.safetensors").read_bytes()
    (top / "site" / "own.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    hf_release.folder(top / "my-clip", "clip")
    eurosat_files.unpack(top / "tiles", eurosat_files.jpegs(2))
    write_eurosat(top / "scenes", 8, 77, split=(0, 0))
    for name, part in (("select", range(4)), ("held-out", range(4, 8))):
        lines = [f"{key}_{i + 1}" for key in CLASSES for i in part]
        (top / f"{name}.txt").write_text("\n".join(lines))
    (top / "own.j2").write_text(
        "{# style: own, version: 1 #}\na photo of {{ cls.name }}.\na view of {{ cls.name }} from above.\n"
    )
    scenes = ("--dataset", "eurosat", "--data-dir", top / "scenes")
    patch = pytest.MonkeyPatch()
    with contextlib.chdir(tmp_path_factory.mktemp("elsewhere")), patch.context() as patch:
        patch.setenv("SENBENCH_HOME", str(top / "senbench home"))
        patch.syspath_prepend(str(top / "site"))
        entry_points.installed.cache_clear()
        words = ("--model", "plugged", "--prompts", top / "own.j2", *scenes)
        chosen = (
            "--split",
            top / "select.txt",
            "--for",
            top / "held-out.txt",
            "--k",
            1,
            "--out",
            top / "out" / "pack.json",
        )
        invoke("prompts", "select", *words, *chosen, *QUIET)
        lists = ("--split", top / "held-out.txt", "--anchors", top / "select.txt", "--results", top / "out" / "r")
        models = f"plugged,{top / 'my-clip'}"
        styles = f"{top / 'own.j2'},{top / 'out' / 'pack.json'}"
        printed = invoke("run", "--model", models, "--prompts", styles, *scenes, *lists, *QUIET, "--json").stdout
        (top / "out" / "run.json").write_text(printed)
        folder = ("--dataset", f"folder:{top / 'tiles'}", "--results", top / "out" / "r")
        invoke("run", "--model", f"hf:{top / 'my-clip'}", "--prompts", "generic", *folder, *QUIET)
        a, b = [path for path in store.folders(top / "out" / "r") if path.name.startswith("plugged")]
        (top / "out" / "compare").write_text(invoke("compare", a, b, "--html", top / "out" / "flips.html").output)
        (top / "out" / "cite").write_text(invoke("cite", a).output)
        invoke("report", "--results", top / "out" / "r", "--publish", top / "out" / "site")
        yield top
    entry_points.installed.cache_clear()
    sys.modules.pop("portable_plug", None)


def test_nothing_that_was_written_holds_a_path_a_user_or_a_host(private):
    words = {SECRET, "my work", "senbench home", "dist-info", socket.gethostname(), getpass.getuser() + "@"}
    words |= {str(Path.home()) + "/", str(private.parents[1])}
    found = {path: path.read_bytes() for path in (private / "out").rglob("*") if path.is_file()}
    assert {path.suffix for path in found} >= {".json", ".parquet", ".html"}
    assert len(store.folders(private / "out" / "r")) == 5
    for path, data in found.items():
        if path.name == "compare":  # what is said on this machine may say where the page is
            continue
        assert not [word for word in words if len(word) > 3 and word.encode() in data], path


def test_such_results_are_honest_and_name_their_files(private):
    for path in store.folders(private / "out" / "r"):
        assert validate(path) == [], path.name
    pack = json.loads((private / "out" / "pack.json").read_text())
    assert pack["provenance"]["selected_on"]["split"] == "file:select.txt"
    result = next(r for r in store.load_all(private / "out" / "r") if r.prompts.id == "pack")
    assert (result.access_level, result.spec.anchors, result.resolved.split) == (1, "select.txt", "file:held-out.txt")
