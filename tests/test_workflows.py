"""The workflows: what they may do, and that their shell steps run in a clean clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = ROOT / ".github" / "workflows"
OWNERS = {"actions", "pypa"}
"""Whose actions may run."""
WRITES = {"site.yml": {"pages", "id-token"}, "release.yml": {"id-token"}, "verify.yml": {"pages", "id-token"}}
"""What a workflow may write, beside nothing."""


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def steps(name: str, job: str) -> Iterator[tuple[str, str]]:
    """Titles and texts of the shell steps of a job."""
    for step in read(name)["jobs"][job]["steps"]:
        if "run" in step:
            yield step.get("name", "run"), step["run"]


NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))


def test_there_are_those_that_the_documentation_names():
    assert {"check.yml", "release.yml", "site.yml"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_writes_no_more_than_it_must(name):
    flow = read(name)
    granted = [flow["permissions"], *(job.get("permissions", {}) for job in flow["jobs"].values())]
    assert {key for one in granted for key, value in one.items() if value == "write"} <= WRITES.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_uses_known_actions_of_a_version(name):
    used = re.findall(r"uses: (\S+)", (FOLDER / name).read_text(encoding="utf-8"))
    assert used
    assert {one.split("/")[0] for one in used} <= OWNERS
    assert all(re.fullmatch(r"[\w./-]+@(v\d+|release/v\d+)", one) for one in used)


@pytest.mark.parametrize("name", NAMES)
def test_no_text_of_a_stranger_gets_into_a_shell(name):
    for job in read(name)["jobs"]:
        for _, text in steps(name, job):
            assert "${{" not in text, "pass it through `env`"
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> str:
    """PATH of a runner: a Python with pip comes first, as `actions/setup-python` leaves it."""
    folder = tmp_path_factory.mktemp("python")
    base = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([base, "-m", "venv", folder], check=True)
    own = str(Path(sys.prefix) / "bin")
    return os.pathsep.join([str(folder / "bin"), *(p for p in os.environ["PATH"].split(os.pathsep) if p != own)])


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A clean clone of what is committed."""
    if shutil.which("uv") is None or not (ROOT / ".git").exists():
        pytest.skip("needs uv and a checkout")
    folder = tmp_path_factory.mktemp("clone") / "senbench"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), folder], check=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)  # an environment of 6 GB


def run(text: str, folder: Path, **environment: str) -> str:
    """Run a step as the runner does."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VIRTUAL_ENV", "PYTHON", "PYTEST", "UV_"))}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.long
def test_the_steps_run_in_a_clean_clone(clone, runner):
    few = {"PATH": runner, "PYTEST_ADDOPTS": "tests/test_errors.py", "TAG": ""}  # the suite itself is running already
    done = []
    for name, job in (("check.yml", "gate"), ("check.yml", "tests"), ("check.yml", "quality"), ("site.yml", "site")):
        for title, text in steps(name, job):
            run(text, clone, **few)
            done.append(title)
    assert (clone / "site" / "index.html").is_file()
    assert (clone / "site" / "leaderboard" / "index.html").is_file()
    assert {"Build", "Check the figures against the committed baseline", "Test", "Types", "Documentation"} <= {*done}


@pytest.mark.slow
def test_a_release_is_built_only_for_the_tag_of_its_version(clone):
    texts = dict(steps("release.yml", "build"))
    check = texts["The tag names the version, and the changelog describes it"]
    with pytest.raises(AssertionError, match=r"tag v0\.0\.0, but pyproject"):
        run(check, clone, TAG="v0.0.0")
    run(texts["Build"], clone)
    assert list((clone / "dist").glob("senbench-*.whl"))
    assert list((clone / "dist").glob("senbench-*.tar.gz"))
    run(texts["The wheel runs outside the checkout"], clone)
