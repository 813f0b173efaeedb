"""A result as it must be, made again from its rows, its prompts, its settings and the shipped cards and datasets."""

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
"""Fields of a result that its settings state too."""
MOVING = ("fingerprint", "verified", "note", "weights")
"""Fields of a card that are added to when a release is looked at anew."""

LATER = ("ece_l1",)
"""Figures that results of schema version 1 do not have."""


def expected(result: RunResult, table: Predictions, made: Outcome) -> dict[str, Any]:
    """Every field of a result that follows from others, from the rows or from what is shipped.

    Args:
        result: The result.
        table: Its predictions.
        made: Its figures made again.

    Returns:
        As the result in JSON; `UNKNOWN` where nothing is known.
    """
    known, card = dataset_of(result), card_of(result.model)
    how = result.resolved
    level = max(made.access_level, result.prompts.access_level)
    if result.recorded is not None:
        level = max(level, result.recorded.level, 0 if result.recorded.shots is None else 3)
    return {
        "schema_version": result.schema_version,
        "run_id": run_id(
            result.model,
            result.dataset,
            result.prompts,
            how,
            result.environment.dtype,
            result.spec.seed,
            table.scores,
        ),
        "spec": _spec(result, known),
        "resolved": _resolved(result, known, card),
        "model": _model(result),
        "dataset": _dataset(result, table, known, card),
        "prompts": _prompts(result, known),
        **{name: getattr(how, name) for name in COPIED},
        "contamination": _contamination(result, known, card),
        "access_level": level,
        **_logits(result, card),
        "complete": _complete(result, len(table.ids)),
        **_figures(result, made),
        **_not_recorded(result, made, table),
    }


def warnings(result: RunResult, made: Outcome) -> list[str]:
    """The warnings that follow from the fields of a result and from its figures.

    Args:
        result: The result.
        made: Its figures made again.
    """
    known, card = dataset_of(result), card_of(result.model)
    heard = _linted(result, known)
    pinned = card is not None and result.model.weights_sha256 is not None
    told = caveats.told(result.resolved, result.dataset, card if pinned else None, heard)
    trained = result.anchors.warnings if result.anchors is not None else ()
    figures: tuple[str, ...] = ()
    if not earlier(result) and result.headline in result.metrics:
        figures = (*(one.sentence for one in qualifications(result)), *made.warnings)
    return [*figures, *told, *trained]


def _linted(result: RunResult, known: Known) -> tuple[str, ...]:
    """What the linter says of the texts; nothing where the class names are in a file of the user's."""
    from senbench.prompts.lint import lint

    if result.recorded is not None or _names(result, known) is None:
        return ()
    told = result.prompts.model_dump(include=set(PromptFields.model_fields))
    try:
        return lint.checked(PromptSet.model_validate(told), vocabulary_of(known)).warnings
    except (SenbenchError, KeyError) as error:
        return (f"prompts that can be evaluated: {error}",)


def _complete(result: RunResult, n: int) -> bool:
    pixels = result.dataset.pixels
    return n == result.dataset.n_expected and not (pixels is not None and pixels.left_out)


def _spec(result: RunResult, known: Known) -> dict[str, Any]:
    """What was asked for, as far as it shows in what was done."""
    spec, how, data = result.spec, result.resolved, result.dataset
    passed = RunSpec.model_validate(spec.model_dump(include=set(RunSpec.model_fields))).model_dump(mode="json")
    out = dict.fromkeys({**passed, **spec.model_dump(mode="json")}, UNKNOWN)
    for names, name in (("models", "model"), ("prompts", "prompts"), ("datasets", "dataset")):
        given, own = passed[names], getattr(how, name)
        out[names] = [own] if len(given) == 1 else UNKNOWN if own in given else [own]
    out["protocol"] = how.protocol
    out["limit"] = data.limit
    for name in ("ensemble", "postprocess", "class_names"):
        out[name] = passed[name] if passed[name] is None else getattr(how, name)
    if passed["split"] is not None and not data.split.startswith("file:"):
        out["split"] = data.split
    out["labels"] = "v1" if "labels" in how.overrides else "own"
    # a split of the user's own list is `file:NAME`, what was passed is its name
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
    """What a block must hold: a field may be absent where that reads as what is expected, or in schema version 1."""
    held, fields = block.model_dump(), type(block).model_fields
    absent = {name for name in out if name not in held}
    if not earlier(result):
        absent = {name for name in absent if name in fields and out[name] == fields[name].get_default()}
    return {name: value for name, value in out.items() if name not in absent}


