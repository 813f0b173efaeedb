"""`senbench prompts sensitivity`: resamples prompts, and shows the contribution of each prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from senbench.cli import options
from senbench.cli.terminal import make_console, make_table, print_json
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from senbench.prompts.resampling import Flips
    from senbench.schema.run_spec import RunSpec
    from senbench.studies.prompt_sensitivity import ModelSensitivity, Sensitivity


@options.takes_run_spec(
    "model prompts dataset split k bootstrap draws ensemble best_out best_k data_dir weights class_names radiometry "
    "limit seed device dtype accept_pixels offline no_cache",
    lists=("model",),
    model={"help": "Model id, or a comma-separated list."},
    seed={"help": "Seed of the draws and the subset."},
)
def sensitivity(
    spec: RunSpec,
    k: Annotated[
        int | None, typer.Option("--k", min=1, help="Prompts per class in a draw, at most half of them; default: half.")
    ] = None,
    bootstrap: Annotated[
        bool, typer.Option("--bootstrap", help="Draw as many prompts as there are, with replacement.")
    ] = False,
    draws: Annotated[int, typer.Option(min=20, help="Number of draws.")] = 500,
    best_out: Annotated[
        str | None, typer.Option(metavar="PACK.json", help="Write the prompts that contribute most (level 3).")
    ] = None,
    best_k: Annotated[int, typer.Option(min=1, help="How many of each class --best-out keeps.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON on stdout.")] = False,
) -> None:
    """Resample the prompts of each class: bands, curve, ranking, and what each prompt adds to each class."""
    from senbench.cli.progress_bar import Bars
    from senbench.cli.prompts_select import check_out, write_pack
    from senbench.studies.prompt_sensitivity import best, measure

    pack = None if best_out is None else check_out(best_out, "--best-out")
    study = measure(spec, k=k, bootstrap=bootstrap, draws=draws, progress=Bars())
    if as_json:
        print_json(_record(study), ensure_ascii=False)
    _print(make_console(stderr=as_json), study)
    if pack is not None:
        write_pack(pack, best(study, best_k), spec.datasets[0], "--best-out")
        say(f"{best_out}: the {best_k} prompts of each class that contribute most; access level 3", err=as_json)


def _record(study: Sensitivity) -> dict[str, Any]:
    """Return everything as plain values for `--json`."""
    from senbench.studies.prompt_selection import tiles_record

    def number(value: float) -> float | None:
        return None if value != value else round(float(value), 6)

    classes, ids = list(study.prompts.texts), [m.model["id"] for m in study.models]
    return {
        **tiles_record(study.tiles),
        "prompts": {"id": study.prompts.id, "hash": study.prompts.hash, "n": study.prompts.n},
        "ensemble": study.rule,
        "headline": study.headline,
        "access_level": 3,
        "draws": study.draws,
        "k": study.k,
        "replacement": study.k is None,
        "models": [
            {
                "id": m.model["id"],
                "weights_sha256": m.model["weights_sha256"],
                "all": m.everything,
                "bands": m.bands,
                "curve": [{"k": k, **vars(band)} for k, band in m.curve.items()],
                "contributions": [
                    {
                        "class": key,
                        "prompt": text,
                        "contribution": number(m.contributions[key][j]),
                        "by_class": {c: number(v) for c, v in zip(classes, m.by_class[key][j], strict=True)},
                    }
                    for key in classes
                    for j, text in enumerate(study.prompts.texts[key])
                ],
            }
            for m in study.models
        ],
        "ranking": study.flips
        and {
            "order_changes": study.flips.order_changes,
            "pairs": [{"models": [ids[i], ids[j]], "turned": share} for (i, j), share in study.flips.pairs.items()],
        },
    }


def _print(console: Console, study: Sensitivity) -> None:
    from senbench.report.columns import TITLES

    what = TITLES.get(study.headline, study.headline)
    drawn = f"{study.k} of {_per_class(study)}" if study.k else f"{_per_class(study)}, repeats allowed"
    figures = ("all prompts", f"median [5 %, 95 %]\n{drawn}", *map(str, study.models[0].curve))
    table = make_table("model", figures=figures, no_wrap=True)
    for m in study.models:
        band = m.bands[study.headline]
        table.add_row(
            m.model["id"],
            f"{100 * m.everything[study.headline]:.1f}",
            f"{100 * band.median:.1f} [{100 * band.low:.1f}, {100 * band.high:.1f}]",
            *(f"{100 * curve.median:.1f}" for curve in m.curve.values()),
        )
    console.print(
        f"{what} %, {study.prompts.id} on {study.tiles.info.id} {study.tiles.split} (n {len(study.tiles):,}), "
        f"{study.draws} draws; the columns at the right: median with so many prompts per class"
    )
    console.print(table)
    console.print(_meaning(study))
    if study.flips is not None:
        console.print(_ranking([m.model["id"] for m in study.models], study.flips))
    for m in study.models:
        _contributions(console, study, m)
    console.print(
        "- best and most harmful prompts are found with the labels of these images: a pack of them is access level 3, "
        "and its figure here flatters",
        style="dim",
    )
    if study.tiles.info.synthetic or any(m.model.get("synthetic") for m in study.models):
        console.print("- synthetic tiles or model: this says nothing about real Sentinel-2 data", style="dim")


def _per_class(study: Sensitivity) -> str:
    counts = {len(texts) for texts in study.prompts.texts.values()}
    return str(min(counts)) if len(counts) == 1 else f"{min(counts)}-{max(counts)}"


def _meaning(study: Sensitivity) -> str:
    """Explain the band as text."""
    widest = max(study.models, key=lambda m: m.bands[study.headline].high - m.bands[study.headline].low)
    band = widest.bands[study.headline]
    drawn = f"{study.k or 'as many'} prompts of each class, drawn from these{'' if study.k else ' with repeats'}"
    return (
        f"band: with {drawn}, 9 of 10 draws of {widest.model['id']} lie between {100 * band.low:.1f} and "
        f"{100 * band.high:.1f} %. That is what the choice of prompts alone does, on the same images: a difference "
        "between two prompt sets that is smaller than the band may come from the choice and not from the style. It is "
        "no confidence interval over images."
    )


def _ranking(ids: Sequence[str], flips: Flips) -> str:
    pairs = ", ".join(
        f"{ids[i]} and {ids[j]} " + ("are equal with all prompts" if share is None else f"{100 * share:.0f} %")
        for (i, j), share in flips.pairs.items()
    )
    return f"ranking: otherwise than with all prompts in {100 * flips.order_changes:.0f} % of the draws; {pairs}"


def _contributions(console: Console, study: Sensitivity, m: ModelSensitivity) -> None:
    """Print the best and the most harmful prompt of each class."""
    import numpy as np

    table = make_table("class", no_wrap=True)
    table.title, table.title_justify = f"{m.model['id']}: leaving one prompt out, points", "left"
    for effect in ("helps", "harms"):
        table.add_column(effect, justify="right", no_wrap=True)
        table.add_column("prompt", overflow="fold")
    for key, texts in study.prompts.texts.items():
        gains = m.contributions[key]
        if np.isnan(gains).all():
            table.add_row(key, "-", "(its only prompt)", "", "")
            continue
        high, low = int(np.nanargmax(gains)), int(np.nanargmin(gains))
        up = (f"{100 * gains[high]:+.2f}", texts[high]) if gains[high] > 0 else ("", "none helps")
        down = (f"{100 * gains[low]:+.2f}", texts[low]) if gains[low] < 0 else ("", "none harms")
        table.add_row(key, *up, *down)
    console.print(table)
