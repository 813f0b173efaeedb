"""What few labels reach, in words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from senbench.results.few_shot_text import reached, sentence, sentences
from senbench.schema.result import FewShot, ShotFigure


def figures(**gains):
    """Method -> (shots, lower end, upper end) of each gain."""
    return tuple(
        ShotFigure(
            method=method.replace("_", "-"),
            shots=k,
            value=0.5,
            ci=(0.4, 0.6),
            draws=(0.4, 0.6),
            gain=(low + high) / 2,
            gain_ci=(low, high),
        )
        for method, ends in gains.items()
        for k, low, high in ends
    )


def few(left_out=0, separation="spatial", **gains):
    return FewShot(n_pool=1500, left_out=left_out, separation=separation, figures=figures(**gains))


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ([(1, -0.4, -0.3), (2, -0.2, -0.1)], "more than 2"),
        ([(1, -0.4, -0.3), (2, -0.2, 0.1)], "2 or more"),
        ([(1, 0.1, 0.2), (2, 0.2, 0.3)], "at most 1"),
        ([(1, -0.2, -0.1), (2, 0.1, 0.2)], "2"),
        ([(1, -0.2, 0.1), (2, -0.1, 0.2), (4, 0.1, 0.3)], "1 to 4"),
        ([(4, 0.1, 0.3), (1, -0.2, 0.1)], "1 to 4"),
    ],
)
def test_labels_that_reach_a_figure(ends, said):
    found = few(class_means=ends)
    assert sentence(found) == f"labels per class that reach this zero-shot figure: {said} (class means)"


def test_methods_that_need_as_many_are_told_together():
    found = few(class_means=[(1, 0.1, 0.2)], tip_adapter=[(1, -0.2, -0.1)], linear_probe=[(1, 0.1, 0.2)])
    assert sentence(found).endswith(": at most 1 (class means, linear probe); more than 1 (Tip-Adapter)")
    assert [one.above for one in reached(found)] == [1, None, 1]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "2 draws from 1,500 tiles of train, none in a place of evaluated tiles"),
        ({"left_out": 1200}, "2 draws from 1,500 tiles of train without 1,200 in places of evaluated tiles"),
        ({"separation": "random"}, "stratified random: positions are unknown, so that drawn and predicted images may"),
        ({"separation": "spatial list"}, "a list that is separate by longitude from the evaluated one"),
        ({"separation": "halves"}, "the evaluated images themselves, divided in two at random by class: labels of ei"),
        ({"separation": "spatial halves"}, "divided in two by whole clusters: labels of either half predict the other"),
    ],
)
def test_where_labels_come_from_is_said(how, said):
    found = few(class_means=[(1, 0.1, 0.2)], **how)
    told = sentences(SimpleNamespace(labels_saved=found, labels_from="train"))[1]
    assert said in told
    assert ("positions are unknown, so" in told) is (found.separation in ("random", "halves"))


def test_nothing_is_said_where_it_was_not_asked_for():
    assert sentences(SimpleNamespace(labels_saved=None, labels_from="")) == ()
