"""References of a set of results: entries of `bibliography.bib`, or made from the citation in a model's card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.report.export.latex import escape
from senbench.results.qualifications import labels, weights_state, whose

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from senbench.results.standings import Standing
    from senbench.schema.result import RunResult

FILE = Path(__file__).with_name("bibliography.bib")
_TOOLS = {
    "senbench.models.openclip:": ("torch", "open_clip_torch"),
    "senbench.models.msclip:": ("torch", "open_clip_torch"),
    "senbench.models.graft:": ("torch", "transformers"),
    "senbench.models.transformers_clip:": ("torch", "transformers"),
}
_OWN = ("mini",)
"""Model families that are part of senbench and have no other reference."""


def entries() -> dict[str, tuple[tuple[str, ...], str]]:
    """Return the shipped bibliography: key -> (topics it is cited for, entry), in the order of the file."""
    bibliography = {}
    for block in FILE.read_text(encoding="utf-8").split("\n\n"):
        if match := re.match(r"% for: (.+)\n(@\w+\{([^,]+),.*)", block, re.DOTALL):
            bibliography[match[3]] = (tuple(match[1].split()), match[2].strip() + "\n")
    return bibliography


def topics(r: RunResult) -> Iterator[str]:
    """Yield the topics that one result needs references for, as the bibliography names them."""
    model, data = r.model, r.dataset
    if not _unknown(r):  # the card's paper is not the source of a figure of other weights
        yield from (family_topic(r), f"citation:{model.citation}")
    yield from (
        f"dataset:{data.id}",
        f"protocol:{r.protocol}",
        f"ensemble:{r.ensemble}",
        f"postprocess:{r.postprocess}",
    )
    collection = next((name for name in ("eurosat", "bigearthnet") if data.id.startswith(name)), None)
    if collection is not None:
        yield from (f"collection:{collection}", "tool:torchgeo")
    if data.split.startswith("random-") or (data.id == "eurosat" and data.split != "all"):
        yield "split:eurosat-random"
    yield "tool:numpy"
    for prefix, tools in _TOOLS.items():
        if str(model.adapter).startswith(prefix):
            yield from (f"tool:{name}" for name in tools)
    if r.anchors is not None:
        yield "tool:scikit-learn"
    figures = [m for m in r.metrics.values() if m.value is not None]
    yield from (f"method:{m.interval.partition(' ')[0]}" for m in figures if m.ci is not None)
    yield from (
        f"method:{name}" for name in ("ece", "brier") if name in r.metrics and r.metrics[name].value is not None
    )
    if r.groups:
        yield "method:lucas"


def _unknown(r: RunResult) -> bool:
    return weights_state(r.model, r.spec.weights) == "unknown origin"


def family_topic(r: RunResult) -> str:
    """Return the topic of a model's family, without spaces."""
    return "family:" + "_".join(str(r.model.family).split())


def keys(r: RunResult, kinds: Sequence[str]) -> list[str]:
    """Return the keys of the entries for these kinds of topics; a model without one gets an entry of its own."""
    wanted = {topic for topic in topics(r) if topic.partition(":")[0] in kinds}
    matching = [key for key, (topics_of, _) in entries().items() if wanted & set(topics_of)]
    return matching or ([own_key(r)] if "family" in kinds and _own_entry(r) else [])


def bibtex(boards: Sequence[Standing]) -> str:
    """Return every entry that the results of these tables need, each once."""
    wanted: set[str] = set()
    others: dict[str, str] = {}
    versions: dict[str, None] = {}
    shipped = entries()
    covered = {topic for topics_of, _ in shipped.values() for topic in topics_of}
    for board in boards:
        if not board.tests.startswith("none"):
            wanted |= {"method:holm", f"method:{board.tests.partition(' ')[0]}"}
            wanted |= {"method:cluster-jackknife-t"} if "jackknife" in board.tests else set()
        for r in board.results:
            wanted |= set(topics(r))
            versions[r.senbench_version] = None
            if not {family_topic(r), f"citation:{r.model.citation}"} & covered:
                others[own_key(r)] = _own_entry(r)
    tool = "@software{senbench,\n  author    = {{The senbench authors}},\n  title     = {senbench},\n"
    tool += f"  version   = {{{escape(', '.join(versions))}}},\n}}\n"
    chosen = [entry for topics_of, entry in shipped.values() if wanted & set(topics_of)]
    marked = [r for board in boards for r in board.results if labels(r)]
    tool = "".join(f"% {escape(whose(r)).replace('@', ' at ')}\n" for r in marked) + tool
    return "\n".join([tool, *chosen, *(entry for entry in others.values() if entry)])


def own_key(r: RunResult) -> str:
    """Return the key of the entry made from a card."""
    return "model-" + re.sub(r"[^A-Za-z0-9-]+", "-", str(r.model.id)).strip("-")


def _own_entry(r: RunResult) -> str:
    """Return the entry made from the citation in a card; empty if it has none."""
    if _unknown(r):
        return ""
    citation = str(r.model.citation or "")
    if not citation or r.model.family in _OWN:
        return ""
    title = escape(r.model.title or r.model.id)
    lines = [f"@misc{{{own_key(r)},", f"  title     = {{{{{title}}}}},", f"  note      = {{{escape(citation)}}},"]
    if match := re.search(r"arXiv:(\d{4}\.\d{4,5})", citation):
        lines += [f"  eprint    = {{{match[1]}}},", "  archivePrefix = {arXiv},"]
    return "\n".join([*lines, "}"]) + "\n"
