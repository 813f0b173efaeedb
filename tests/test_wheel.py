"""The wheel: built, installed into a fresh environment, the demo run outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest
from places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def call(*words: object, cwd: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_ENV", "PYTHON", "UV_"))}
    done = subprocess.run([str(w) for w in words], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    if shutil.which("uv") is None:
        pytest.skip("uv is not installed")
    out = tmp_path_factory.mktemp("dist")
    call("uv", "build", "--wheel", "--out-dir", out, ROOT, cwd=out)
    return next(out.glob("*.whl"))


def test_wheel_holds_what_the_package_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        "senbench/_data/prompts/ground.j2",
        "senbench/_data/leaderboard/published.csv",
        "senbench/_data/leaderboard/recorded_matrices.json",
        "senbench/_data/leaderboard/recorded_whu_rs19.json",
        "senbench/_data/prompts/_long.j2",
        "senbench/_data/prompts/frozen.json",
        "senbench/_data/prompts/classes/eurosat.yaml",
        "senbench/models/cards/senclip.toml",
        "senbench/models/manifests/openai-vit-b-32.json",
        "senbench/models/weights/ground-mini.safetensors",
        "senbench/models/weights/ground-mini-aligned.safetensors",
        "senbench/models/weights/mini.safetensors",
        "senbench/report/templates/demo.html.j2",
        "senbench/report/templates/page.html.j2",
        "senbench/py.typed",
    }
    assert wanted <= names
    pair = [one for one in zipfile.ZipFile(wheel).infolist() if "weights/ground-mini" in one.filename]
    assert sum(one.compress_size for one in pair) <= 12_000_000
    assert not [n for n in names if n.startswith(("tests/", "tools/", "benchmarks/"))]


def test_demo_outside_the_checkout(wheel, tmp_path):
    newest = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
    call("uv", "venv", "--python", sys.executable, "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    call("uv", "pip", "install", "--python", python, "--exclude-newer", newest, wheel, cwd=tmp_path)
    command = tmp_path / "env" / "bin" / "senbench"
    where = call(python, "-c", "import senbench; print(senbench.__file__)", cwd=tmp_path)
    assert str(tmp_path) in where
    out = call(command, "demo", "--out", "demo", cwd=tmp_path)
    assert "SYNTHETIC" in out
    assert (tmp_path / "demo" / "index.html").stat().st_size > 10_000
    assert "senclip-rn50-attpool" in call(command, "models", cwd=tmp_path)
    assert "ground" in call(command, "prompts", "list", cwd=tmp_path)
