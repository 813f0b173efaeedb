"""Derives from the fields of a result all qualifications of its figure; every table and page takes them from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from senbench.schema import contamination

if TYPE_CHECKING:
    from collections.abc import Iterator

    from senbench.schema.blocks import ModelBlock
    from senbench.schema.result import RunResult

WeightsState = Literal["pinned", "as fetched", "unknown origin"]
POSITIONED = ("eurosat", "bigearthnet")
"""Prefixes of the ids of datasets whose tiles are cut from the same scenes, so that intervals need clusters."""
CANONICAL = "float32"
"""Precision of the encoders in every protocol."""
CLIPPED_SHARE = 0.01
"""Share of clipped values from which on it is reported."""
CHANCE = {"map_macro": "prevalence", "map_micro": "prevalence_micro", "r_precision_micro": "constant_ranking"}
"""Headline -> its reference line without any knowledge of the images, if that is not `chance`."""


class Qualification(NamedTuple):
    """One caveat about a figure."""

    code: str
    """Stable name: `synthetic`, `unknown-origin`, ..."""
    label: str
    """A few words, for a table cell or a badge."""
    sentence: str
    """The caveat as a sentence with its values."""
    ranked: bool = True
    """Whether a result with this caveat can be ranked."""

    @property
    def line(self) -> str:
        """Return the sentence, preceded by the label if that has a word which the sentence lacks."""
        sentence_words = {word.strip(":,;") for word in self.sentence.lower().split()}
        return (
            self.sentence if sentence_words.issuperset(self.label.lower().split()) else f"{self.label}: {self.sentence}"
        )


def qualifications(result: RunResult) -> tuple[Qualification, ...]:
    """Return all qualifications of a result, the most serious first.

    Args:
        result: The result; only its own fields are used.

    Returns:
        The qualifications, first those that exclude it from ranking; empty if there are none.
    """
    every = [
        *_recorded(result),
        *_model(result),
        *_tiles(result),
        *_prompts(result),
        *_protocol(result),
        *_figure(result),
    ]
    return tuple(sorted(every, key=lambda one: one.ranked))


def codes(result: RunResult) -> frozenset[str]:
    """Return the codes of all qualifications of a result."""
    return frozenset(one.code for one in qualifications(result))


def labels(result: RunResult) -> tuple[str, ...]:
    """Return the labels of all qualifications of a result, for a table cell."""
    return tuple(one.label for one in qualifications(result))


def notes(result: RunResult) -> tuple[str, ...]:
    """Return all caveats as sentences: the qualifications, then the other warnings, each once."""
    return tuple(dict.fromkeys((*(one.sentence for one in qualifications(result)), *result.warnings)))


def whose(result: RunResult) -> str:
    """Return model, prompts and all labels in one line, where there is no room for sentences."""
    return f"{model_name(result)}, {result.prompts.id} prompts: {'; '.join(labels(result))}"


def ranked(result: RunResult) -> bool:
    """Return whether a result may be ranked: it has a headline figure and no disqualifying caveat."""
    return result.metrics[result.headline].value is not None and all(one.ranked for one in qualifications(result))


def weights_state(model: ModelBlock, passed: str | None) -> WeightsState | None:
    """Return what is known about the weights.

    Args:
        model: The block of the model, with the hashes stated in its card.
        passed: The value of `--weights`.

    Returns:
        `pinned` if their hash is one of the card's; `as fetched` if the card states no hash and they were downloaded
        from its repository at a recorded revision; `unknown origin` otherwise. None for a user's object, which has no
        card.
    """
    source: dict[str, Any] | None = (model.model_extra or {}).get("weights")
    if source is None:
        return None
    known = {source.get("sha256"), *(source.get("also_sha256") or ())} - {None}
    if model.weights_sha256 in known:
        return "pinned"
    fetched = passed is None and model.weights_revision is not None
    return "as fetched" if fetched and source.get("sha256") is None else "unknown origin"


def advice(result: RunResult) -> str | None:
    """Return how the origin of weights could be confirmed, if an earlier version or the user placed a released file.

    Args:
        result: The result.

    Returns:
        One sentence for the user; None if there is nothing to do.
    """
    source = (result.model.model_extra or {}).get("weights") or {}
    released = source.get("repo") or source.get("url")
    unknown = weights_state(result.model, result.spec.weights) == "unknown origin"
    if not unknown or not released or result.spec.weights is not None or source.get("sha256"):
        return None
    return (
        f"nothing is noted of where the weights of {result.model.id} were fetched, as by an earlier version: "
        f"`senbench models fetch {result.model.id}` asks their repository whether they are its own"
    )


def model_name(result: RunResult) -> str:
    """Return the model's display name; weights of unknown origin do not get the name of their card."""
    return _named(result, result.model.title or result.model.id)


