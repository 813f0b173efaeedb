"""The command that makes a result again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from senbench.datasets.catalog import BUILTIN
from senbench.results import portable
from senbench.runtime.inline_prompts import is_template

if TYPE_CHECKING:
    from senbench.schema.blocks import Recorded
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
    "anchors",
    "shots",
    "limit",
    "labels",
    "seed",
    "dtype",
    "kernels",
    "on_error",
    "dn_offset",
)
"""Fields of `RunSpec` that are given where they are not the defaults, in this order."""
FLAGS = ("exact", "accept_pixels")
"""Fields that are options without a value."""
ALWAYS = ("data_dir", "weights")
"""Of these, those that are always a file or a folder."""


def command(result: RunResult) -> str:
    """The command that reproduces a result, from its spec as passed, quoted for a shell.

    A file or folder of the user's stands as `<name>`: where it lies on one machine helps nobody on another.
    """
    how = result.resolved
    if how.recorded is not None:
        return _score_again(result, how.recorded)
    places = (*ALWAYS, *(["split"] if how.split.startswith("file:") else ()))
    words = ["senbench", "run", "--model", _place(how.model), "--prompts", _place(how.prompts)]
    words += ["--dataset", _place(how.dataset)]
    for name, given in result.spec.changed(OPTIONS).items():
        words += ["--" + name.replace("_", "-"), _place(_text(given), always=name in places)]
    flags = [name for name in FLAGS if getattr(result.spec, name)]
    return shlex.join([*words, *("--" + name.replace("_", "-") for name in flags)])


def _text(given: object) -> str:
    return ",".join(map(str, given)) if isinstance(given, tuple | list) else str(given)


def _score_again(result: RunResult, recorded: Recorded) -> str:
    """The command that evaluates outputs again that were recorded elsewhere."""
    how = result.resolved
    words = ["senbench", "score", f"<{recorded.file}>", "--model", how.model, "--prompts", how.prompts]
    words += ["--dataset", result.dataset.title if not recorded.joined and how.dataset not in BUILTIN else how.dataset]
    words += ["--split", _place(how.split)] if result.spec.split is not None else []
    words += ["--source", recorded.source, *(["--licence", recorded.licence] if recorded.licence else [])]
    if recorded.given == "embeddings":
        words += ["--ensemble", how.ensemble, "--postprocess", how.postprocess]
    if recorded.shots is not None:
        words += ["--shots", str(recorded.shots)]
    elif recorded.level:
        words += ["--level", str(recorded.level)]
    return shlex.join([*words, *(["--declared"] if recorded.declared else [])])


def _place(given: str, *, always: bool = False) -> str:
    """A name or template as it is; the base name of a file or folder in angle brackets, after its prefix."""
    if is_template(given):
        return given
    prefix = next((p for p in (*portable.LOCAL, *portable.REMOTE) if given.startswith(p)), "")
    name = portable.name(given).removeprefix(prefix)
    if prefix in portable.REMOTE and "/" in name:
        return given
    local = always or prefix or name != given or name.endswith(portable.FILES)
    return f"{prefix}<{name}>" if local else given
