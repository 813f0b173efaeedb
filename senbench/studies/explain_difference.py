"""Explains why two figures differ: the differing settings, and the contribution of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import senbench
from senbench.datasets import open as datasets
from senbench.errors import SenbenchError, UsageError
from senbench.results import places, store
from senbench.results.qualifications import qualifications
from senbench.results.settings_diff import SettingDifference, differences
from senbench.runtime.progress import Progress, Silent
from senbench.scoring.comparison.shapley import FigureDifference, attribute, combination
from senbench.studies.configuration import (
    IMAGES,
    SCORING,
    Configuration,
    Switch,
    configuration_of,
    renderable,
    switched,
)
from senbench.studies.rescoring import Rescorer, Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import RunResult


CARD = ("architecture", "activation", "text_activation", "bands", "tokenizer", "context_length", "logit_scale")
"""Fields of a card that determine the scores, besides weights and preprocessing."""


class Effect(NamedTuple):
    """Effect of one switch, always second configuration minus first."""

    switch: str
    """Name; a block of several image settings is `images (...)`."""
    first: FigureDifference | None
    """Effect of switching it alone in the first configuration; None if not computed."""
    second: FigureDifference | None
    """Effect of undoing it alone in the second configuration; None if not computed."""
    shapley: FigureDifference | None
    """Mean over all orders; None for a switch inside a block, or unless both configurations can be scored."""
    needs: str | None
    """What is missing for the values that were not computed."""


@dataclass(frozen=True)
class Attributed:
    """The attribution of one metric's difference between two configurations.

    Attributes:
        metric: Its name.
        first: Figure of the first configuration, None if it cannot be computed here.
        second: Figure of the second configuration.
        total: Second minus first; None unless both can be computed here.
        base: Images on which the scoring switches are evaluated: those of `both`, `first` or `second`.
        effects: By switch.
        scoring: Sum of the Shapley values of all scoring switches, if only one configuration's images are available.
    """

    metric: str
    first: float | None
    second: float | None
    total: FigureDifference | None
    base: str
    effects: tuple[Effect, ...]
    scoring: FigureDifference | None


@dataclass(frozen=True)
class Explanation:
    """Explanation of the difference between two results.

    Attributes:
        first: Name of the first configuration.
        second: Name of the second.
        settings: Every recorded setting that differs.
        same: Switches with equal settings in both configurations.
        metrics: One attribution per headline; empty if nothing can be computed.
        recorded: Metric -> figures recorded in the results, first and second.
        needs: What is missing, if a configuration could not be scored here.
        notes: Caveats for the reader.
    """

    first: str
    second: str
    settings: tuple[SettingDifference, ...]
    same: tuple[str, ...]
    metrics: tuple[Attributed, ...]
    recorded: dict[str, tuple[float | None, float | None]]
    needs: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values for JSON; figures in 0..1."""
        plain = asdict(self)
        plain["settings"] = [d._asdict() for d in self.settings]
        plain["metrics"] = [
            {**asdict(m), "words": in_words(m), "effects": [_plain(effect) for effect in m.effects]}
            for m in self.metrics
        ]
        return plain


def _plain(effect: Effect) -> dict[str, Any]:
    return {k: asdict(v) if isinstance(v, FigureDifference) else v for k, v in effect._asdict().items()}


