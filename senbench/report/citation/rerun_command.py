"""The command that makes a result again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from senbench.schema.result import RunResult

FREE = (
    "split",
    "data_dir",
    "weights",
    "class_names",
    "ensemble",
    "postprocess",
    "radiometry",
    "tune",
    "limit",
)
"""Options that are given only where the user gave them."""
USUAL = (
    ("labels", "own"),
    ("seed", 0),
    ("dtype", "float32"),
    ("on_error", "stop"),
    ("dn_offset", "auto"),
)
"""Options with their defaults."""
ELSEWHERE = {"data_dir": "DIR", "weights": "FILE"}
"""Stands for a path from the root: where it lies on one machine helps nobody on another."""


def command(result: RunResult) -> str:
    """The command that reproduces a result, from its spec as passed, quoted for a shell."""
    spec, how = result.spec, result.resolved
    words = ["senbench", "run", "--model", str(how["model"])]
    words += ["--prompts", str(how["prompts"]), "--dataset", str(how["dataset"])]
    if spec.get("protocol") != "standard":
        words += ["--protocol", str(spec["protocol"])]
    for name in FREE:
        if (given := spec.get(name)) is not None:
            if name in ELSEWHERE and Path(given).expanduser().is_absolute():
                given = ELSEWHERE[name]
            words += ["--" + name.replace("_", "-"), str(given)]
    for name, usual in USUAL:
        if spec.get(name, usual) != usual:
            words += ["--" + name.replace("_", "-"), str(spec[name])]
    if spec.get("exact"):
        words.append("--exact")
    return shlex.join(words)
