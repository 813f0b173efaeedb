"""`senbench run`: the main job."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.errors import UsageError
from senbench.runtime import distributed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from senbench.schema.run_spec import RunSpec

NOISE_TILES = 512
"""Tiles that `--noise` repeats where no number is given."""


def run(
    model: Annotated[str, typer.Option(help="Model id, or a comma-separated list: a grid.")],
    prompts: Annotated[
        str | None,
        typer.Option(help="Prompt style, or a .j2 or .json file; or a comma-separated list."),
    ] = None,
    dataset: Annotated[str, typer.Option(help="Dataset id or folder:PATH; or a list.")] = "eurosat",
    split: Annotated[
        str | None, typer.Option(help="Split name, or a file of tile names; default: the protocol's.")
    ] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Folder that holds the data (2750/, EuroSAT_RGB/, EuroSAT.zip, ...).")
    ] = None,
    weights: options.Weights = None,
    protocol: Annotated[str, typer.Option(help="standard, senclip-release or clip-benchmark.")] = "standard",
    class_names: Annotated[
        str | None, typer.Option(help="Class-name set (senclip, clip, torchgeo), or a YAML file.")
    ] = None,
    ensemble: Annotated[
        str | None,
        typer.Option(help="norm-mean-norm, mean-norm, logit-mean, prob-mean, max or dap."),
    ] = None,
    postprocess: Annotated[str | None, typer.Option(help="none or column-mean.")] = None,
    radiometry: options.Radiometry = None,
    dn_offset: options.DnOffset = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    tf32: Annotated[
        bool, typer.Option("--tf32", help="CUDA from A100 on: float32 with products in TF32, faster, less exact.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images per batch; default: chosen by device and model.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Resize tiles with PIL on the host; default on CUDA: on the device.")
    ] = False,
    labels: Annotated[
        str, typer.Option(help="own, or v1: BigEarthNet v2's patches under the labels that v1 gave them.")
    ] = "own",
    tune: Annotated[
        str | None, typer.Option(help="Multi-label: split on which thresholds of the tuned F1 are chosen (level 3).")
    ] = None,
    anchors: Annotated[
        str | None,
        typer.Option(metavar="SPLIT", help="Train kNN and a linear probe on this split, a line for scale (level 3)."),
    ] = None,
    limit: options.Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the subset and the bootstrap.")] = 0,
    noise: Annotated[
        bool, typer.Option("--noise", help="Repeat over batch sizes, precisions and resizing: how far figures move.")
    ] = False,
    noise_tiles: Annotated[
        int | None, typer.Option(min=1, help="Tiles that --noise repeats; default: 512, or all where there are fewer.")
    ] = None,
    results: Annotated[str, typer.Option(help="Folder for result files.")] = "results",
    on_error: Annotated[
        str, typer.Option(help="A tile that cannot be decoded: stop, or skip and mark incomplete.")
    ] = "stop",
    accept_new_weights: Annotated[
        bool, typer.Option("--accept-new-weights", help="Use weights that changed since they were first used.")
    ] = False,
    offline: options.Offline = False,
    no_cache: options.NoCache = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON on stdout.")] = False,
) -> None:
    """Evaluate models x prompts x datasets, zero-shot; images are embedded once per model and dataset."""
    from senbench import protocols

    style = prompts or protocols.find(protocol).prompts
    if style is None:
        raise UsageError("--prompts is missing: give a style (see `senbench prompts list`) or a .j2 or .json file")
    if tf32 and dtype != "float32":
        raise UsageError(f"--tf32 is a way to compute float32; leave it out, or --dtype {dtype}")
    if noise_tiles is not None and not noise:
        raise UsageError(f"--noise-tiles {noise_tiles} is for --noise; give both")
    spec = specification(
        models=comma_list(model, "--model"),
        prompts=comma_list(style, "--prompts"),
        datasets=comma_list(dataset, "--dataset"),
        protocol=protocol,
        split=split,
        data_dir=data_dir,
        weights=weights,
        class_names=class_names,
        ensemble=ensemble,
        postprocess=postprocess,
        radiometry=radiometry,
        dn_offset=dn_offset,
        labels=labels,
        tune=tune,
        anchors=anchors,
        limit=limit,
        seed=seed,
        device=device,
        dtype="tf32" if tf32 else dtype,
        exact=exact,
        batch_size=batch_size,
        on_error=on_error,
        offline=offline,
        accept_new_weights=accept_new_weights,
        cache=not no_cache,
        noise=noise_tiles or NOISE_TILES if noise else None,
        results=results,
    )
    execute(spec, as_json=as_json)


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


def execute(spec: RunSpec, *, as_json: bool) -> None:
    """Run a spec with progress bars, then print the tables or the JSON."""
    import json

    from senbench.cli.progress_bar import Bars
    from senbench.cli.tables.factorial_table import print_factorial
    from senbench.cli.tables.noise_table import print_noise
    from senbench.cli.tables.run_table import print_table
    from senbench.evaluation.grid import run_crossed
    from senbench.runtime.progress import Silent

    team = distributed.team()
    with _ended_from_outside() as signals:
        try:
            found, factorials = run_crossed(spec, Silent() if team.rank else Bars(), team)
        except KeyboardInterrupt:  # typer would turn it into a silent exit
            distributed.tell("senbench: interrupted; the same command continues with what was embedded")
            raise typer.Exit(128 + (signals or [signal.SIGINT])[0]) from None
    if team.rank:
        return
    print_table(found, stderr=as_json)
    print_factorial(factorials, stderr=as_json)
    print_noise(found, stderr=as_json)
    if as_json:
        typer.echo(json.dumps([result.model_dump(mode="json") for result in found], ensure_ascii=False))
    elif spec.results is not None:
        typer.echo(f"{len(found)} result{'s' * (len(found) != 1)} in {spec.results}/", err=True)


@contextmanager
def _ended_from_outside() -> Iterator[list[int]]:
    """SIGTERM is an interruption, so that what was embedded is kept: torchrun and Slurm end a process with it.

    Yields:
        The signals that came.
    """
    came: list[int] = []

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # Python sets signals in no other
        yield came
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before)


def comma_list(text: str, option: str) -> tuple[str, ...]:
    """Distinct names of a comma-separated list.

    Raises:
        UsageError: There is none.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise UsageError(f"{option} {text!r}: the list is empty")
    return names
