"""Derives what a result must contain from its rows, prompts and settings, and from the shipped cards and datasets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from senbench import protocols
from senbench.audit.leaves import UNKNOWN
from senbench.audit.stand_ins import card_of, dataset_of, shipped_card, vocabulary_of
from senbench.datasets.tiles import index_hash
from senbench.errors import SenbenchError
from senbench.evaluation import caveats, recorded_elsewhere
from senbench.models import card_files
from senbench.prompts.load import prompt_hash, template_aligned
from senbench.results.qualifications import qualifications
from senbench.results.run_id import run_id
from senbench.schema import contamination
from senbench.schema.prompt_set import PromptFields, PromptSet
from senbench.schema.run_spec import RunSpec

if TYPE_CHECKING:
    from senbench.audit.stand_ins import Known
    from senbench.results.predictions import Predictions
    from senbench.schema.blocks import ResultBlock
    from senbench.schema.model_card import ModelCard
    from senbench.schema.result import Metric, RunResult
    from senbench.scoring.figures import Outcome

COPIED = ("protocol", "ensemble", "postprocess", "headline")
"""Fields of a result that its settings repeat."""
MOVING = ("fingerprint", "verified", "note", "weights")
"""Fields of a card that may be extended when a release is examined again."""

LATER = ("ece_l1",)
"""Figures that results of schema version 1 lack."""


def expected(result: RunResult, table: Predictions, made: Outcome) -> dict[str, Any]:
    """Return every field of a result that follows from other fields, from the rows or from the shipped data.

    Args:
        result: The result.
        table: Its predictions.
        made: Its recomputed figures.

    Returns:
        The fields as in the result's JSON; `UNKNOWN` for values that cannot be derived.
    """
    known, card = dataset_of(result), card_of(result.model)
    settings = result.resolved
    level = max(made.access_level, result.prompts.access_level)
    if result.recorded is not None:
        level = max(level, result.recorded.level, 0 if result.recorded.shots is None else 3)
    return {
        "schema_version": result.schema_version,
        "run_id": run_id(
            result.model,
            result.dataset,
            result.prompts,
            settings,
            result.environment.dtype,
            result.spec.seed,
            table.scores,
        ),
        "spec": _spec(result, known),
        "resolved": _resolved(result, known, card),
        "model": _model(result),
        "dataset": _dataset(result, table, known, card),
        "prompts": _prompts(result, known),
        **{name: getattr(settings, name) for name in COPIED},
        "contamination": _contamination(result, known, card),
        "access_level": level,
        **_logits(result, card),
        "complete": _complete(result, len(table.ids)),
        **_figures(result, made),
        **_not_recorded(result, made, table),
    }


def warnings(result: RunResult, made: Outcome) -> list[str]:
    """Return the warnings that follow from the fields of a result and from its figures.

    Args:
        result: The result.
        made: Its recomputed figures.
    """
    known, card = dataset_of(result), card_of(result.model)
    heard = _linted(result, known)
    pinned = card is not None and result.model.weights_sha256 is not None
    caveats_of_run = caveats.told(result.resolved, result.dataset, card if pinned else None, heard)
    trained = result.anchors.warnings if result.anchors is not None else ()
    figures: tuple[str, ...] = ()
    if not earlier(result) and result.headline in result.metrics:
        figures = (*(one.sentence for one in qualifications(result)), *made.warnings)
    return [*figures, *caveats_of_run, *trained]


def _linted(result: RunResult, known: Known) -> tuple[str, ...]:
    """Return the linter's findings on the texts; none if the class names are in a user's file."""
    from senbench.prompts.lint import lint

    if result.recorded is not None or _names(result, known) is None:
        return ()
    recorded = result.prompts.model_dump(include=set(PromptFields.model_fields))
    try:
        return lint.checked(PromptSet.model_validate(recorded), vocabulary_of(known)).warnings
    except (SenbenchError, KeyError) as error:
        return (f"prompts that can be evaluated: {error}",)


def _complete(result: RunResult, n: int) -> bool:
    pixels = result.dataset.pixels
    return n == result.dataset.n_expected and not (pixels is not None and pixels.left_out)


def _spec(result: RunResult, known: Known) -> dict[str, Any]:
    """Return the spec as passed, as far as the recorded settings reveal it."""
    spec, settings, data = result.spec, result.resolved, result.dataset
    passed = RunSpec.model_validate(spec.model_dump(include=set(RunSpec.model_fields))).model_dump(mode="json")
    out = dict.fromkeys({**passed, **spec.model_dump(mode="json")}, UNKNOWN)
    for names, name in (("models", "model"), ("prompts", "prompts"), ("datasets", "dataset")):
        passed_names, resolved_name = passed[names], getattr(settings, name)
        out[names] = (
            [resolved_name] if len(passed_names) == 1 else UNKNOWN if resolved_name in passed_names else [resolved_name]
        )
    out["protocol"] = settings.protocol
    out["limit"] = data.limit
    for name in ("ensemble", "postprocess", "class_names"):
        out[name] = passed[name] if passed[name] is None else getattr(settings, name)
    if passed["split"] is not None and not data.split.startswith("file:"):
        out["split"] = data.split
    out["labels"] = "v1" if "labels" in settings.overrides else "own"
    # a split from a user's list is recorded as `file:NAME`, while its name was passed
    out["tune"] = None if data.tuned_on is None else str(data.tuned_on.get("split")).removeprefix("file:")
    out["anchors"] = result.labels_from.removeprefix("file:") or None
    few = result.labels_saved
    sizes = None if few is None else sorted({one.shots for one in few.figures})
    out["shots"] = passed["shots"] if sizes == (passed["shots"] and sorted(set(passed["shots"]))) else sizes
    if result.noise is None:
        out["noise"] = None
    if result.model.adapter is not None and result.model.weights_sha256 is not None:
        out["dtype"] = result.environment.dtype
    if data.skipped:
        out["on_error"] = "skip"
    return _recorded(result, spec, out)


def _recorded(result: RunResult, block: ResultBlock, out: dict[str, Any]) -> dict[str, Any]:
    """Return the expected block; a field may be absent if its default is expected, or in schema version 1."""
    held, fields = block.model_dump(), type(block).model_fields
    absent = {name for name in out if name not in held}
    if not earlier(result):
        absent = {name for name in absent if name in fields and out[name] == fields[name].get_default()}
    return {name: value for name, value in out.items() if name not in absent}


def _resolved(result: RunResult, known: Known, card: ModelCard | None) -> Any:
    """Resolve the settings again; the preprocessing of a user's object cannot be derived."""
    spec, settings, data = result.spec, result.resolved, result.dataset
    usual = card is not None and result.model.weights_sha256 is not None
    if settings.recorded is not None:
        return _as_recorded(result)
    try:
        protocol = protocols.find(settings.protocol)
    except SenbenchError:
        return {"protocol": sorted(protocols.PROTOCOLS)}
    used = protocols.preprocess(protocol, card) if usual and card is not None else settings.preprocess
    tiles: Any = SimpleNamespace(info=known.info, split=data.split, radiometry=data.radiometry)
    encoder: Any = SimpleNamespace(preprocess=used, card=card, path=settings.path)
    passed = spec.model_copy(update={"protocol": settings.protocol})
    made = protocols.resolve(passed, tiles, encoder, settings.dataset, settings.prompts, settings.model).model_dump(
        mode="json"
    )
    if usual and (spec.exact or protocol.normalisation is not None):
        made["path"] = "exact"
    if not known.shipped and spec.class_names is None and settings.class_names is not None:
        made["class_names"] = protocol.class_names
    return made


