"""`senbench prompts`: output, JSON, and what it imports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from senbench.cli.prompts import app
from senbench.errors import UsageError
from senbench.models.clip import bpe
from senbench.prompts import load_prompts
from senbench.runtime.paths import shipped


def invoke(*args: str) -> str:
    result = CliRunner().invoke(app, list(args), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list():
    lines = invoke("list").splitlines()
    shown = [line.split()[0] for line in lines[1 : lines.index("")]]
    assert shown == sorted(shown) and {"aerial", "clip", "generic", "ground", "mixed"} < set(shown)
    assert all(re.match(r"\S+ +[12] +2\d{3}-\d\d-\d\d +\d+ +\S", line) for line in lines[1 : lines.index("")])
    assert all(
        f"`senbench prompts fetch {name}`" in " ".join(lines) for name in ("senclip", "cupl", "mpvr", "dclip", "waffle")
    )
    styles = {s["style"]: s for s in json.loads(invoke("list", "--json"))}
    assert styles["ground"]["prompts_per_class"] == 52
    assert styles["ground"]["older"] == [1] and styles["clip"]["older"] == []
    assert styles["clip"]["first"] == "a centered satellite photo of Annual Crop Land."


def test_list_imports_nothing_heavy():
    code = (
        "import sys; from senbench.cli.prompts import app; app(['list'], standalone_mode=False);"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'pydantic', 'numpy', 'torchvision', 'rich'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_show(info, vocabulary):
    prompts = load_prompts("ground", info, vocabulary, "clip")
    text = invoke("show", "ground", "--class", "lake or sea", "--class-names", "clip")
    assert prompts.hash in text and "520 prompts" in text
    shown = [line for line in text.splitlines() if line.startswith("  ")]
    assert [line[6:] for line in shown] == list(prompts.texts["SeaLake"])
    counts = bpe.counts(list(prompts.texts["SeaLake"]), None)
    assert [int(line[:4]) for line in shown] == counts
    every = bpe.counts([t for lines in prompts.texts.values() for t in lines], None)
    assert text.splitlines()[1] == f"tokens by CLIP's tokenizer: at most {max(every)} of 77, no prompts cut"


def test_show_json(info, vocabulary):
    record = json.loads(invoke("show", "clip", "--dataset", "eurosat-rgb", "--json"))
    prompts = load_prompts("clip", info, vocabulary)
    assert (record["dataset"], record["n"], record["hash"]) == ("eurosat-rgb", 30, prompts.hash)
    assert record["texts"] == {k: list(v) for k, v in prompts.texts.items()}
    assert list(record["texts"]) == list(info.classes)
    assert (record["version"], record["tokens"]["limit"], record["tokens"]["cut"]) == (1, 77, 0)
    assert record["tokens"]["counts"]["River"] == bpe.counts(list(prompts.texts["River"]), None)


def test_show_says_which_prompts_a_model_cuts(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(["a {} " + "on and " * 14 + "on", "a {}"]), encoding="utf-8")
    text = invoke("show", str(path), "--model", "pe-core", "--class", "River")
    assert "tokens by the tokenizer of pe-core-vit-b-16: at most" in text and "of 32, 10 prompts cut" in text
    cut = [line for line in text.splitlines() if line.endswith("  (cut)")]
    assert len(cut) == 1 and int(cut[0][:4]) > 32
    record = json.loads(invoke("show", str(path), "--model", "pe-core", "--class", "River", "--json"))
    assert record["tokens"]["cut"] == 10 and list(record["tokens"]["counts"]) == ["River"]


def test_show_without_a_models_tokenizer_says_so_and_shows_the_prompts():
    text = invoke("show", "clip", "--model", "siglip2-vit-b-16", "--class", "River")
    lines = text.splitlines()
    assert re.match("tokens not counted: .*`senbench models fetch siglip2-vit-b-16`", lines[1])
    assert lines[4:] == [f"   -  a centered satellite photo of {a}River." for a in ("", "a ", "the ")]
    record = json.loads(invoke("show", "clip", "--model", "siglip2-vit-b-16", "--json"))
    assert "not in" in record["tokens"]["problem"]


def test_show_imports_nothing_heavy():
    code = (
        "import sys; from senbench.cli.prompts import app; app(['show', 'ground'], standalone_mode=False);"
        "heavy = {'torch', 'open_clip', 'transformers', 'pandas', 'sklearn', 'scipy', 'numpy', 'requests', 'ftfy'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_show_writes_the_same_bytes_anywhere(tmp_path):
    path = tmp_path / "mine.j2"
    noise = (shipped("prompts") / "older" / "control-random-words@1.j2").read_text(encoding="utf-8")
    path.write_text(noise + "\n{{ cls.name }} caf\u00e9 {{ dataset.names | deranged(1) | join }}\n", encoding="utf-8")
    found = set()
    for seed, locale, encoding in (("1", "C", ""), ("2", "C.UTF-8", "latin-1")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "PYTHONIOENCODING": encoding}
        environment |= {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        command = [sys.executable, "-m", "senbench", "prompts", "show", str(path)]
        done = subprocess.run(command, capture_output=True, env=environment)
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
    assert "caf\u00e9".encode() in found.pop()


def test_show_refuses_unknown_names():
    for args in (["grund"], ["clip", "--class", "Moon"], ["clip", "--class-names", "x"], ["clip", "--dataset", "x"]):
        with pytest.raises(UsageError):
            invoke("show", *args)
