"""Macro mAP by country: equal to scoring the subset, and a country never slips outside by its spelling."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from senbench.errors import UsageError
from senbench.scoring.multi_label.groups import INSIDE, LUCAS_2018, OUTSIDE, by_country, by_group, lucas_group
from senbench.scoring.sample import Sample

KEYS = ("a", "b", "c")
V2 = {
    INSIDE: ("Austria", "Belgium", "Finland", "Ireland", "Lithuania", "Luxembourg", "Portugal"),
    OUTSIDE: ("Kosovo", "Serbia", "Switzerland"),
}


def sample():
    rng = np.random.default_rng(0)
    countries = rng.choice(["Austria", "Portugal", "Kosovo", "Serbia"], 400, p=[0.4, 0.4, 0.15, 0.05])
    clusters = np.char.add(countries.astype(str), (np.arange(400) % 8).astype(str))
    truth = rng.random((400, 3)) < [0.5, 0.2, 0.05]
    truth[countries == "Serbia", 2] = False
    scores = (rng.normal(0, 1, (400, 3)) + truth).astype(np.float32)
    return scores, truth, countries, clusters


def test_countries_of_version_2_are_on_their_side() -> None:
    for group, countries in V2.items():
        assert {lucas_group(country) for country in countries} == {group}
    assert len(LUCAS_2018) == 28
    assert lucas_group("United Kingdom") == INSIDE
    for wrong in ("austria", "Republic of Ireland", "", "None"):
        with pytest.raises(UsageError, match="is not known as inside or outside"):
            lucas_group(wrong)


def test_each_group_is_scored_by_itself() -> None:
    scores, truth, countries, clusters = sample()
    got = {entry.group: entry for entry in by_country(scores, Sample(truth, KEYS, clusters, countries))}
    assert list(got) == ["Austria", "Kosovo", "Portugal", "Serbia", INSIDE, OUTSIDE]
    outside = np.isin(countries, ["Kosovo", "Serbia"])
    for group, where in (("Austria", countries == "Austria"), (OUTSIDE, outside), (INSIDE, ~outside)):
        expected = average_precision_score(truth[where], scores[where], average="macro")
        assert got[group].map_macro.value == pytest.approx(expected)
        assert got[group].n == got[group].map_macro.n == where.sum()
        assert got[group].labels == 3
        assert got[group].prevalence == pytest.approx(truth[where].mean())
        assert got[group].map_macro.interval.startswith("cluster-jackknife-t (")
        low, high = got[group].map_macro.ci
        assert low < expected < high


def test_labels_that_a_group_lacks_are_left_out_and_counted() -> None:
    scores, truth, countries, _ = sample()
    where = countries == "Serbia"
    got = {entry.group: entry for entry in by_group(scores, Sample(truth, KEYS), countries)}["Serbia"]
    assert got.labels == 2
    expected = average_precision_score(truth[where][:, :2], scores[where][:, :2], average="macro")
    assert got.map_macro.value == pytest.approx(expected)
    assert got.map_macro.interval.startswith("iid-bootstrap")
    assert got.prevalence == pytest.approx(truth[where][:, :2].mean())


def test_group_with_few_tiles_or_no_positive_gives_the_reason() -> None:
    scores, truth, countries, clusters = sample()
    clusters[countries == "Kosovo"] = "34TDN"
    clusters[countries == "Serbia"] = np.array(["34TCQ", "34TCR"])[np.arange((countries == "Serbia").sum()) % 2]
    truth[countries == "Austria"] = False
    got = {entry.group: entry for entry in by_country(scores, Sample(truth, KEYS, clusters, countries))}
    assert got["Kosovo"].map_macro.value is not None
    assert got["Kosovo"].map_macro.ci is None
    assert got["Kosovo"].map_macro.interval == "none: all images are in one cluster"
    assert got["Serbia"].map_macro.interval == "none: 2 clusters, 5 are needed"
    assert got["Austria"].map_macro.value is None
    assert got["Austria"].map_macro.interval == "none: no positive"
    assert (got["Austria"].labels, got["Austria"].prevalence) == (0, None)


def test_lengths_must_fit() -> None:
    scores, truth, countries, clusters = sample()
    with pytest.raises(UsageError, match=r"groups have shape \(399,\)"):
        by_group(scores, Sample(truth, KEYS), countries[1:])
    with pytest.raises(UsageError, match=r"clusters have shape \(399,\)"):
        by_group(scores, Sample(truth, KEYS, clusters[1:]), countries)
