from __future__ import annotations

import json

import pytest

from senbench.errors import UsageError
from senbench.prompts.drafting import adopt, request
from senbench.prompts.lexicon import load_lexicon
from senbench.prompts.vocabulary import vocabulary_for_keys

CLASSES = ("pond", "orchard")
GOOD = {
    "written_by": "A. Person",
    "classes": {
        "pond": {
            "ground": ["still dark water between reeds", "ducks on calm water", "a muddy bank"],
            "aerial": ["a small dark smooth patch", "a rounded dark shape", "a brown rim around darkness"],
        },
        "orchard": {
            "ground": ["apple blossoms on low trees", "ripe fruit in green leaves", "ladders leaning on trunks"],
            "aerial": ["a fine regular dotted texture", "green stripes in a rectangle", "pale strips in dark green"],
        },
    },
}


def answer(tmp_path, **changes):
    held = json.loads(json.dumps(GOOD)) | changes
    (tmp_path / "answer.json").write_text(json.dumps(held))
    return str(tmp_path / "answer.json")


def changed(tmp_path, key, style, cues):
    classes = json.loads(json.dumps(GOOD["classes"]))
    classes[key][style] = cues
    return answer(tmp_path, classes=classes)


def test_the_request_states_every_rule_that_the_answer_is_held_against():
    text = request(CLASSES, n=7)
    lexicon = load_lexicon()
    for part in (*lexicon["aerial"], *lexicon["ground"], *lexicon["below_10m"]):
        assert part in text
    for piece in ("Write 7 short cues", "pond, orchard", "At most 12 words", "same thing", '"written_by"'):
        assert piece in text
    only = request(CLASSES, ("ground",))
    assert "Style `aerial`" not in only and "same thing" not in only
    asked = json.loads(text.split("```json\n")[1].split("```")[0])
    assert list(asked["classes"]) == list(CLASSES) and set(asked["classes"]["pond"]) == {"ground", "aerial"}


def test_a_good_answer_becomes_a_vocabulary_of_both_styles_that_says_who_wrote_it(tmp_path):
    found = adopt(answer(tmp_path), "mine")
    assert found.findings == () and found.n == 12 and found.styles == ("ground", "aerial")
    (tmp_path / "mine.yaml").write_text(found.text)
    vocabulary = vocabulary_for_keys(("orchard", "pond"), tmp_path / "mine.yaml")
    assert [entry.key for entry in vocabulary.classes] == ["orchard", "pond"]
    assert vocabulary.classes[1].aerial == tuple(GOOD["classes"]["pond"]["aerial"])
    assert vocabulary.classes[1].names == {"mine": "pond"}
    assert vocabulary.classes[0].source == "cues written by A. Person"


@pytest.mark.parametrize(
    ("key", "style", "cue", "says"),
    [
        ("pond", "ground", "an orchard behind it", "names the class 'orchard'"),
        ("pond", "ground", "The Pond at dusk", "names the class 'pond'"),
        ("pond", "ground", "a dark spot in a satellite image", "holds 'satellite image'|holds 'satellite'"),
        ("orchard", "aerial", "ladders leaning on a trunk seen by a photographer at eye level", "holds 'eye level'"),
        ("pond", "ground", "the smell of wet mud", "holds 'smell'"),
        ("pond", "ground", "one two three four five six seven eight nine ten eleven twelve thirteen", "13 words"),
        ("pond", "ground", "", "is empty"),
        ("pond", "ground", "Ducks on calm  water!", "is there already"),
        ("pond", "ground", "a {} by the road", "holds a brace"),
    ],
)
def test_each_rule_that_a_cue_breaks_is_a_finding_at_its_place(tmp_path, key, style, cue, says):
    import re

    cues = [GOOD["classes"][key][style][0], GOOD["classes"][key][style][1], cue]
    found = adopt(changed(tmp_path, key, style, cues), "mine").findings
    assert [f for f in found if re.search(says, f.what)], found
    assert all(f.place.startswith(f"{key}, {style} 3 ") for f in found)


def test_pairs_need_as_many_on_both_sides(tmp_path):
    found = adopt(changed(tmp_path, "pond", "ground", ["a", "b", "c", "d"]), "mine").findings
    assert str(found[0]) == "pond: 4 ground, 3 aerial: the cues of both styles are pairs, so that there must be as many"
    few = adopt(changed(tmp_path, "pond", "ground", ["calm water"]), "mine").findings
    assert "pond, ground: 1 cues, at least 3 are needed" in map(str, few)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"written_by": ""}, "written_by must say who wrote it"),
        ({"written_by": "name and version of the language model, or of the person"}, "written_by must say"),
        ({"classes": []}, "must be a mapping with written_by and classes"),
        ({"classes": {"pond": {"ground": "x"}, "b": {}}}, "ground must be a list of texts"),
        ({"classes": {"pond": {"sky": []}, "b": {}}}, "must map ground and aerial to lists"),
        ({"classes": {"pond": {"ground": ["a"] * 3}}}, "1 class, need at least 2"),
        ({"classes": {"a": {"ground": ["x"]}, "b": {"aerial": ["y"]}}}, "class 'b' has aerial, others ground"),
    ],
)
def test_what_is_no_answer(tmp_path, changes, says):
    with pytest.raises(UsageError, match=says) as error:
        adopt(answer(tmp_path, **changes), "mine")
    assert "\n" not in str(error.value)


def test_what_cannot_be_asked_for():
    for words, says in (
        ((("pond",),), "1 class, need at least 2"),
        ((("pond", "Pond"),), "two names are alike"),
        ((CLASSES, ("sky",)), "--style sky: use ground, aerial"),
        ((CLASSES, ("ground",), 2), "--cues 2: ask for at least 3"),
    ):
        with pytest.raises(UsageError, match=says):
            request(*words)
