"""A prompt set: its size, what is written of it, and what must be stated."""

from __future__ import annotations

import stubs
from records import refusals

from senbench.prompts import prompts_from_dict, vocabulary_for
from senbench.schema.prompt_set import PromptSet

TEXTS = {"Field": ["a field", "a wide field"], "Lake": ["a lake"], "Town": ["a town", "an old town", "houses"]}


def prompts() -> PromptSet:
    info = stubs.info()
    return prompts_from_dict(TEXTS, info, vocabulary_for(info, None)[0])


def test_n_counts_the_prompts_of_all_classes():
    assert prompts().n == 6
    assert prompts().model_copy(update={"texts": {}}).n == 0


def test_warnings_go_to_the_result_and_not_into_the_prompts_own_record():
    warned = prompts().model_copy(update={"warnings": ("P205",)})
    assert "warnings" not in warned.model_dump()
    assert "P205" not in warned.model_dump_json()
    assert warned.warnings == ("P205",)


def test_prompts_have_seen_no_data_unless_they_say_so():
    found = prompts()
    assert (found.access_level, found.provenance, found.version) == (0, {}, None)


def test_what_is_missing_or_unknown_is_refused():
    assert refusals(prompts(), hash=..., texts={"Field": "a field"}, level=2) == {
        "hash": "Field required",
        "texts.Field": "Input should be a valid tuple",
        "level": "Extra inputs are not permitted",
    }


def test_read_again_it_is_the_same():
    assert PromptSet.model_validate_json(prompts().model_dump_json()) == prompts()
