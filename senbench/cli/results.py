"""`senbench results`: lists, shows, removes and validates the results of a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.errors import UsageError
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from senbench.schema.result import RunResult

app = typer.Typer(
    help="Result files: list, show, remove and validate them, find tiles never right, print their schema.",
    no_args_is_help=True,
)
Runs = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Run ids or their beginnings, names of models, or result folders.")
]


@app.command("list")
def list_results(results: options.ResultFolders = "results", as_json: options.Json = False) -> None:
    """List the results of a folder: short id, model, prompts, dataset, split, tiles, figure."""
    from senbench.cli.terminal import print_aligned, print_json
    from senbench.results.store import load_all, short_ids

    loaded = load_all(Path(results).expanduser())
    short = short_ids([r.run_id for r in loaded])
    if as_json:
        print_json([{"short_id": short[r.run_id], **_summary(r)} for r in loaded], ensure_ascii=False)
        return
    rows = [("id", "model", "prompts", "dataset", "split", "tiles", "figure", "", "created")]
    for r in loaded:
        tiles = f"{r.dataset.n_evaluated:,}" + ("" if r.complete else f" of {r.dataset.n_expected:,}")
        what = short[r.run_id], r.model.id, r.prompts.id, r.dataset.id, r.dataset.split, tiles
        rows.append((*what, _figure(r), "" if r.complete else "incomplete", r.created))
    print_aligned(rows)


@app.command()
def show(runs: Runs, results: options.RunLookup = "results", as_json: options.Json = False) -> None:
    """Print settings, figures and warnings of results, and the command that reproduces each."""
    from senbench.cli.tables.run_table import print_table
    from senbench.cli.terminal import print_json
    from senbench.report.citation.rerun_command import command
    from senbench.results.store import load, locate

    loaded = [load(locate(run, Path(results).expanduser())) for run in dict.fromkeys(runs)]
    if as_json:
        print_json(loaded, ensure_ascii=False)
        return
    print_table(loaded, stderr=False)
    for r in loaded:
        say(f"{r.run_id}\n  {r.created}, senbench {r.senbench_version}\n  {command(r)}")


@app.command()
def rm(
    runs: Runs,
    results: options.RunLookup = "results",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove results; asks first, unless --yes is given."""
    from senbench.results.store import locate, remove

    folders_to_remove = list(dict.fromkeys(locate(run, Path(results).expanduser()) for run in runs))
    for path in folders_to_remove:
        say(path.name, err=True)
    count = f"{len(folders_to_remove)} result{'s' * (len(folders_to_remove) != 1)}"
    if not yes and not typer.confirm(f"remove {count}?", err=True):
        say(err=True)  # stdin is closed
        raise UsageError("nothing was removed; --yes removes without a question")
    for path in folders_to_remove:
        remove(path)
    say(f"removed {count}", err=True)


@app.command()
def unanimous(
    runs: Runs,
    results: options.RunLookup = "results",
    split: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write their names to FILE, as `senbench run --split` reads it.")
    ] = None,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write a page with pictures of them.")] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Folder of the data, for --html's pictures; default: as the results say.")
    ] = None,
    as_json: options.OnlyJson = False,
) -> None:
    """List the tiles that no run of a set classifies correctly, with the answers, to check their labels."""
    from senbench.cli.terminal import print_json
    from senbench.report.comparison.unanimous import QUESTION, collect, render, wanted
    from senbench.results.store import locate, write_text
    from senbench.studies.tile_pictures import gathered

    if data_dir is not None and html is None:
        raise UsageError(f"--data-dir {data_dir} is for the pictures of --html; give both")
    folders = list(dict.fromkeys(locate(run, Path(results).expanduser()) for run in runs))
    never, tell = collect(folders), partial(say, err=True)
    if split is not None:
        if not never.tiles:
            raise UsageError(f"--split {split}: no tile is to be written, every one is right in some run")
        lines = "".join(f"{tile.id}\n" for tile in never.tiles)
        tell(f"wrote {write_text(Path(split).expanduser(), lines, '--split')}")
    if html is not None:
        page = render(never, gathered(folders, partial(wanted, never.tiles), data_dir=data_dir, say=tell))
        tell(f"wrote {write_text(Path(html).expanduser(), page, '--html')}")
    if as_json:
        print_json(never.as_json(), ensure_ascii=False)
    else:
        for tile in never.tiles:
            say("\t".join((tile.id, tile.label, ", ".join(f"{answer} {times}" for answer, times in tile.answers))))
    tell(f"{len(never.tiles):,} of {never.n:,} tiles are right in none of {len(never.runs)} runs. {QUESTION}")
    if never.left_out:
        tell(f"- {never.left_out:,} tiles were not evaluated by all of the runs and are left out")


