"""The command that reproduces a result."""

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
"""Fields of `RunSpec` that are passed if they differ from the defaults, in this order."""
FLAGS = ("exact", "accept_pixels")
"""Fields whose options take no value."""
ALWAYS = ("data_dir", "weights")
"""Fields that are always a file or a folder."""


def command(result: RunResult) -> str:
    """Return the command that reproduces a result, from its spec as passed, quoted for a shell.

    A user's file or folder is written as `<name>`, since its path on one machine is of no use on another.
    """
    settings = result.resolved
    if settings.recorded is not None:
        return _score_again(result, settings.recorded)
    places = (*ALWAYS, *(["split"] if settings.split.startswith("file:") else ()))
    arguments = ["senbench", "run", "--model", _place(settings.model), "--prompts", _place(settings.prompts)]
    arguments += ["--dataset", _place(settings.dataset)]
    for name, value in result.spec.changed(OPTIONS).items():
        arguments += ["--" + name.replace("_", "-"), _place(_text(value), always=name in places)]
    flags = [name for name in FLAGS if getattr(result.spec, name)]
    return shlex.join([*arguments, *("--" + name.replace("_", "-") for name in flags)])


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _score_again(result: RunResult, recorded: Recorded) -> str:
    """Return the command that evaluates recorded outputs again."""
    settings = result.resolved
    arguments = ["senbench", "score", f"<{recorded.file}>", "--model", settings.model, "--prompts", settings.prompts]
    arguments += [
        "--dataset",
        result.dataset.title if not recorded.joined and settings.dataset not in BUILTIN else settings.dataset,
    ]
    arguments += ["--split", _place(settings.split)] if result.spec.split is not None else []
    arguments += ["--source", recorded.source, *(["--licence", recorded.licence] if recorded.licence else [])]
    if recorded.given == "embeddings":
        arguments += ["--ensemble", settings.ensemble, "--postprocess", settings.postprocess]
    if recorded.shots is not None:
        arguments += ["--shots", str(recorded.shots)]
    if (few := result.few_shot) is not None:
        arguments += ["--shots", ",".join(str(k) for k in sorted({one.shots for one in few.figures}))]
        local = few.drawn_from.startswith("file:")
        arguments += ["--anchors", f"<{few.drawn_from.removeprefix('file:')}>" if local else few.drawn_from]
    if recorded.shots is None and recorded.level:
        arguments += ["--level", str(recorded.level)]
    return shlex.join([*arguments, *(["--declared"] if recorded.declared else [])])


def _place(given: str, *, always: bool = False) -> str:
    """Return a name or template unchanged, a file or folder as its base name in angle brackets, after its prefix."""
    if is_template(given):
        return given
    prefix = next((p for p in (*portable.LOCAL, *portable.REMOTE) if given.startswith(p)), "")
    name = portable.name(given).removeprefix(prefix)
    if prefix in portable.REMOTE and "/" in name:
        return given
    local = always or prefix or name != given or name.endswith(portable.FILES)
    return f"{prefix}<{name}>" if local else given