def _as_recorded(result: RunResult) -> Any:
    """Return the settings of recorded outputs: all are bound by the run id, and senbench did no preprocessing."""
    settings, recorded = result.resolved, result.recorded
    out: dict[str, Any] = {**dict.fromkeys(settings.model_dump(mode="json"), UNKNOWN), "protocol": protocols.RECORDED}
    out |= {"preprocess": None, "path": None, "class_names": None, "overrides": [], "note": ""}
    out["headline"] = "map_macro" if result.dataset.task == "multi-label" else "top1"
    if recorded is not None and recorded.given != "embeddings":
        out |= {"ensemble": recorded_elsewhere.AS_RECORDED, "postprocess": recorded_elsewhere.AS_RECORDED}
    return out


def _model(result: RunResult) -> Any:
    """Return the shipped card of that name; the fields of any other card are only bound by the run id."""
    block = result.model.model_dump(mode="json")
    out = dict.fromkeys(block, UNKNOWN)
    if result.recorded is not None:
        return recorded_elsewhere.described(result.model.id)
    if (card := shipped_card(result)) is not None:
        stated = {k: v for k, v in card_files.portable(card).items() if k in block and k not in MOVING}
        out |= stated
    return out


def _contamination(result: RunResult, known: Known, card: ModelCard | None) -> Any:
    if result.recorded is not None:
        return recorded_elsewhere.grade(result.model.id, result.dataset.id, known.info if known.shipped else None)
    unpinned = caveats.unpinned(result.model, result.spec.weights)
    if known.shipped or card is None:
        return contamination.grade(shipped_card(result) or card, known.info, given=unpinned)
    grades = {*card.contamination.values(), "unknown"}
    return UNKNOWN if result.contamination in grades else "unknown"


