"""Start-up: commands against an interpreter that imports what any typer application does."""

from __future__ import annotations

import subprocess
import sys
from functools import partial

import pytest

pytestmark = pytest.mark.benchmark(group="start-up")


def run(*words: str) -> None:
    """A process of its own."""
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


@pytest.mark.parametrize("command", ["--help", "prompts list", "models"])
def test_command(against, command):
    """Limit: the interpreter with typer and pydantic."""
    limit = partial(run, "-c", "import typer, pydantic, typer.main")
    against(partial(run, "-m", "senbench", *command.split()), limit, what="an interpreter with typer and pydantic")
