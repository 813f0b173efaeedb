"""Attribution over a workbench that is a formula: exact sums, idle switches, both ends, and what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from senbench.datasets import open as registry
from senbench.errors import UnavailableError
from senbench.models import registry as zoo
from senbench.prompts.load import load_prompts
from senbench.prompts.vocabulary import vocabulary_for
from senbench.scoring.comparison.shapley import JackknifeFigure
from senbench.scoring.sample import Sample
from senbench.studies import rescoring
from senbench.studies.configuration import Configuration
from senbench.studies.explain_difference import explain_configurations, in_words
from senbench.studies.rescoring import Seen

N = 60
PAIRED, OTHER = (Sample(np.zeros(n, int), np.arange(n) // 6) for n in (N, 2 * N))


def words(style):
    info = registry.dataset_info("eurosat-rgb")
    vocabulary, names = vocabulary_for(info, None)
    return load_prompts(style, info, vocabulary, names)


@pytest.fixture(scope="module")
def ends():
    """Two ends that differ in everything but the seed."""
    card = zoo.find("remoteclip-vit-b-32")
    a = Configuration(
        card=card,
        digest="0" * 64,
        preprocess=card.preprocess,
        exact=True,
        dtype="float32",
        kernels="onednn",
        dataset="eurosat-rgb",
        radiometry=None,
        labels="own",
        dn_offset="auto",
        bands=None,
        split="all",
        draw="standard",
        limit=None,
        seed=0,
        words=words("ground"),
        names=words("ground").class_names,
        ensemble="norm-mean-norm",
        postprocess="column-mean",
        headline="top1",
    )
    b = replace(
        a,
        card=zoo.find("remoteclip-vit-b-32-gelu"),
        preprocess=card.preprocess.model_copy(update={"mean": (0.5, 0.5, 0.5)}),
        dtype="bf16",
        kernels="torch",
        dataset="eurosat",
        radiometry="eurosat-jpeg",
        bands=("B02", "B03", "B04"),
        split="random-test",
        words=words("aerial"),
        names="clip",
        ensemble="logit-mean",
        postprocess="none",
    )
    return a, b


class Formula:
    """A figure of any end: each field adds its own, and prompts and ensembling interact."""

    def __init__(self, origin, idle=(), gone=lambda end: False):
        self.origin, self.idle, self.gone = origin, idle, gone

    def seen(self, end):
        if self.gone(end):
            raise UnavailableError("those tiles are elsewhere")
        return Seen((), np.zeros(0), np.zeros((0, 1), np.float32), f"index of {end.split}", "", {})

    def figure(self, end, metric):
        self.seen(end)
        sample = PAIRED if end.split == self.origin.split else OTHER
        value, left_out = 0.5, 0.01 * np.random.default_rng(0).normal(size=len(sample.sizes))
        fields = ("card", "preprocess", "dtype", "dataset", "bands", "words", "names", "ensemble", "postprocess")
        at = {f: getattr(end, f) != getattr(self.origin, f) and f not in self.idle for f in fields}
        for i, f in enumerate(fields, 1):
            noise = np.random.default_rng(i).normal(size=len(sample.sizes))
            value += at[f] * i / 200
            left_out += at[f] * 0.01 * noise
        value += 0.03 * (at["words"] and at["ensemble"])
        return JackknifeFigure(value, {"": value + left_out}, sample)


def explained(ends, origin=None, **how):
    bench = Formula(origin or ends[0], **how)
    return explain_configurations(*ends, bench, names=("a", "b"))


def parts(m):
    return {e.switch: e.shapley for e in m.effects if e.shapley is not None}


def alone_of(m, switch):
    return next(e.first for e in m.effects if e.switch == switch)


def test_the_parts_sum_to_the_whole_and_an_interaction_is_shared(ends):
    found = explained(ends)
    (m,) = found.metrics
    shares = parts(m)
    assert sum(d.value for d in shares.values()) == pytest.approx(m.second - m.first, abs=1e-12)
    assert m.total.value == pytest.approx(m.second - m.first)
    alone = {e.switch: (e.first.value, e.second.value) for e in m.effects}
    assert alone["prompts"] == pytest.approx((6 / 200, 6 / 200 + 0.03))
    assert alone["ensembling"] == pytest.approx((8 / 200, 8 / 200 + 0.03))
    assert shares["prompts"].value == pytest.approx(6 / 200 + 0.015)
    assert shares["post-processing"].value == pytest.approx(9 / 200)
    assert found.same == ()
    assert all(d.ci[0] < d.value < d.ci[1] for name, d in shares.items())
    assert shares["prompts"].interval.startswith("unpaired")  # on the tiles of either end
    assert alone_of(m, "prompts").interval.startswith("paired")


def test_image_settings_are_one_block_and_each_alone_from_both_ends(ends):
    (m,) = explained(ends).metrics
    block = "images (split, image source, band order, activation, mean/std, precision)"
    assert parts(m)[block].value == pytest.approx((1 + 2 + 3 + 4 + 5) / 200)
    alone = {e.switch: e for e in m.effects if e.shapley is None}
    assert list(alone) == ["split", "image source", "band order", "activation", "mean/std", "precision"]
    for name, k in (("activation", 1), ("mean/std", 2), ("precision", 3), ("image source", 4), ("band order", 5)):
        assert (alone[name].first.value, alone[name].second.value) == pytest.approx((k / 200, k / 200))
    assert alone["split"].first.value == pytest.approx(0)
    assert alone["split"].first.interval.startswith("unpaired")


@pytest.mark.parametrize(
    ("field", "switch"), [("postprocess", "post-processing"), ("names", "class names"), ("words", "prompts")]
)
def test_a_switch_that_does_nothing_gets_nothing(ends, field, switch):
    (m,) = explained(ends, idle=(field,)).metrics
    effect = next(e for e in m.effects if e.switch == switch)
    for delta in effect[1:4]:
        assert delta.value == pytest.approx(0, abs=1e-15)
        assert (delta.ci, delta.error) == (None, 0)
    assert f"+0.0 from {switch}" in in_words(m)


def test_turned_round_everything_changes_its_sign(ends):
    (there,), (back,) = explained(ends).metrics, explained(ends[::-1], ends[0]).metrics
    for e, f in zip(there.effects, back.effects, strict=True):
        if e.shapley is not None:
            assert e.shapley.value == pytest.approx(-f.shapley.value)
            assert e.shapley.ci == pytest.approx((-f.shapley.ci[1], -f.shapley.ci[0]))
        assert e.first.value == pytest.approx(-f.second.value)


def test_equal_settings_are_no_switches(ends):
    a, _ = ends
    (m,) = explained((a, replace(a, ensemble="max"))).metrics
    assert [e.switch for e in m.effects] == ["ensembling"]
    assert explained((a, a)).metrics[0].effects == ()


def test_one_end_without_its_images(ends):
    found = explained(ends, gone=lambda end: end.dataset == "eurosat")
    (m,) = found.metrics
    assert (m.base, m.second, m.total) == ("first", None, None)
    assert found.needs == ("b: those tiles are elsewhere",)
    assert sum(d.value for d in parts(m).values()) == pytest.approx(m.scoring.value)
    assert m.scoring.value == pytest.approx((6 + 7 + 8 + 9) / 200 + 0.03)
    alone = {e.switch: e for e in m.effects if e.shapley is None}
    assert (alone["mean/std"].first.value, alone["mean/std"].second) == (pytest.approx(2 / 200), None)
    assert alone["image source"].first is alone["image source"].second is None
    assert alone["image source"].needs == "those tiles are elsewhere"


def test_other_tiles_than_those_of_the_run_are_not_used(ends):
    bench = Formula(ends[0])
    found = explain_configurations(*ends, bench, names=("a", "b"), index_hashes=("index of all", "index of then"))
    assert found.needs == ("b: the images of that run, index index of the; those here are index of ran",)
    assert found.metrics[0].base == "first"


def test_nothing_here_is_no_attribution(ends):
    found = explained(ends, gone=lambda end: True)
    assert found.metrics == ()
    assert len(found.needs) == 2


def test_another_metric_has_no_points(ends):
    a, b = ends
    found = explained((a, replace(b, headline="balanced_accuracy")))
    assert [m.metric for m in found.metrics] == ["top1", "balanced_accuracy"]
    assert any("no difference in points" in note for note in found.notes)


def test_the_offset_of_a_users_digital_numbers_is_a_switch(ends):
    a, _ = ends
    b = replace(a, dn_offset="1000")
    assert rescoring._key(a) != rescoring._key(b)
    (m,) = explained((a, b)).metrics
    assert [e.switch for e in m.effects] == ["image source"]


def test_a_card_that_changed_is_another_model(ends):
    """A user's card keeps its id when its activation is corrected: the images must be embedded anew."""
    a, _ = ends
    b = replace(a, card=a.card.model_copy(update={"activation": "gelu"}))
    assert rescoring._key(a) != rescoring._key(b)
    (m,) = explained((a, b)).metrics
    assert [e.switch for e in m.effects] == ["activation"]
