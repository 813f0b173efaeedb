"""`senbench compare`: compares two results on the same images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import make_console, make_table, print_json, print_settings
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.report.comparison.two_results import Comparison

SHOWN = 10
"""Number of flipped images listed in the terminal."""


def compare(
    first: Annotated[
        str, typer.Argument(metavar="A", help="Run id or its beginning, name of a model, or result folder.")
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="The run to compare with it.")],
    results: options.RunLookup = "results",
    html: Annotated[str | None, typer.Option(help="HTML file: the comparison with pictures of flipped tiles.")] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Folder of the data, for --html's pictures; default: as the results say.")
    ] = None,
    as_json: options.OnlyJson = False,
) -> None:
    """Compare two runs on the same images: settings that differ, paired differences (B - A), flipped images."""
    from senbench.errors import UsageError
    from senbench.report.comparison.two_results import compare
    from senbench.results.store import locate

    if data_dir is not None and html is None:
        raise UsageError(f"--data-dir {data_dir} is for the pictures of --html; give both")
    folder = Path(results).expanduser()
    paths = locate(first, folder), locate(second, folder)
    comparison = compare(*paths)
    if html is not None:
        _write(comparison, paths, html, data_dir)
    if as_json:
        print_json(comparison.as_json(), indent=1, allow_nan=False)
    else:
        _show(comparison)


def _write(comparison: Comparison, paths: tuple[Path, Path], html: str, data_dir: str | None) -> None:
    """Write the page, with the pictures stored by the runs, and further ones if the data are available."""
    from senbench.report.comparison import page as gallery
    from senbench.results.store import write_text
    from senbench.studies.tile_pictures import gathered

    pictures = gathered(paths, partial(gallery.wanted, comparison.flips), data_dir=data_dir, say=partial(say, err=True))
    page = write_text(Path(html).expanduser(), gallery.render(comparison, pictures), "--html")
    say(f"wrote {page}", err=True)


def _show(comparison: Comparison) -> None:
    from senbench.report.numbers import by_block_size, equivalence, interval, points, probability, share
    from senbench.results.qualifications import model_name, qualifications

    console = make_console(stderr=False)
    for side, run in (("A", comparison.before), ("B", comparison.after)):
        console.print(f"{side} {run.run_id}: {model_name(run)}", soft_wrap=True)
    console.print()
    if comparison.settings:
        print_settings(console, comparison.settings)
    else:
        console.print("no setting differs\n")
    change, paired = comparison.change, comparison.change.paired
    what = {"top1": "top-1", "map_macro": "macro mAP"}[comparison.metric]
    figures = f"{share(change.before)} -> {share(change.after)} %, {points(paired.difference)} points"
    console.print(f"{what} on {comparison.n:,} images: {figures}, 95 % {interval(paired.ci)}")
    console.print(f"  {paired.interval}")
    if sentence := by_block_size(paired.by_size):
        console.print(f"  {sentence}", soft_wrap=True)
    if change.p is not None:
        console.print(f"  p {probability(change.p)} ({change.test})")
    if change.p_equivalent is not None:
        console.print(f"  {equivalence(change.p_equivalent, change.margin)}")
    if change.sign_flip is not None:
        least = f"; with {paired.clusters} clusters it cannot be below {change.smallest_sign_flip:.4f}"
        few = least if (change.smallest_sign_flip or 0) > 0.05 else ""
        console.print(f"  cluster-sign-flip: p {probability(change.sign_flip)}{few}")
    for name, ci in (change.second_opinions or {}).items():
        console.print(f"  {name}: {interval(ci)}")
    if change.minimum_detectable is not None:
        console.print(f"  smallest difference found four times in five: {share(change.minimum_detectable)} points")
    table = make_table("class", figures=["A %", "B %", "points", "interval\n(Holm)", "p (Holm)"])
    for key, class_change in comparison.classes.items():
        moved = points(class_change.paired.difference), interval(class_change.paired.ci)
        table.add_row(
            key, share(class_change.before), share(class_change.after), *moved, probability(class_change.p_adjusted)
        )
    console.print(table)
    kinds = [flip.kind for flip in comparison.flips]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("gained", "lost", "other"))
    console.print(f"{len(comparison.flips):,} images flipped: {counts}")
    for flip in comparison.flips[:SHOWN]:
        console.print(f"  {flip.kind:6} {flip.id}: {flip.label}, {flip.before} -> {flip.after}", soft_wrap=True)
    if len(comparison.flips) > SHOWN:
        console.print(f"  and {len(comparison.flips) - SHOWN:,} more: --json lists them, --html FILE shows them")
    for side, run in (("A", comparison.before), ("B", comparison.after)):
        for one in qualifications(run):
            say(f"- {side}: {one.line}", err=True)
    for note in comparison.notes:
        say(f"- {note}", err=True)