def model_id(result: RunResult) -> str:
    """Return the same with the card's id, for tables that name models by id."""
    return _named(result, result.model.id)


def _named(result: RunResult, name: str) -> str:
    unknown = weights_state(result.model, result.spec.weights) == "unknown origin"
    return f"weights of unknown origin under card {name}" if unknown else name


def above_chance(result: RunResult) -> bool:
    """Return whether the headline's interval lies above chance; False without an interval or a reference line."""
    ci, line = result.metrics[result.headline].ci, result.lines.get(CHANCE.get(result.headline, "chance"))
    return ci is not None and line is not None and ci[0] > line


def _recorded(result: RunResult) -> Iterator[Qualification]:
    recorded = result.recorded
    if recorded is None:
        return
    terms = f", licence {recorded.licence}" if recorded.licence else ""
    yield Qualification(
        "recorded-elsewhere",
        "recorded elsewhere",
        f"senbench did not run the model: it evaluated {recorded.given} that were recorded elsewhere "
        f"({recorded.source}{terms})",
    )
    if recorded.shots is not None:
        yield Qualification(
            "few-shot",
            f"few-shot, {recorded.shots} per class",
            f"not zero-shot: learnt from {recorded.shots} labelled images per class",
        )
    if result.environment.dtype == "float16":
        yield Qualification(
            "half-precision",
            "float16 rows",
            "the rows were recorded in float16: answers near a tie may differ from those of float32",
        )


def _model(result: RunResult) -> Iterator[Qualification]:
    model, state = result.model, weights_state(result.model, result.spec.weights)
    if state == "unknown origin":
        yield Qualification(
            "unknown-origin",
            "weights of unknown origin",
            f"the weights are of unknown origin: their sha256 {str(model.weights_sha256)[:12]} is not one that the "
            f"card {model.id} knows, so that this is no figure of {model.title}",
            ranked=False,
        )
    if state == "as fetched":
        yield Qualification(
            "as-fetched",
            "hash not confirmed",
            f"the card {model.id} knows no sha256: the weights are what its repository had",
        )
    if state is None and result.recorded is None:
        yield Qualification(
            "unknown-model",
            "nothing known of the model",
            f"{model.id} is a user's object: nothing is known of its weights and of what it was trained on",
        )
    if state is not None and (model.model_extra or {}).get("verified") is False:
        yield Qualification(
            "unverified-card",
            "card not verified",
            f"nobody has verified the card {model.id} with the released file",
        )
    if model.synthetic:
        yield Qualification(
            "synthetic-model",
            "synthetic model",
            "the model was trained on synthetic scenes only: a demonstration, not a baseline",
        )
    if note := contamination.note(result.contamination):
        trained_on_tiles = not result.zero_shot
        yield Qualification(
            "contaminated",
            "not zero-shot" if trained_on_tiles else "related training data",
            note,
            ranked=not trained_on_tiles,
        )


