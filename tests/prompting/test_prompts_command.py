"""`senbench prompts`: output, JSON, and what it imports."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from senbench.cli.prompts import app
from senbench.errors import UsageError
from senbench.prompting import load_prompts


def invoke(*args: str) -> str:
    result = CliRunner().invoke(app, list(args), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list():
    lines = invoke("list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["aerial", "clip", "generic", "ground", "mixed"]
    styles = {s["style"]: s for s in json.loads(invoke("list", "--json"))}
    assert styles["ground"]["prompts_per_class"] == 56
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
    assert prompts.hash in text and "560 prompts" in text
    assert [line.strip() for line in text.splitlines() if line.startswith("  ")] == list(prompts.texts["SeaLake"])


def test_show_json(info, vocabulary):
    record = json.loads(invoke("show", "clip", "--dataset", "eurosat-rgb", "--json"))
    prompts = load_prompts("clip", info, vocabulary)
    assert (record["dataset"], record["n"], record["hash"]) == ("eurosat-rgb", 30, prompts.hash)
    assert record["texts"] == {k: list(v) for k, v in prompts.texts.items()}
    assert list(record["texts"]) == list(info.classes)


def test_show_refuses_unknown_names():
    for args in (["grund"], ["clip", "--class", "Moon"], ["clip", "--class-names", "x"], ["clip", "--dataset", "x"]):
        with pytest.raises(UsageError):
            invoke("show", *args)
