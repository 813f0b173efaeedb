"""The page of a comparison: flips with and without pictures, names that stay text."""

from __future__ import annotations

import re

import answers
import numpy as np
import pytest

from senbench.report.comparison import page as gallery
from senbench.report.comparison.two_results import Flip, compare
from senbench.results import store


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return answers.pair(tmp_path_factory.mktemp("pair"))


def test_page_shows_hostile_names_as_text_and_asks_nobody(tmp_path) -> None:
    labels, first, clusters = answers.draw(n=60, wrong=6)
    evil = "</style></script><img src=x onerror=alert(1)>"
    ids = tuple(f"{evil}{i:04}" for i in range(60))
    a = answers.save(tmp_path / "a", answers.one_hot(first), labels, clusters, change={"ids": ids})
    b = answers.save(tmp_path / "b", answers.one_hot(np.roll(first, 3)), labels, clusters, change={"ids": ids})
    found = compare(a, b)
    kept = {name: data for folder in (a, b) for name, (_, data) in store.read_thumbnails(folder).items()}
    page = gallery.render(found, kept)
    assert page == gallery.render(compare(a, b), kept)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror" in page
    assert re.findall(r"<script|https?://", page) == []
    pictures = re.findall(r'<img src="(data:image/webp;base64,)', page)
    assert pictures
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page


def test_page_lists_the_flips_without_a_picture_and_why_an_interval_is_missing(pair, monkeypatch) -> None:
    a, b, *_ = pair
    found = compare(a, b)
    page = gallery.render(found, {})
    assert all(f'<span class="soft">{flip.id}</span>' in page for flip in found.flips)
    assert page.count("<li><strong>") == len(found.flips) == 41
    reasons = {c.paired.interval.removeprefix("none: ") for c in found.classes.values() if c.paired.ci is None}
    assert all(reason in page for reason in reasons)
    monkeypatch.setattr(gallery, "LISTED", 4)
    page = gallery.render(found, {})
    assert page.count("<li><strong>") == 4 + 4 + 2
    assert page.count("The first 4;") == 2


def test_pictures_are_wanted_for_every_kind_whatever_the_order_of_ids(monkeypatch) -> None:
    monkeypatch.setattr(gallery, "DRAWN", 20)
    flips = [Flip(f"{c}_{i:03}", c, c, "x", "lost") for c in "ABCD" for i in range(100)]
    flips += [Flip(f"{c}_{i:03}", c, "x", c, "gained") for c in "EF" for i in range(5)]
    kept = {flip.id: b"" for flip in flips[:8]}
    chosen = gallery.wanted(flips, kept)
    assert chosen == gallery.wanted(flips, kept)
    lost = [name for name in chosen if name[0] in "ABCD"]
    assert len(lost) == 12
    assert {name[0] for name in lost} == set("ABCD")
    assert kept.keys().isdisjoint(chosen)
    assert [name for name in chosen if name[0] in "EF"] == [flip.id for flip in flips[400:]]
