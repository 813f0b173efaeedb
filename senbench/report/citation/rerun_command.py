"""The command that makes a result again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from senbench.schema.result import RunResult

OPTIONS = (
    "protocol",
    "split",
    "data_dir",
    "weights",
    "class_names",
    "ensemble",
    "postprocess",
    "radiometry",
    "tune",
    "limit",
    "labels",
    "seed",
    "dtype",
    "on_error",
    "dn_offset",
)
"""Fields of `RunSpec` that are given where they are not the defaults, in this order."""
FLAGS = ("exact", "accept_pixels")
"""Fields that are options without a value."""
ELSEWHERE = {"data_dir": "DIR", "weights": "FILE"}
"""Stands for a path from the root: where it lies on one machine helps nobody on another."""


def command(result: RunResult) -> str:
    """The command that reproduces a result, from its spec as passed, quoted for a shell."""
    how = result.resolved
    words = ["senbench", "run", "--model", how.model, "--prompts", how.prompts, "--dataset", how.dataset]
    for name, given in result.spec.changed(OPTIONS).items():
        elsewhere = name in ELSEWHERE and Path(given).expanduser().is_absolute()
        words += ["--" + name.replace("_", "-"), ELSEWHERE[name] if elsewhere else str(given)]
    flags = [name for name in FLAGS if getattr(result.spec, name)]
    return shlex.join([*words, *("--" + name.replace("_", "-") for name in flags)])
