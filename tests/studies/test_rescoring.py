"""A rescorer: embeds every configuration once, scores it as the run did, and says what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import runs

from senbench.embedding import engine
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.progress import Silent
from senbench.studies.configuration import configuration_of
from senbench.studies.rescoring import Rescorer


@pytest.fixture
def result(isolated_home):
    return runs.senbench.evaluate("mini", "demo", "ground", limit=40, offline=True, device="cpu")


def rescorer() -> Rescorer:
    return Rescorer((), {}, "cpu", Silent())


def test_the_figure_is_that_of_the_run(result):
    one = configuration_of(result)
    bench = rescorer()
    assert bench.figure(one, "top1").value == result.metrics["top1"].value
    assert bench.seen(one).index_hash == result.dataset.index_hash
    assert bench.seen(one).content_hash == result.dataset.content_hash


def test_images_and_texts_are_embedded_once(result, monkeypatch):
    one = configuration_of(result)
    bench = rescorer()
    bench.figure(one, "top1")

    def never(*given, **how):
        raise AssertionError("embedded again")

    monkeypatch.setattr(engine, "_image_pass", never)
    assert bench.figure(replace(one, ensemble="logit-mean"), "top1") is not None
    with pytest.raises(AssertionError, match="embedded again"):
        bench.figure(replace(one, seed=9), "top1")


def test_other_weights_than_those_of_the_run_are_not_taken(result):
    one = replace(configuration_of(result), digest="0" * 64)
    for _ in range(2):  # what is missing is remembered
        with pytest.raises(UnavailableError, match="weights of mini with sha256 000000000000"):
            rescorer().seen(one)


def test_a_normalisation_of_other_bands_is_refused(result):
    one = configuration_of(result)
    shape = one.preprocess.model_copy(update={"mean": (0.5,), "std": (0.5,)})
    with pytest.raises(UsageError, match="mean/std of 1 bands do not fit mini"):
        rescorer().seen(replace(one, preprocess=shape))


def test_settings_that_do_not_go_together_have_no_figure(result):
    one = configuration_of(result)
    assert np.isnan(rescorer().figure(replace(one, ensemble="prob-mean"), "top1").value)
