"""Qualifications of a result follow from its fields."""

from pathlib import Path
from typing import Any

import pytest

from senbench.results import store
from senbench.results.qualifications import above_chance, advice, model_name, qualifications, ranked, weights_state
from senbench.schema.blocks import ModelBlock, PixelFacts, Recorded
from senbench.schema.result import RunResult

RESULTS = Path(__file__).parents[2] / "leaderboard" / "results"


@pytest.fixture(scope="module")
def sound() -> RunResult:
    """A committed result, as if its model were a real one."""
    result = next(result for result, _ in store.each(RESULTS) if result.model.id == "mini")
    return changed(result, model={"synthetic": False})


def changed(result: RunResult, **blocks: Any) -> RunResult:
    """The result with other fields, of a block where a mapping is given."""
    update = {
        name: getattr(result, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in blocks.items()
    }
    return result.model_copy(update=update)


def codes(result: RunResult) -> set[str]:
    return {one.code for one in qualifications(result)}


@pytest.mark.parametrize(
    ("code", "kept_out", "fields"),
    [
        ("unknown-origin", True, {"model": {"weights_sha256": "0" * 64}}),
        ("unverified-card", False, {"model": {"verified": False}}),
        ("synthetic-model", False, {"model": {"synthetic": True}}),
        ("synthetic-tiles", False, {"dataset": {"synthetic": True}}),
        ("contaminated", True, {"contamination": "images"}),
        ("contaminated", False, {"contamination": "captions from labels"}),
        ("incomplete", True, {"complete": False, "dataset": {"limit": 5, "n_evaluated": 5}}),
        ("pixels-accepted", False, {"dataset": {"pixels": PixelFacts(implausible=("99 % saturated",))}}),
        ("prompts-selected", False, {"prompts": {"provenance": {"selected_on": {"dataset": "a", "split": "b"}}}}),
        ("prompts-cut", False, {"prompts": {"cut": 3}}),
        ("overrides", True, {"resolved": {"overrides": ("ensemble",)}}),
        ("level", False, {"access_level": 2}),
        ("ties", False, {"ties": 7}),
    ],
)
def test_a_field_that_changes_brings_its_qualification(
    sound: RunResult, code: str, kept_out: bool, fields: dict[str, Any]
) -> None:
    result = changed(sound, **fields)
    assert codes(result) - codes(sound) == {code} or code == "unverified-card" in codes(sound)
    assert ranked(sound)
    assert ranked(result) is not kept_out


def test_a_figure_whose_interval_holds_chance_is_at_chance(sound: RunResult) -> None:
    metric = sound.metrics[sound.headline]
    low = metric.model_copy(update={"value": 0.11, "ci": (0.09, 0.13)})
    result = sound.model_copy(update={"metrics": {**sound.metrics, sound.headline: low}, "lines": {"chance": 0.1}})
    assert above_chance(sound)
    assert "at-chance" not in codes(sound)
    assert "at-chance" in codes(result)


def test_weights_have_three_states(sound: RunResult) -> None:
    model = sound.model
    assert weights_state(model, None) == "pinned"
    assert weights_state(model, "copy.pt") == "pinned"  # the bytes are the card's, wherever they lie
    assert weights_state(model.model_copy(update={"weights_sha256": "1" * 64}), None) == "unknown origin"
    assert weights_state(ModelBlock(id="mine", family="user", title="mine", weights_sha256=None), None) is None
    for also in ((), ("1" * 64,)):  # the hash of another form of the release says nothing of this one
        hashless = model.model_validate(model.model_dump() | {"weights": {"repo": "a/b", "also_sha256": also}})
        fetched = hashless.model_copy(update={"weights_revision": "abc"})
        assert weights_state(hashless, None) == "unknown origin"
        assert weights_state(fetched, None) == "as fetched"
        assert weights_state(fetched, "other.pt") == "unknown origin"
    by_hand = model.model_validate(model.model_dump() | {"weights": {"repo": "a/b", "revision": "c0ffee"}})
    assert weights_state(by_hand, None) == "unknown origin"  # at the card's place, but nobody fetched it


def test_weights_that_an_earlier_version_fetched_say_what_to_do(sound: RunResult) -> None:
    hashless = changed(sound, model={"id": "x", "weights": {"repo": "a/b", "sha256": None}})
    assert "`senbench models fetch x`" in str(advice(hashless))
    for other in ({"weights_revision": "abc"}, {"weights": {"path": "w.pt"}}):
        assert advice(changed(hashless, model=other)) is None
    assert advice(changed(hashless, spec={"weights": "w.pt"})) is None
    assert advice(changed(sound, model={"weights_sha256": "0" * 64})) is None


def test_weights_of_unknown_origin_are_not_named_as_the_model(sound: RunResult) -> None:
    strange = changed(sound, model={"weights_sha256": "0" * 64})
    assert model_name(sound) == sound.model.title
    assert model_name(strange) == f"weights of unknown origin under card {sound.model.title}"


def test_outputs_recorded_elsewhere_are_ranked_and_say_whose_they_are(sound: RunResult) -> None:
    told = {"given": "scores", "source": "them", "licence": "MIT", "file": "a.npz", "sha256": "0" * 64, "level": 0}
    result = changed(sound, resolved={"recorded": Recorded.model_validate(told)}, environment={"dtype": "float16"})
    found = {one.code: one for one in qualifications(result)}
    assert (
        "it evaluated scores that were recorded elsewhere (them, licence MIT)" in found["recorded-elsewhere"].sentence
    )
    assert {"recorded-elsewhere", "half-precision"} <= set(found) and "precision" not in found
    assert ranked(result) and result.zero_shot
    few = changed(sound, resolved={"recorded": Recorded.model_validate({**told, "shots": 4, "level": 3})})
    assert "few-shot" in codes(few) and not few.zero_shot
