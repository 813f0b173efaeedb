"""The noise floor, printed after the table of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.cli.terminal import make_console, make_table
from senbench.report.columns import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import RunResult


def print_noise(results: Sequence[RunResult], *, stderr: bool) -> None:
    """Print how far each result moved under settings that should not matter; nothing where it was not measured.

    Args:
        results: Results of one run.
        stderr: Write to stderr, because stdout carries JSON.
    """
    console = make_console(stderr=stderr)
    for r in results:
        if r.noise is None:
            continue
        of = "all" if r.noise.whole else f"of {r.dataset.n_evaluated:,}"
        console.print(
            f"\nNoise of {r.model.id}, {r.prompts.id}, {r.dataset.id}: {r.noise.n:,} tiles ({of}) encoded "
            f"again, against {r.noise.reference}"
        )
        headline = f"{TITLES.get(r.headline, r.headline)}\npoints"
        figures = ("score\nat most", "1 - cosine\nat most", "flips %", headline, "any figure\nat most")
        table = make_table("changed", figures=figures, no_wrap=True)
        for v in r.noise.variants:
            moved = "-" if v.headline is None else f"{100 * v.headline:+.2f}"
            flips = f"{100 * v.flips:.2f}"
            table.add_row(v.name, f"{v.score:.1e}", f"{v.cosine:.1e}", flips, moved, f"{v.figure:.1e}")
        console.print(table)
        for name, why in r.noise.left_out.items():
            console.print(f"- {name}: not done, {why}", style="dim")