def _dataset(result: RunResult, table: Predictions, known: Known, card: ModelCard | None) -> dict[str, Any]:
    data, info = result.dataset, known.info
    out: dict[str, Any] = dict.fromkeys(data.model_dump(mode="json"), UNKNOWN)
    out |= {
        "n_evaluated": len(table.ids),
        "subset": len(table.ids) < data.n_expected,
        "index_hash": index_hash(table.ids, table.labels, data.classes),
        "task": "single-label" if table.predicted is not None else "multi-label",
        "class_names": result.prompts.class_names,
        "limit": result.spec.limit,
    }
    if result.model.weights_sha256 is not None:
        out["model_level"] = None if card is None else card.level
    if not known.shipped:
        return _recorded(result, data, out)
    out |= {name: getattr(info, name) for name in ("title", "task", "level", "licence", "synthetic")}
    out["classes"] = list(info.classes)
    if (total := _total(result, known)) is not None:
        out["n_expected"] = total
    return _recorded(result, data, out)


def _total(result: RunResult, known: Known) -> int | None:
    """Return the number of tiles of a split of a shipped dataset; None for a user's list or unknown splits."""
    split, info = result.dataset.split, known.info
    protocol = protocols.PROTOCOLS.get(result.protocol)
    if protocol is not None and (drawn := protocol.on(info).sample) and split == protocol.splits.get(info.id):
        return min(drawn.n, info.splits[split]) // drawn.batch * drawn.batch
    return info.splits.get(split)


def _prompts(result: RunResult, known: Known) -> dict[str, Any]:
    pack, classes = result.prompts, result.dataset.classes
    out: dict[str, Any] = dict.fromkeys(pack.model_dump(mode="json"), UNKNOWN)
    out |= {
        "n": sum(len(lines) for lines in pack.texts.values()),
        "hash": prompt_hash(pack.texts),
        "class_names": result.dataset.class_names,
    }
    kind = pack.source.rpartition(".")[2]
    if pack.source == "python":
        out |= {"id": "custom", "style": "custom", "version": None, "template_aligned": False, "provenance": {}}
    elif kind in ("j2", "json"):
        name = pack.source.removeprefix("builtin:").rpartition("/")[2]
        out["id"] = name.rpartition(".")[0]
        aligned = template_aligned(pack.texts, dict(zip(classes, pack.names, strict=False)))
        out["template_aligned"] = aligned if kind == "j2" or not aligned else UNKNOWN
        if kind == "j2":
            out["provenance"] = {}
        else:
            out["version"] = None
    if (names := _names(result, known)) is not None:
        out["names"] = names
    if pack.source.startswith("builtin:"):
        out |= _shipped_style(result, known)
    return _recorded(result, pack, out)