def _tiles(result: RunResult) -> Iterator[Qualification]:
    data = result.dataset
    if not result.complete:
        why = [f"--limit {data.limit}"] if data.limit is not None else []
        n = len(data.skipped)
        why += [f"{n:,} tile{'s' * (n != 1)} could not be decoded"] if n else []
        why += [f"{one.n:,} left out ({one.reason})" for one in (data.pixels.left_out if data.pixels else ())]
        yield Qualification(
            "incomplete",
            "incomplete",
            f"subset: {data.n_evaluated:,} of {data.n_expected:,} tiles ({', '.join(why or [data.source])}): "
            "incomplete, not ranked",
            ranked=False,
        )
    if data.synthetic:
        yield Qualification(
            "synthetic-tiles",
            "synthetic tiles",
            "synthetic tiles: this figure says nothing about real Sentinel-2 data",
        )
    if data.pixels is not None and data.pixels.implausible:
        yield Qualification(
            "pixels-accepted",
            "implausible pixels accepted",
            f"implausible pixels were accepted: {'; '.join(data.pixels.implausible)}",
        )
    if (share := data.below_offset_share or 0) > CLIPPED_SHARE:
        yield Qualification(
            "clipped-values",
            "values clipped",
            f"{100 * share:.1f} % of the values lie below the offset that was subtracted, and became 0: is it removed "
            "from these tiles already? then pass --dn-offset 0"
            if data.dn_offset
            else f"{100 * share:.1f} % of the values are negative, and became 0",
        )


def _prompts(result: RunResult) -> Iterator[Qualification]:
    prompts = result.prompts
    if "selected_on" in prompts.provenance:
        seen = prompts.provenance["selected_on"]
        where = f"{seen.get('dataset')} {seen.get('split')}" if isinstance(seen, dict) else str(seen)
        yield Qualification("prompts-selected", "prompts selected", f"the prompts were selected on {where}")
    if prompts.cut:
        yield Qualification(
            "prompts-cut",
            "prompts cut",
            f"{prompts.cut:,} of {prompts.n:,} prompts are longer than the model's context and lose their end",
        )


def _protocol(result: RunResult) -> Iterator[Qualification]:
    if changed := result.resolved.overrides:
        differ = "differs" if len(changed) == 1 else "differ"
        yield Qualification(
            "overrides",
            f"changed: {', '.join(changed)}",
            f"not {result.protocol} as defined: {', '.join(changed)} {differ} from the protocol",
            ranked=False,
        )
    if (dtype := result.environment.dtype) != CANONICAL and result.recorded is None:
        yield Qualification(
            "precision", f"precision {dtype}", f"the encoders ran in {dtype}, not in {CANONICAL}", ranked=False
        )
    if result.access_level:
        saw = ("", "disjoint unlabelled images", "the evaluated images", "labels")[min(result.access_level, 3)]
        yield Qualification(
            "level",
            f"access level {result.access_level}",
            f"access level {result.access_level}: the figure has seen {saw}",
        )


def _figure(result: RunResult) -> Iterator[Qualification]:
    metric = result.metrics[result.headline]
    if metric.value is not None and not above_chance(result):
        why = "does not lie above chance" if metric.ci else "is missing, so that it is not shown to be above chance"
        yield Qualification("at-chance", "not above chance", f"the interval of the headline {why}")
    if metric.interval.startswith("iid") and result.dataset.id.startswith(POSITIONED):
        yield Qualification(
            "iid",
            "intervals too narrow",
            "intervals are i.i.d. over tiles, which are cut from the same scenes: they are too narrow",
        )
    for name, figure in result.metrics.items():
        if figure.note:
            yield Qualification(f"clipped-{name}", f"{name} clipped", f"{name}: {figure.note}")
    if result.ties:
        share = result.ties / max(result.dataset.n_evaluated, 1)
        yield Qualification(
            "ties",
            "ties",
            f"{result.ties:,} tiles ({100 * share:.1f} %) have a tie for the best score, broken by class order",
        )