def explain(
    first: Path,
    second: Path,
    *,
    weights: Sequence[str] = (),
    data_dir: str | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> Explanation:
    """Explain the difference between two result folders; nothing is downloaded.

    Args:
        first: Folder of the first result.
        second: Folder of the second.
        weights: Checkpoint files to try, besides those named in the results and the default locations.
        data_dir: Folder of the data; None for the one named in the results.
        device: Device by name.
        progress: Displays progress.

    Raises:
        UsageError: A result is malformed, or the two have no figure in common.
    """
    results = store.load(first), store.load(second)
    a, b = results
    if a.dataset.classes != b.dataset.classes or a.dataset.task != b.dataset.task:
        raise UsageError(
            f"{a.run_id} and {b.run_id} have other classes ({a.dataset.id} and {b.dataset.id}): their "
            "difference is none that settings explain"
        )
    settings = tuple(differences(a, b))
    recorded = {m: (_recorded(a, m), _recorded(b, m)) for m in dict.fromkeys((a.headline, b.headline))}
    ends: list[Configuration] = []
    needs: list[str] = []
    for result in results:
        try:
            ends.append(configuration_of(result))
        except SenbenchError as error:
            needs.append(str(error))
    caveats = [f"{r.run_id}: {one.line}" for r in results for one in qualifications(r)]
    if len(ends) < 2:
        return Explanation(a.run_id, b.run_id, settings, (), (), recorded, tuple(needs), tuple(caveats))
    specs = [places.spec_here(result) for result in results]
    own_weights = [spec.weights for spec in specs if spec.weights]
    data = {end.dataset: data_dir or spec.data_dir for end, spec in zip(ends, specs, strict=True)}
    if data_dir is None and _apart(a, b):
        data = {}
        ends = [replace(end, place=spec.data_dir) for end, spec in zip(ends, specs, strict=True)]
    bench = Rescorer([*weights, *own_weights], data, device, progress or Silent())
    hashes = (a.dataset.index_hash, b.dataset.index_hash)
    explanation = explain_configurations(ends[0], ends[1], bench, names=(a.run_id, b.run_id), index_hashes=hashes)
    notes = [*explanation.notes, *caveats]
    for m in explanation.metrics:
        for result, end, here, then in zip(results, ends, (m.first, m.second), recorded[m.metric], strict=True):
            if here is not None and then is not None and abs(here - then) > 1e-9:
                notes.append(
                    f"{result.run_id}: {m.metric} made again here is {100 * here:.2f} %, recorded is "
                    f"{100 * then:.2f} %; the former is explained. {_since(result, bench.seen(end))}"
                )
    return replace(explanation, settings=settings, recorded=recorded, notes=tuple(notes))


def _since(result: RunResult, embedded: Seen) -> str:
    """Describe what changed since a result was recorded, apart from its settings."""
    before, now = result.environment.model_dump(), embedded.environment
    facts: dict[str, tuple[Any, Any]] = {"senbench": (result.senbench_version, senbench.__version__)}
    facts["content keys of the tiles"] = (str(result.dataset.content_hash)[:12], embedded.content_hash[:12])
    facts |= {name: (before.get(name), now.get(name)) for name in ("device", "device_name", "platform")}
    packages = {**before["versions"], **now["versions"]}
    facts |= {name: (before["versions"].get(name, "none"), now["versions"].get(name, "none")) for name in packages}
    if None not in (threads := (before.get("threads"), now.get("threads"))):  # unknown for cached embeddings
        facts["threads"] = threads
    changed = [f"{name} {a} then, {b} now" for name, (a, b) in facts.items() if a != b]
    return f"Changed since that run: {'; '.join(changed) or 'nothing that it recorded'}"


def _apart(a: RunResult, b: RunResult) -> bool:
    """Return whether two results read one dataset from two folders with different pixels or tiles."""
    data_dirs = [places.spec_here(r).data_dir for r in (a, b)]
    folders = [where and Path(where).expanduser().resolve() for where in data_dirs]
    same = a.resolved.dataset == b.resolved.dataset
    return same and folders[0] != folders[1] and a.dataset.content_hash != b.dataset.content_hash


def _recorded(result: RunResult, metric: str) -> float | None:
    return result.metrics[metric].value if metric in result.metrics else None


def explain_configurations(
    a: Configuration,
    b: Configuration,
    bench: Rescorer,
    *,
    names: tuple[str, str],
    index_hashes: tuple[str | None, str | None] = (None, None),
) -> Explanation:
    """Attribute the difference between two configurations to the settings that differ.

    Scoring settings are combined in all ways on the image embeddings of both configurations; settings that need other
    images or embeddings are switched one at a time, and form one block in the combinations.

    Args:
        a: First configuration.
        b: Second configuration.
        bench: Embeds and scores.
        names: Names of the configurations.
        index_hashes: Index hash that the images of each configuration must have; None for any.
    """
    a, b, switches = _aligned(a, b)
    here, needs = [], []
    for end, name, wanted in zip((a, b), names, index_hashes, strict=True):
        lack = _needs(bench, end)
        if lack is None and wanted not in (None, index_hash := bench.seen(end).index_hash):
            lack = f"the images of that run, index {str(wanted)[:12]}; those here are {index_hash[:12]}"
        here.append(lack is None)
        if lack is not None:
            needs.append(f"{name}: {lack}")
    changed = {field for s in switches for field in s.fields}
    same = [s.name for s in (*IMAGES, *SCORING) if changed.isdisjoint(s.fields)]
    metrics: list[Attributed] = []
    if any(here):
        singles = [s for s in switches if s in _images(switches)]
        for s in singles:  # embed first: clusters known to one image source are used for all figures
            for end, other, there in ((a, b, here[0]), (b, a, here[1])):
                if there and len(singles) > 1:
                    _needs(bench, switched(end, other, s))
        metrics = [_attributed(a, b, bench, switches, m, here) for m in dict.fromkeys((a.headline, b.headline))]
    return Explanation(names[0], names[1], (), tuple(same), tuple(metrics), {}, tuple(needs), _notes(a, b, metrics))


def _aligned(a: Configuration, b: Configuration) -> tuple[Configuration, Configuration, list[Switch]]:
    """Return the configurations, with equivalent settings made equal, and the switches between them."""
    both = a.words.hash != b.words.hash and renderable(a) and renderable(b)
    if both and (a.words.id, a.words.version) == (b.words.id, b.words.version):
        b = replace(b, words=a.words)  # the same style: only the names differ
    elif not both and a.words.hash == b.words.hash:
        b = replace(b, words=a.words, names=a.names)
    # texts of a file cannot be rendered with other names: both are switched together
    joint = not both and a.names != b.names
    switches = []
    for switch in (*IMAGES, *SCORING):
        if "card" in switch.fields:
            switch = switch._replace(name=_model(a, b))
        if joint and switch.name == "class names":
            continue
        if joint and switch.name == "prompts":
            switch = Switch("prompts (class names with them)", ("words", "names"))
        if any(_comparable(a, f) != _comparable(b, f) for f in switch.fields):
            switches.append(switch)
    return a, b, switches


def _comparable(end: Configuration, field: str) -> Any:
    value = getattr(end, field)
    if field == "card":
        return [getattr(value, name) for name in CARD]
    if field == "words":
        return value.hash
    if field == "preprocess":  # the resolution belongs to the model
        return value.model_copy(update={"resolution": 0})
    return value


def _model(a: Configuration, b: Configuration) -> str:
    if a.digest != b.digest:
        return "model"
    changed = {name for name in type(a.card).model_fields if getattr(a.card, name) != getattr(b.card, name)}
    return "activation" if "activation" in changed else "model"


def _images(switches: Sequence[Switch]) -> list[Switch]:
    scoring = {field for s in SCORING for field in s.fields}
    return [s for s in switches if not scoring.issuperset(s.fields)]


def _needs(bench: Rescorer, end: Configuration) -> str | None:
    """Return what is missing to embed the images of a configuration, or None."""
    try:
        bench.seen(end)
    except SenbenchError as error:
        return str(error)
    return None


def _attributed(
    a: Configuration, b: Configuration, bench: Rescorer, switches: Sequence[Switch], metric: str, here: Sequence[bool]
) -> Attributed:
    images = _images(switches)
    players = [s for s in switches if s not in images]
    start, base = (a, "first") if here[0] else (switched(a, b, _block(images)), "second")
    block = _block(images)
    if all(here):
        base = "both"
        if images:
            players.append(block)
    ends = [start]
    for player in players:  # bit i of an index states whether switch i is set as in the second configuration
        ends += [switched(end, b, player) for end in ends]
    combinations = [bench.figure(end, metric) for end in ends]
    attribution = attribute(combinations)
    effects = [
        Effect(s.name, x, y, z, None)
        for s, x, y, z in zip(
            players, attribution.from_first, attribution.from_second, attribution.shapley, strict=True
        )
    ]
    if len(images) > 1 or not all(here):
        effects += [_alone(a, b, bench, s, metric, here) for s in images]
    first, last = combinations[0].value, combinations[-1].value
    return Attributed(
        metric,
        _defined(first) if here[0] else None,
        _defined(last) if here[1] else None,
        attribution.total if base == "both" else None,
        base,
        tuple(effects),
        None if base == "both" else attribution.total,
    )


def _defined(value: float) -> float | None:
    return None if value != value else value


def _block(images: Sequence[Switch]) -> Switch:
    """Combine all image settings into one switch, so that nothing between the configurations is embedded."""
    names = ", ".join(s.name for s in images)
    name = names if len(images) == 1 else f"images ({names})"
    return Switch(name, tuple(field for s in images for field in s.fields))


def _alone(a: Configuration, b: Configuration, bench: Rescorer, s: Switch, metric: str, here: Sequence[bool]) -> Effect:
    """Evaluate a switch that needs other image embeddings by itself in each configuration."""
    deltas: list[FigureDifference | None] = []
    needs: list[str] = []
    for end, other, there, sign in ((a, b, here[0], 1.0), (b, a, here[1], -1.0)):
        changed = switched(end, other, s)
        missing = _needs(bench, changed) if there else _needs(bench, end)
        if missing is None and there:
            pair = [bench.figure(changed, metric), bench.figure(end, metric)]
            deltas.append(combination([sign, -sign], pair))
        else:
            deltas.append(None)
            needs.append(missing or "the images of that end")
    return Effect(s.name, deltas[0], deltas[1], None, "; ".join(dict.fromkeys(needs)) or None)


def _notes(a: Configuration, b: Configuration, metrics: Sequence[Attributed]) -> tuple[str, ...]:
    notes = []
    if a.headline != b.headline:
        notes.append(
            f"the metrics differ ({a.headline} and {b.headline}): that has no difference in points, both are shown"
        )
    deltas = [d for m in metrics for e in m.effects for d in (e.first, e.second, e.shapley) if d is not None]
    if any(d.interval.startswith("unpaired") for d in deltas):
        notes.append("a change of the set of images is unpaired; where the sets share images its interval is not exact")
    if any(len(m.effects) and m.base != "both" for m in metrics):
        notes.append("only one end's images are here: the values of scoring settings are made on these")
    if datasets.dataset_info(a.dataset).synthetic or datasets.dataset_info(b.dataset).synthetic:
        notes.append("synthetic tiles: this says nothing about real Sentinel-2 data")
    return tuple(notes)


def in_words(attributed: Attributed) -> str:
    """Return one sentence that states how many points come from which setting."""
    parts = sorted(
        (
            (e.switch, round(e.shapley.value, 9) + 0.0)
            for e in attributed.effects
            if e.shapley is not None and e.shapley.value is not None
        ),
        key=lambda part: -abs(part[1]),
    )
    total = attributed.total or attributed.scoring
    if total is None or total.value is None:
        return f"{attributed.metric}: the difference cannot be split, a combination of the settings has no figure"
    shares = ", ".join(f"{100 * value:+.1f} {'come ' * (i == 0)}from {name}" for i, (name, value) in enumerate(parts))
    if attributed.base == "both":
        where = f"of the {100 * total.value:+.1f} points"
    else:
        where = f"of the {100 * total.value:+.1f} points of the scoring settings, on the {attributed.base} end's images"
    return (
        f"{attributed.metric}: {where}, {shares}"
        if shares
        else f"{attributed.metric}: no setting of scoring or images differs"
    )
