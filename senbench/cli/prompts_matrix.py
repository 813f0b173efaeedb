"""`senbench prompts matrix`: writes a page of prompts by classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli import options
from senbench.errors import UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.schema.run_spec import RunSpec


@options.takes_run_spec(
    "model prompts dataset out split data_dir weights class_names radiometry limit seed device dtype "
    "accept_pixels offline no_cache",
    lists=("model",),
    model={"help": "Model id, or a comma-separated list."},
    seed={"help": "Seed of the subset."},
)
def matrix(spec: RunSpec, out: Annotated[str, typer.Option(help="HTML file to write.")] = "matrix.html") -> None:
    """Write a page of prompts by classes: similarity, contribution, and the tiles a prompt ranks highest."""
    from senbench.cli.progress_bar import Bars
    from senbench.report.prompt_matrix_page import write
    from senbench.studies.prompt_matrix import measure

    if spec.weights is not None and len(spec.models) > 1:
        raise UsageError(f"--weights gives one file, but {len(spec.models)} models are asked for")
    page = write(measure(spec, Bars()), Path(out).expanduser())
    say(f"{page}: it shows what labels say of each prompt; a set edited by it is access level 3")
