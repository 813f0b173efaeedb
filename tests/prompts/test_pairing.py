"""Which prompts are drawn together: matched styles prompt by prompt, others independently."""

from __future__ import annotations

import pytest

from senbench.datasets.open import dataset_info
from senbench.prompts import load_prompts, vocabulary_for
from senbench.prompts.pairing import resamplings
from senbench.schema.dataset import ClassEntry, Vocabulary
from senbench.schema.prompt_set import PromptSet

INFO = dataset_info("eurosat")
VOCABULARY = vocabulary_for(INFO, None)[0]


def packs(*styles):
    return [load_prompts(style, INFO, VOCABULARY) for style in styles]


def changed(pack, change):
    return pack.model_copy(update={"texts": {key: tuple(change(texts)) for key, texts in pack.texts.items()}})


def test_the_shipped_styles_are_matched_and_drawn_line_by_line():
    ground, aerial, generic, clip = resamplings(packs("ground", "aerial", "generic", "clip"), VOCABULARY)
    assert ground == aerial
    assert ground.order[0] == tuple(range(len(ground.order[0])))
    assert len({ground.matching, generic.matching, clip.matching}) == 3
    assert len(set(ground.seeds) | set(generic.seeds) | set(clip.seeds)) == 3 * len(INFO.classes)


@pytest.mark.parametrize("style", ["ground", "generic"])
def test_the_same_sentences_in_another_order_are_drawn_alike(style):
    (pack,) = packs(style)
    turned = changed(pack, reversed)
    first, second = resamplings([pack, turned], VOCABULARY)
    assert (first.matching, first.seeds) == (second.matching, second.seeds)
    for key, a, b in zip(pack.texts, first.order, second.order, strict=True):
        assert [pack.texts[key][i] for i in a] == [turned.texts[key][i] for i in b]


@pytest.mark.parametrize(
    "change", [lambda texts: texts[:-1], lambda texts: texts[1:] + texts[:1], lambda texts: (*texts, texts[0])]
)
def test_another_count_or_structure_is_no_match(change):
    ground, aerial = packs("ground", "aerial")
    first, second = resamplings([ground, changed(aerial, change)], VOCABULARY)
    assert first.matching != second.matching
    assert not set(first.seeds) & set(second.seeds)


def test_draws_do_not_depend_on_the_order_of_classes():
    (pack,) = packs("generic")
    keys = list(pack.texts)[::-1]
    update = {"texts": {key: pack.texts[key] for key in keys}, "names": pack.names[::-1]}
    other = pack.model_copy(update=update)
    (first,), (second,) = resamplings([pack], VOCABULARY), resamplings([other], VOCABULARY)
    assert first.seeds == second.seeds[::-1]


def shown(first, second):
    """Whether one class of two prompts is matched with another pack's, under cues that hold each other."""
    vocabulary = Vocabulary(
        id="v",
        title="v",
        default_names="plain",
        classes=(
            ClassEntry(
                key="Town",
                names={"plain": "town"},
                ground=("roofs", "tiled roofs"),
                aerial=("roofs from above", "bright roofs from above"),
            ),
        ),
    )
    facts = {"style": "custom", "source": "x", "class_names": "plain", "names": ("town",), "template_aligned": False}
    one, other = (
        PromptSet(id=name, texts={"Town": texts}, hash="0" * 64, **facts)
        for name, texts in (("one", first), ("other", second))
    )
    a, b = resamplings([one, other], vocabulary)
    return a.matching == b.matching


def test_the_longest_cue_that_a_prompt_holds_is_the_one_it_shows():
    """ "tiled roofs" holds "roofs", the cue before it in the list: it still shows the second cue."""
    ground, aerial = ("a photo of tiled roofs", "a photo of roofs"), ("bright roofs from above", "roofs from above")
    assert shown(ground, aerial)
    assert not shown(ground, aerial[::-1])
    assert not shown(("a photo of roofs",) * 2, aerial)