@app.command()
def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="Result folders, their result.json, folders of result folders, factorial-*.json and "
            "single-prompts-*.json files, pages of `report` and `compare`, or folders of `report --publish`.",
        ),
    ] = None,
    results: options.RunLookup = "results",
    explain: Annotated[
        bool, typer.Option("--explain", help="List what cannot be checked, and why; check nothing.")
    ] = False,
) -> None:
    """Check results against the schema, and derive or recompute every field; one line per finding."""
    from senbench.audit import factorials, prompt_counts, unknowable
    from senbench.audit.validate import validate as check
    from senbench.report import page_audit

    if explain:
        for name, entries in (
            ("result.json", unknowable.UNKNOWABLE),
            ("result.json under --postprocess transclip, besides", unknowable.TOGETHER),
            ("factorial-*.json", factorials.UNKNOWABLE),
        ):
            say(f"{name}: not derived, not made again and not bound by the run id")
            for pattern, reason in entries:
                say(f"  {pattern:<42} {reason}")
        return
    if not files:
        raise UsageError("no result is named: give result folders, or --explain")
    beside = {"factorial-": factorials.findings, "single-prompts-": prompt_counts.findings}
    bad, paths = 0, [path for file in files for path in _results(file)]
    for path in paths:
        begin = next((begin for begin in beside if path.name.startswith(begin)), None)
        if path.suffix == ".html" or page_audit.is_site(path):
            findings = page_audit.findings(path, Path(results).expanduser())
        else:
            findings = check(path) if begin is None else beside[begin](path)
        bad += bool(findings)
        for line in findings or ["ok"]:
            say(f"{path}: {' '.join(line.split())}")
    if bad:
        raise UsageError(f"{bad} of {len(paths)} results cannot be accepted as they are: see the lines above")


@app.command()
def schema() -> None:
    """Print the JSON Schema of result.json, as published in docs/schema/."""
    from senbench.results.json_schema import text

    say(text(), nl=False)


def _results(path: Path) -> list[Path]:
    """Return a result as passed, or all results of a folder."""
    from senbench.results.store import folders

    held = ("result.json", "predictions.parquet", "manifest.json")
    if not path.is_dir() or any((path / name).exists() for name in held):
        return [path]
    return [*folders(path), *sorted((*path.glob("factorial-*.json"), *path.glob("single-prompts-*.json")))]


def _figure(r: RunResult) -> str:
    from senbench.cli.tables.run_table import with_interval
    from senbench.report.columns import TITLES

    return f"{TITLES.get(r.headline, r.headline)} {with_interval(r.metrics[r.headline])} %"


def _summary(r: RunResult) -> dict[str, object]:
    return {
        "run_id": r.run_id,
        "model": r.model.id,
        "prompts": r.prompts.id,
        "dataset": r.dataset.id,
        "split": r.dataset.split,
        "n_evaluated": r.dataset.n_evaluated,
        "n_expected": r.dataset.n_expected,
        "complete": r.complete,
        "headline": r.headline,
        "value": r.metrics[r.headline].value,
        "created": r.created,
    }
