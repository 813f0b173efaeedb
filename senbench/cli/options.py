"""The options that commands share, declared once, and the decorator that hands a command its finished `RunSpec`."""

from __future__ import annotations

import inspect
import operator
from copy import copy
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_type_hints

import typer

from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from senbench.schema.run_spec import RunSpec

Model = Annotated[str, typer.Option(help="Model id, card file, openclip:... or hf:...")]
Dataset = Annotated[str, typer.Option(help="Dataset id or folder:PATH.")]
DataDir = Annotated[str | None, typer.Option(help="Folder that holds the data.")]
Weights = Annotated[str | None, typer.Option(help="Local checkpoint file, for a single model.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Offline = Annotated[bool, typer.Option("--offline", help="Fetch nothing.")]
RunFolder = Annotated[str, typer.Option(help="Folder for result files.")]
ResultFolders = Annotated[str, typer.Option(help="Folder with result folders.")]
RunLookup = Annotated[str, typer.Option(help="Folder in which run ids are looked up.")]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]
OnlyJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout, nothing else.")]
ResultsJson = Annotated[bool, typer.Option("--json", help="Results as JSON on stdout.")]


class RunOption(NamedTuple):
    """One option of the commands that run."""

    field: str
    """Field of `RunSpec` that it sets."""
    kind: Any
    """Type of the parameter with its `typer.Option`."""
    default: Any = None
    take: Callable[[Any], Any] | None = None
    """Makes the field's value from the parameter's; None: it is the same."""


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _option(kind: Any, *flags: str, **settings: Any) -> Any:
    return Annotated[kind, typer.Option(*flags, **settings)]


RUN_OPTIONS = {
    "model": RunOption("models", Model, inspect.Parameter.empty, _one),
    "prompts": RunOption(
        "prompts",
        _option(str, metavar="STYLE|PATH", help="Prompt style, or a .j2 or .json file."),
        inspect.Parameter.empty,
        _one,
    ),
    "dataset": RunOption("datasets", Dataset, "eurosat", _one),
    "split": RunOption("split", _option(str | None, help="Split name, or a file of tile names.")),
    "data_dir": RunOption("data_dir", DataDir),
    "weights": RunOption("weights", Weights),
    "protocol": RunOption("protocol", _option(str, help="standard, senclip-release or clip-benchmark."), "standard"),
    "class_names": RunOption("class_names", _option(str | None, help="Class-name set, or a YAML file.")),
    "ensemble": RunOption("ensemble", _option(str | None, help="norm-mean-norm, mean-norm or logit-mean.")),
    "postprocess": RunOption("postprocess", _option(str | None, help="none or column-mean.")),
    "radiometry": RunOption("radiometry", _option(str | None, help="How DN become 8-bit, or native.")),
    "dn_offset": RunOption(
        "dn_offset",
        _option(str, help="Own folder of DN: what to subtract, 0 or 1000; auto: what the metadata tell."),
        "auto",
    ),
    "device": RunOption("device", Device, "auto"),
    "dtype": RunOption("dtype", _option(str, help="float32, bf16 or fp16."), "float32"),
    "batch_size": RunOption(
        "batch_size", _option(int | None, min=1, help="Images per batch; default: chosen by device and model.")
    ),
    "exact": RunOption(
        "exact",
        _option(bool, "--exact", help="Resize tiles with PIL on the host; default on CUDA: on the device."),
        False,
    ),
    "labels": RunOption(
        "labels",
        _option(str, help="own, or v1: BigEarthNet v2's patches under the labels that v1 gave them."),
        "own",
    ),
    "tune": RunOption(
        "tune",
        _option(str | None, help="Multi-label: split on which thresholds of the tuned F1 are chosen (level 3)."),
    ),
    "anchors": RunOption(
        "anchors",
        _option(
            str | None,
            metavar="SPLIT",
            help="Train kNN and a linear probe on this split, a line for scale (level 3).",
        ),
    ),
    "limit": RunOption("limit", _option(int | None, min=1, help="Use a class-stratified subset of N tiles.")),
    "seed": RunOption("seed", _option(int, min=0, help="Seed of the subset and the bootstrap."), 0),
    "results": RunOption("results", RunFolder, "results"),
    "on_error": RunOption(
        "on_error",
        _option(str, help="A tile that cannot be decoded: stop, or skip and mark incomplete."),
        "stop",
    ),
    "accept_new_weights": RunOption(
        "accept_new_weights",
        _option(bool, "--accept-new-weights", help="Use weights that changed since they were first used."),
        False,
    ),
    "offline": RunOption("offline", Offline, False),
    "no_cache": RunOption(
        "cache", _option(bool, "--no-cache", help="Neither read nor keep embeddings."), False, operator.not_
    ),
}
"""Parameter of a command -> the option. A command may change help, metavar and default."""


def takes_run_spec(
    order: str, *, lists: tuple[str, ...] = (), **changes: Mapping[str, Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options of `RUN_OPTIONS` beside its own, and call it with the `RunSpec` that they make.

    Args:
        order: Names of options in the order of the help; own parameters of the command that it leaves out come last.
        lists: Names of those that take a comma-separated list.
        changes: Name -> `help`, `metavar` or `default` that differ for this command.

    Returns:
        A decorator of a function whose first parameter is the spec. A command without `--results` writes none.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, localns={"RunSpec": object}, include_extras=True)
        _, *parameters = inspect.signature(command).parameters.values()
        own = {p.name: p.replace(annotation=hints[p.name], kind=p.KEYWORD_ONLY) for p in parameters}
        shared = {name: RUN_OPTIONS[name] for name in order.split() if name not in own}
        every = own | {name: _parameter(name, option, **changes.get(name, {})) for name, option in shared.items()}

        signature = inspect.Signature([every[name] for name in dict.fromkeys((*order.split(), *own))])

        @wraps(command, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def call(**words: Any) -> None:
            bound = signature.bind(**words)
            bound.apply_defaults()
            given = bound.arguments
            fields: dict[str, Any] = {"results": None}
            for name, option in shared.items():
                value = given.pop(name)
                if name in lists and value is not None:
                    fields[option.field] = comma_list(value, f"--{name}")
                else:
                    fields[option.field] = option.take(value) if option.take else value
            command(specification(**fields), **given)

        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__annotations__ = {name: p.annotation for name, p in signature.parameters.items()}
        return call

    return decorate


def _parameter(name: str, option: RunOption, **changes: Any) -> inspect.Parameter:
    """The parameter that typer reads, with what a command says otherwise."""
    kind, info = get_args(option.kind)
    info, default = copy(info), changes.pop("default", option.default)
    vars(info).update(changes)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def specification(**fields: Any) -> RunSpec:
    """The run of these fields.

    Raises:
        UsageError: A value that is not allowed; names the option.
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
    """Distinct names of a comma-separated list.

    Raises:
        UsageError: There is none.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UsageError(f"{option} {text!r}: the list is empty")
    return names
