"""What costs seconds to import is not imported for a list or a help page."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "open_clip", "torchgeo", "pandas", "sklearn", "datasets", "scipy")


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "--help"],
        ["models"],
        ["models", "list", "--json"],
        ["models", "show", "senclip"],
        ["prompts", "list"],
        ["prompts", "show", "ground", "--dataset", "eurosat-rgb"],
        ["datasets", "list"],
        ["run", "--model", "nonsense", "--prompts", "ground"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(words):
    code = f"""
import sys
sys.argv = ["senbench", *{words!r}]
from senbench.cli.main import main
try:
    main()
except SystemExit:
    pass
print("\\nHEAVY", sorted(set(sys.modules) & set({HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
