"""`senbench run`: the main job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli import options
from senbench.cli.terminal import interruptible, print_json
from senbench.errors import UsageError
from senbench.runtime import distributed
from senbench.runtime.dataset_names import HAVE_COLUMNS, add_options
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.schema.run_spec import RunSpec

RESULTS = "results"
"""Folder of results, where `--results` names none."""
TRIALS = "trials"
"""Folder of the results of `--limit`, which are for trying out, where `--results` names none."""
NOISE_TILES = 512
"""Default number of tiles that `--noise` repeats."""


@options.takes_run_spec(
    "model prompts dataset split data_dir weights protocol class_names ensemble postprocess radiometry dn_offset "
    "device dtype tf32 batch_size exact kernels labels tune anchors shots limit seed noise noise_tiles results "
    "on_error accept_new_weights accept_pixels offline no_cache",
    lists=("model", "prompts", "dataset", "shots"),
    repeats=("prompts",),
    model={"help": "Model id, or a comma-separated list: a grid."},
    prompts={
        "help": "Prompt style, or a .j2 or .json file, or a list of these; or one template with {}. May be repeated.",
        "metavar": None,
        "default": None,
    },
    dataset={"help": "Dataset id, folder:PATH, table:FILE, torchgeo:CLASS or hf:OWNER/NAME; or a list."},
    split={"help": "Split name, or a file of tile names; default: the protocol's."},
    data_dir={"help": "Folder of the data (2750/, EuroSAT_RGB/, EuroSAT.zip, ...)."},
    results={"help": "Folder for result files; default: results, of --limit trials.", "default": None},
    class_names={"help": "Class-name set (senclip, clip, torchgeo), or a YAML file."},
    ensemble={"help": "norm-mean-norm, mean-norm, logit-mean, prob-mean, max or dap."},
)
def run(
    spec: RunSpec,
    tf32: Annotated[
        bool, typer.Option("--tf32", help="CUDA from A100 on: float32 with products in TF32, faster, less exact.")
    ] = False,
    noise: Annotated[
        bool, typer.Option("--noise", help="Repeat over batch sizes, precisions and resizing: how far figures change.")
    ] = False,
    noise_tiles: Annotated[
        int | None, typer.Option(min=1, help="Tiles that --noise repeats; default: 512, or all where there are fewer.")
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(help="Column with the images, where a dataset's table does not call it so.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column with the labels, where a dataset's table does not call it so.")
    ] = None,
    as_json: options.ResultsJson = False,
) -> None:
    """Evaluate models x prompts x datasets, zero-shot; images are embedded once per model and dataset."""
    from senbench import protocols

    prompts = spec.prompts
    if not prompts:
        style = protocols.find(spec.protocol).prompts
        if style is None:
            raise UsageError(
                "--prompts is missing: give a style (see `senbench prompts list`), a file, or a template with {}"
            )
        prompts = (style,)
    if tf32 and spec.dtype != "float32":
        raise UsageError(f"--tf32 is a way to compute float32; leave it out, or --dtype {spec.dtype}")
    if noise_tiles is not None and not noise:
        raise UsageError(f"--noise-tiles {noise_tiles} is for --noise; give both")
    results = spec.results
    if results is None:
        results = RESULTS if spec.limit is None else TRIALS
    changes = {
        "results": results,
        "prompts": prompts,
        "dtype": "tf32" if tf32 else spec.dtype,
        "noise": noise_tiles or NOISE_TILES if noise else None,
        "datasets": tuple(_with_columns(name, image_column, label_column) for name in spec.datasets),
    }
    execute(spec.model_copy(update=changes), as_json=as_json)


def _with_columns(dataset: str, image: str | None, label: str | None) -> str:
    """The name of a dataset with the columns that were given, as results keep it."""
    columns = {key: value for key, value in (("image", image), ("label", label)) if value is not None}
    if not columns:
        return dataset
    if not dataset.startswith(HAVE_COLUMNS):
        option = next(iter(columns))
        raise UsageError(f"--{option}-column {columns[option]}: dataset {dataset} has no columns to choose from")
    return add_options(dataset, columns)


def execute(spec: RunSpec, *, as_json: bool) -> None:
    """Run a spec with progress bars, then print the tables or the JSON."""
    from senbench.cli.progress_bar import Bars
    from senbench.cli.tables.factorial_table import print_factorial
    from senbench.cli.tables.run_table import print_labels_saved, print_noise, print_table
    from senbench.evaluation.grid import run_crossed
    from senbench.runtime.progress import Silent

    team = distributed.team()
    with interruptible("what was embedded"):
        run_results, factorials = run_crossed(spec, Silent() if team.rank else Bars(), team)
    if team.rank:
        return
    print_table(run_results, stderr=as_json)
    print_factorial(factorials, stderr=as_json)
    print_labels_saved(run_results, stderr=as_json)
    print_noise(run_results, stderr=as_json)
    if as_json:
        print_json(run_results, ensure_ascii=False)
    elif spec.results is not None:
        for result in run_results:
            say(result.run_id, err=True)
        say(f"{len(run_results)} result{'s' * (len(run_results) != 1)} in {spec.results}/", err=True)
