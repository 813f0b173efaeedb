"""`senbench prompts try`: a text or a template on a few tiles at once."""

from __future__ import annotations

from typing import Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.runtime.printing import say

SHOWN = 3
"""Candidates that are printed of each tile."""


def try_(
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="A template with {}, or several texts to be told apart.")
    ],
    tile: Annotated[list[str], typer.Option(metavar="FILE", help="An 8-bit image; may be repeated.")],
    model: options.Model = "mini",
    dataset: Annotated[str, typer.Option(help="Dataset whose classes fill a template.")] = "eurosat",
    class_names: options.ClassNames = None,
    offline: options.Offline = False,
    as_json: options.OnlyJson = False,
) -> None:
    """Show the first classes and their margin of some tiles."""
    from senbench.cli.terminal import print_aligned, print_json
    from senbench.datasets.open import dataset_info
    from senbench.studies.prompt_trial import candidates, trial

    names, prompts = candidates(texts, dataset_info(dataset, offline=offline), class_names)
    found = trial(names, prompts, tile, model, offline=offline)
    if as_json:
        print_json([one.record() for one in found], indent=2)
        return
    rows = [("tile", "margin", *(f"{k}." for k in range(1, SHOWN + 1)))]
    for one in found:
        told = [f"{r.name} {r.cosine:.3f} ({100 * r.share:.0f} %)" for r in one.ranked[:SHOWN]]
        rows.append((one.file, f"{one.margin:.3f}", *told, *[""] * (SHOWN - len(told))))
    print_aligned(rows)
    say(f"cosine and share among {len(names)}; margin: cosine of the first less the second ({model})", err=True)
