"""Declares the options that commands share, and the decorator that passes a command its `RunSpec`."""

from __future__ import annotations

import inspect
from copy import copy
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_type_hints

import typer

from senbench.errors import UsageError
from senbench.runtime.dataset_names import local_path
from senbench.runtime.inline_prompts import is_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from typer.models import OptionInfo

    from senbench.schema.run_spec import RunSpec

REQUIRED = inspect.Parameter.empty
Model = Annotated[str, typer.Option(help="Model id, card file, openclip:... or hf:...")]
Dataset = Annotated[str, typer.Option(help="Dataset id, folder:PATH, table:FILE, torchgeo:CLASS or hf:OWNER/NAME.")]
DataDir = Annotated[str | None, typer.Option(help="Folder of the data.")]
Weights = Annotated[str | None, typer.Option(help="Local checkpoint file, for a single model.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Offline = Annotated[bool, typer.Option("--offline", help="Fetch nothing.")]
ClassNames = Annotated[
    str | None, typer.Option(metavar="SET|FILE", help="Class-name set, or a YAML file with the classes.")
]
RunFolder = Annotated[str, typer.Option(help="Folder for result files.")]
ResultFolders = Annotated[str, typer.Option(help="Folder with result folders.")]
RunLookup = Annotated[str, typer.Option(help="Folder in which run ids are looked up.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
OnlyJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, nothing else.")]
ResultsJson = Annotated[bool, typer.Option("--json", help="Results as JSON on stdout.")]


class RunOption(NamedTuple):
    """One option of the commands that run."""

    kind: Any
    info: OptionInfo
    default: Any


def _text(help: str, default: Any = None, **settings: Any) -> RunOption:
    return RunOption(str | None, typer.Option(help=help, **settings), default)


def _number(help: str, least: int, default: int | None = None) -> RunOption:
    return RunOption(int | None, typer.Option(help=help, min=least), default)


def _flag(name: str, help: str) -> RunOption:
    return RunOption(bool, typer.Option(name, help=help), default=False)


def _shared(option: Any, default: Any = None) -> RunOption:
    kind, info = get_args(option)
    return RunOption(kind, info, default)


RUN_OPTIONS = {
    "model": _shared(Model, REQUIRED),
    "prompts": _text("Prompt style, or a .j2 or .json file.", REQUIRED, metavar="STYLE|PATH"),
    "dataset": _shared(Dataset, "eurosat"),
    "split": _text("Split name, or a file of tile names."),
    "data_dir": _shared(DataDir),
    "weights": _shared(Weights),
    "protocol": _text("standard, senclip-release or clip-benchmark.", "standard"),
    "class_names": _text("Class-name set, or a YAML file."),
    "ensemble": _text("norm-mean-norm, mean-norm or logit-mean."),
    "postprocess": _text("none, column-mean or transclip."),
    "radiometry": _text("How DN become 8-bit, or native."),
    "dn_offset": _text("Own folder of DN: offset to subtract, 0 or 1000; auto: from the metadata.", "auto"),
    "device": _shared(Device, "auto"),
    "dtype": _text("float32, bf16 or fp16.", "float32"),
    "batch_size": _number("Images per batch; default: chosen by device and model.", least=1),
    "exact": _flag(
        "--exact", "Resize tiles with PIL on the host (on CUDA: the device), multiply with torch's kernels."
    ),
    "kernels": _text("CPU: torch, onednn, or auto: the faster, timed once.", "auto"),
    "labels": _text("own, or v1: BigEarthNet v2's patches with the labels of v1.", "own"),
    "tune": _text("Multi-label: split on which thresholds of the tuned F1 are chosen (level 3)."),
    "anchors": _text("Train kNN and a linear probe on this split, a line for scale (level 3).", metavar="SPLIT"),
    "shots": _text(
        "Labelled tiles per class, e.g. 1,2,4,8,16, drawn from --anchors: how many reach the zero-shot figure.",
        metavar="LIST",
    ),
    "limit": _number("Use a class-stratified subset of N tiles.", least=1),
    "seed": _number("Seed of the subset and the bootstrap.", least=0, default=0),
    "results": _shared(RunFolder, "results"),
    "on_error": _text("A tile that cannot be decoded: stop, or skip and mark incomplete.", "stop"),
    "accept_new_weights": _flag("--accept-new-weights", "Use weights that changed since they were first used."),
    "accept_pixels": _flag(
        "--accept-pixels", "Continue with tiles that do not look like Sentinel-2; marks the result."
    ),
    "offline": _shared(Offline, default=False),
    "no_cache": _flag("--no-cache", "Neither read nor write the embedding cache."),
}
"""Name of a parameter -> its option; a command may change help, metavar and default."""
FIELDS = {"model": "models", "dataset": "datasets", "no_cache": "cache"}
"""Name of a parameter -> field of `RunSpec`, if that has another name."""


def takes_run_spec(
    order: str, *, lists: tuple[str, ...] = (), repeats: tuple[str, ...] = (), **changes: Mapping[str, Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add options of `RUN_OPTIONS` to a command's own, and call it with the resulting `RunSpec`.

    Args:
        order: Names of options in the order of the help; the command's own parameters that are not named come last.
        lists: Names of the options that take a comma-separated list.
        repeats: Names among these that may be given several times.
        changes: Name -> `help`, `metavar` or `default` that differ for this command.

    Returns:
        A decorator of a function whose first parameter is the spec. A command without `--results` writes none.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, localns={"RunSpec": object}, include_extras=True)
        _, *own_parameters = inspect.signature(command).parameters.values()
        parameters = {p.name: p.replace(annotation=hints[p.name], kind=p.KEYWORD_ONLY) for p in own_parameters}
        shared = [name for name in order.split() if name not in parameters]
        parameters |= {name: _parameter(name, name in repeats, **changes.get(name, {})) for name in shared}
        signature = inspect.Signature([parameters[name] for name in dict.fromkeys((*order.split(), *parameters))])

        @wraps(command, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def call(**arguments: Any) -> None:
            bound = signature.bind(**arguments)
            bound.apply_defaults()
            bound_values = bound.arguments
            fields: dict[str, Any] = {"results": None}
            for name in shared:
                value = bound_values.pop(name)
                if name in repeats and value is not None:
                    every = [one for text in value for one in comma_list(text, f"--{name}")]
                    value = tuple(dict.fromkeys(every))
                elif name in lists and value is not None:
                    value = comma_list(value, f"--{name}")
                elif name in ("model", "prompts", "dataset"):
                    value = () if value is None else (value,)
                fields[FIELDS.get(name, name)] = value
            command(specification(**fields | {"cache": not fields.get("cache")}), **bound_values)

        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__annotations__ = {name: p.annotation for name, p in parameters.items()}
        return call

    return decorate


def _parameter(name: str, repeated: bool, **changes: Any) -> inspect.Parameter:
    """Return the parameter for typer, with a command's changes."""
    kind, info, default = RUN_OPTIONS[name]
    default, info = changes.pop("default", default), copy(info)
    kind = list[str] | None if repeated else kind
    vars(info).update(changes)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def specification(**fields: Any) -> RunSpec:
    """Make a `RunSpec` from these fields.

    Raises:
        UsageError: A value is not allowed; the message names the option.
    """
    from pydantic import ValidationError

    from senbench.schema.run_spec import RunSpec

    try:
        return RunSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"{option} {first['input']!r}: {first['msg'].lower()}") from error


def comma_list(text: str, option: str) -> tuple[str, ...]:
    """Split a comma-separated list into distinct names; an existing path, or a text with `{}`, may contain commas.

    Raises:
        UsageError: The list is empty.
    """
    if is_template(text):
        return (text,)
    names = tuple(dict.fromkeys(_parts(text)))
    if not names:
        raise UsageError(f"{option} {text!r}: the list is empty")
    return names


def _parts(text: str) -> Iterator[str]:
    """Yield the entries of a list; an entry with commas is the longest existing file or folder."""
    pieces = text.split(",")
    start = 0
    while start < len(pieces):
        ends = range(len(pieces), start + 1, -1)
        end = next((e for e in ends if _is_there(",".join(pieces[start:e]))), start + 1)
        if entry := ",".join(pieces[start:end]).strip():
            yield entry
        start = end


def _is_there(entry: str) -> bool:
    local = local_path(entry.strip())
    path = local[1] if local is not None else entry.strip()
    try:
        return bool(path) and Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, an unknown user
        return False


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that an option does not take.

    Raises:
        UsageError: With the values that it takes.
    """
    if value not in allowed:
        raise UsageError(f"{option} {value!r}: give {', '.join(allowed[:-1])} or {allowed[-1]}")