def _resolved(result: RunResult, known: Known, card: ModelCard | None) -> Any:
    """The settings, resolved again; the preprocessing of a model that was passed as an object is its own."""
    spec, how, data = result.spec, result.resolved, result.dataset
    usual = card is not None and result.model.weights_sha256 is not None
    if how.recorded is not None:
        return _as_recorded(result)
    try:
        protocol = protocols.find(how.protocol)
    except SenbenchError:
        return {"protocol": sorted(protocols.PROTOCOLS)}
    used = protocols.preprocess(protocol, card) if usual and card is not None else how.preprocess
    tiles: Any = SimpleNamespace(info=known.info, split=data.split, radiometry=data.radiometry)
    encoder: Any = SimpleNamespace(preprocess=used, card=card, path=how.path)
    given = spec.model_copy(update={"protocol": how.protocol})
    made = protocols.resolve(given, tiles, encoder, how.dataset, how.prompts, how.model).model_dump(mode="json")
    if usual and (spec.exact or protocol.normalisation is not None):
        made["path"] = "exact"
    if not known.shipped and spec.class_names is None and how.class_names is not None:
        made["class_names"] = protocol.class_names
    return made


def _as_recorded(result: RunResult) -> Any:
    """The settings of outputs that were recorded elsewhere: all bound by the run id, and nothing done by senbench."""
    how, recorded = result.resolved, result.recorded
    out: dict[str, Any] = {**dict.fromkeys(how.model_dump(mode="json"), UNKNOWN), "protocol": protocols.RECORDED}
    out |= {"preprocess": None, "path": None, "class_names": None, "overrides": [], "note": ""}
    out["headline"] = "map_macro" if result.dataset.task == "multi-label" else "top1"
    if recorded is not None and recorded.given != "embeddings":
        out |= {"ensemble": recorded_elsewhere.AS_RECORDED, "postprocess": recorded_elsewhere.AS_RECORDED}
    return out


def _model(result: RunResult) -> Any:
    """The shipped card of that name; of any other only that its fields are bound by the run id."""
    told = result.model.model_dump(mode="json")
    out = dict.fromkeys(told, UNKNOWN)
    if result.recorded is not None:
        return recorded_elsewhere.described(result.model.id)
    if (card := shipped_card(result)) is not None:
        stated = {k: v for k, v in card_files.portable(card).items() if k in told and k not in MOVING}
        out |= stated
    return out


def _contamination(result: RunResult, known: Known, card: ModelCard | None) -> Any:
    if result.recorded is not None:
        return recorded_elsewhere.grade(result.model.id, result.dataset.id, known.info if known.shipped else None)
    given = caveats.unpinned(result.model, result.spec.weights)
    if known.shipped or card is None:
        return contamination.grade(shipped_card(result) or card, known.info, given=given)
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
    """Tiles that a split of a shipped dataset has; None for a list of the user's, or where not all splits are known."""
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
    """Class names of the set in force; None where they are in a file of the user's."""
    given = result.spec.class_names
    if result.recorded is not None:
        return None
    if given is not None and given.endswith((".yaml", ".yml")):
        return None
    if not known.shipped and result.dataset.class_names != "folder":
        return None
    try:
        vocabulary = vocabulary_of(known)
        return [entry.names[result.dataset.class_names] for entry in vocabulary.classes]
    except (SenbenchError, KeyError):
        return ["of another class-name set"]


def _shipped_style(result: RunResult, known: Known) -> dict[str, Any]:
    """Texts of a shipped style on a shipped dataset, if it still is of that version."""
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
    """The multiplier and bias that the card states; those in a checkpoint follow from no field."""
    out: dict[str, Any] = {"logit_scale": UNKNOWN, "logit_bias": UNKNOWN}
    if card is not None and result.model.weights_sha256 is not None:
        stated = {"logit_scale": card.logit_scale, "logit_bias": card.logit_bias}
        recorded = not earlier(result) or result.logit_scale is not None or card.logit_scale is None
        out |= {name: value for name, value in stated.items() if value != "checkpoint" and recorded}
    return out


def earlier(result: RunResult) -> bool:
    """Whether a result states the first schema version: then it must not have what later ones must have."""
    return result.schema_version == 1


def _not_recorded(result: RunResult, made: Outcome, table: Predictions) -> dict[str, Any]:
    """What results of schema version 1 did not hold, and what they need not hold."""
    if not earlier(result):
        return {}
    out: dict[str, Any] = {}
    if made.reliability and "reliability" not in result.model_fields_set:
        out["reliability"] = UNKNOWN
    if made.per_label and table.countries is None:
        out["groups"] = UNKNOWN
    for name in ("per_class", "per_label"):
        out[name] = [one.model_dump(mode="json", exclude={"scores"}) for one in getattr(made, name)]
    told = _figures(result, made)["metrics"]
    for metric in told.values():
        metric.pop("note", None)
    out["metrics"] = {name: metric for name, metric in told.items() if name not in LATER}
    return out


def _figures(result: RunResult, made: Outcome) -> dict[str, Any]:
    """All figures as a result states them."""
    least = result.prompts.access_level

    def unknown(*names: str) -> dict[str, Any]:
        return dict.fromkeys(names, UNKNOWN) if result.postprocess == "transclip" else {}

    def metric(one: Metric) -> dict[str, Any]:
        told = one.model_dump(mode="json") | unknown("ci", "interval")
        return told | ({"access_level": max(least, told["access_level"])} if "access_level" in told else {})

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
