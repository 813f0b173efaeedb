"""The model of a result, to be loaded again by the hash of its weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import runs
import settled_runs

from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.model_of_run import ModelOfRun
from senbench.results import store


@pytest.fixture
def model(tmp_path, isolated_home):
    return ModelOfRun.of(settled_runs.run(tmp_path, isolated_home, limit=10).result)


def test_it_is_the_runs_own_and_loads_without_being_told_where(model):
    encoder = model.load((), "cpu", lambda line: None)
    assert encoder.describe()["weights_sha256"] == model.digest
    assert encoder.preprocess == model.preprocess


def test_another_hash_and_preprocessing_of_other_bands_are_refused(model):
    with pytest.raises(UnavailableError, match="another file; give it with --weights"):
        replace(model, digest="0" * 64).load((), "cpu", lambda line: None)
    shape = model.preprocess.model_copy(update={"mean": (0.5,) * 4})
    with pytest.raises(UsageError, match="mean/std of 4 bands do not fit mini"):
        replace(model, preprocess=shape).load((), "cpu", lambda line: None)


def test_a_users_object_cannot_be_loaded_again(tmp_path):
    runs.run(tmp_path, "mine", 0.1, runs.located(60))
    (result,) = store.load_all(tmp_path)
    with pytest.raises(UnavailableError, match="object passed from Python"):
        ModelOfRun.of(result)