def _names(result: RunResult, known: Known) -> list[str] | None:
    """Return the class names in use; None if they are in a user's file."""
    passed = result.spec.class_names
    if result.recorded is not None:
        return None
    if passed is not None and passed.endswith((".yaml", ".yml")):
        return None
    if not known.shipped and result.dataset.class_names != "folder":
        return None
    try:
        vocabulary = vocabulary_of(known)
        return [entry.names[result.dataset.class_names] for entry in vocabulary.classes]
    except (SenbenchError, KeyError):
        return ["of another class-name set"]


def _shipped_style(result: RunResult, known: Known) -> dict[str, Any]:
    """Return the texts of a shipped style on a shipped dataset, if the style still has that version."""
    from senbench.prompts.load import load_prompts

    pack = result.prompts
    if not known.shipped or _names(result, known) is None:
        return {}
    try:
        style = pack.id.partition("@")[0]
        made = load_prompts(f"{style}@{pack.version}", known.info, vocabulary_of(known), pack.class_names)
    except SenbenchError:
        return {"id": "of a shipped style"}
    return made.model_dump(mode="json", include={"style", "texts", "template_aligned", "access_level"})


def _logits(result: RunResult, card: ModelCard | None) -> dict[str, Any]:
    """Return the multiplier and bias that the card states; those in a checkpoint cannot be derived."""
    out: dict[str, Any] = {"logit_scale": UNKNOWN, "logit_bias": UNKNOWN}
    if card is not None and result.model.weights_sha256 is not None:
        stated = {"logit_scale": card.logit_scale, "logit_bias": card.logit_bias}
        recorded = not earlier(result) or result.logit_scale is not None or card.logit_scale is None
        out |= {name: value for name, value in stated.items() if value != "checkpoint" and recorded}
    return out


def earlier(result: RunResult) -> bool:
    """Return whether a result has schema version 1, without the fields that later versions require."""
    return result.schema_version == 1


def _not_recorded(result: RunResult, made: Outcome, table: Predictions) -> dict[str, Any]:
    """Return the fields that results of schema version 1 lack or may lack."""
    if not earlier(result):
        return {}
    out: dict[str, Any] = {}
    if made.reliability and "reliability" not in result.model_fields_set:
        out["reliability"] = UNKNOWN
    if made.per_label and table.countries is None:
        out["groups"] = UNKNOWN
    for name in ("per_class", "per_label"):
        out[name] = [one.model_dump(mode="json", exclude={"scores"}) for one in getattr(made, name)]
    figures = _figures(result, made)["metrics"]
    for metric in figures.values():
        metric.pop("note", None)
    out["metrics"] = {name: metric for name, metric in figures.items() if name not in LATER}
    return out


def _figures(result: RunResult, made: Outcome) -> dict[str, Any]:
    """Return all figures as in a result."""
    least = result.prompts.access_level

    def unknown(*names: str) -> dict[str, Any]:
        return dict.fromkeys(names, UNKNOWN) if result.postprocess == "transclip" else {}

    def metric(one: Metric) -> dict[str, Any]:
        fields = one.model_dump(mode="json") | unknown("ci", "interval")
        return fields | ({"access_level": max(least, fields["access_level"])} if "access_level" in fields else {})

    return {
        "metrics": {name: metric(one) for name, one in made.metrics.items()},
        "lines": made.lines,
        "ties": made.ties,
        "per_class": [one.model_dump(mode="json") | unknown("recall_ci", "recall_interval") for one in made.per_class],
        "confusion": [list(row) for row in made.confusion],
        "reliability": [one.model_dump(mode="json") for one in made.reliability],
        "per_label": [one.model_dump(mode="json") for one in made.per_label],
        "n_unlabelled": made.n_unlabelled,
        "clustering": made.clustering and made.clustering.model_dump(mode="json"),
        "replicates": made.replicates,
        "resampled": {name: list(ends) for name, ends in made.resampled.items()},
        "groups": [one.model_dump(mode="json") for one in made.groups],
    }
