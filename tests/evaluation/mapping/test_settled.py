"""What a run settled: read from its result, and what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from senbench.datasets.open import dataset_info
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.mapping.settled import Answers, Settled, Where, margins
from senbench.runtime.progress import Silent

RGB = dataset_info("eurosat-rgb")
MS = dataset_info("eurosat")
BEN = dataset_info("bigearthnet-v1")


def changed(settled, **fields) -> Settled:
    return replace(settled, result=settled.result.model_copy(update=fields))


def on(settled, **facts) -> Settled:
    return changed(settled, dataset=settled.result.dataset.model_copy(update=facts))


def test_everything_that_decides_an_answer_is_that_of_the_run(settled, demo_run):
    result = demo_run.result
    assert settled.model.digest == result.model.weights_sha256
    assert settled.prompts.hash == result.prompts.hash
    assert settled.classes == result.dataset.classes
    assert settled.model.preprocess == result.resolved.preprocess
    assert settled.model.dtype == "float32"
    assert settled.rendering(MS) == "eurosat-jpeg"
    assert settled.order is None
    assert settled.together is None
    assert any("synthetic" in mark for mark in settled.marks())


def test_prompts_that_are_not_those_of_the_hash_are_refused(demo_run):
    block = demo_run.result.prompts
    texts = dict(block.texts, Forest=("a photo of a car.", *block.texts["Forest"][1:]))
    edited = demo_run.result.model_copy(update={"prompts": block.model_copy(update={"texts": texts})})
    with pytest.raises(UsageError, match="prompts are not those that its hash"):
        Settled.of(edited)


def test_weights_of_another_hash_are_refused(settled, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not these")
    wrong = Settled(
        settled.result, settled.model.__class__(**{**vars(settled.model), "digest": "0" * 64}), settled.prompts
    )
    with pytest.raises(UnavailableError, match=r"sha256 000000000000.*another file"):
        wrong.encoder(Where(weights=str(other)), Silent())
    with pytest.raises(UsageError, match=r"--weights .*no such file"):
        settled.encoder(Where(weights=str(tmp_path / "none")), Silent())


def test_a_given_file_that_is_another_one_does_not_hide_the_released_one(settled, tmp_path):
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"not these")
    assert settled.encoder(Where(weights=str(other)), Silent()).card.id == "mini"


@pytest.mark.parametrize(
    ("radiometry", "dataset", "info", "expected"),
    [
        ("eurosat-jpeg", "eurosat", MS, "eurosat-jpeg"),
        ("dn2000", "bigearthnet-v1", MS, "dn2000"),
        ("native-jpeg", "eurosat-rgb", RGB, None),
        ("native-jpeg", "eurosat-rgb", MS, "eurosat-jpeg"),
        ("eurosat-jpeg", "eurosat", RGB, None),
        ("minmax-per-image", "bigearthnet-v1", BEN, "minmax-per-image"),
    ],
)
def test_tiles_are_rendered_as_the_run_saw_its_own(settled, radiometry, dataset, info, expected):
    assert on(settled, radiometry=radiometry, id=dataset).rendering(info) == expected


@pytest.mark.parametrize(
    ("radiometry", "dataset", "info", "message"),
    [
        ("native-jpeg", "folder:mine", MS, "how they were rendered is not known: give pictures"),
        ("dn2000", "bigearthnet-v1", RGB, "saw digital numbers as dn2000"),
    ],
)
def test_another_radiometry_is_refused(settled, radiometry, dataset, info, message):
    with pytest.raises(UsageError, match=message):
        on(settled, radiometry=radiometry, id=dataset).rendering(info)


def test_another_level_or_form_is_marked(settled):
    of_l1c = on(settled, level="L1C", radiometry="eurosat-jpeg", id="eurosat")
    assert of_l1c.differences(MS) == ()
    assert "another level" in of_l1c.differences(BEN)[0]
    of_jpegs = on(settled, level=None, radiometry="native-jpeg", id="eurosat-rgb")
    assert of_jpegs.differences(RGB) == ()
    assert "8-bit pictures" in of_jpegs.differences(MS)[0]
    assert any("level 2A" in line for line in of_jpegs.differences(BEN))


@pytest.mark.parametrize("how", [{"postprocess": "column-mean"}, {"postprocess": "transclip"}, {"ensemble": "dap"}])
def test_answers_that_depend_on_all_tiles_are_marked_and_need_enough_of_them(settled, how):
    together = changed(settled, **how)
    name = next(iter(how.values()))
    assert together.together == name
    assert any(name in line and "level 2" in line for line in together.differences(MS))
    with pytest.raises(UsageError, match=f"{name} compares tiles.*19 tiles are too few for 10 classes"):
        together.answers(None, np.ones((19, 4), np.float32))


def test_margins_are_the_gap_to_the_second_best():
    scores = np.array([[0.1, 0.4, 0.3], [0.2, 0.2, 0.1]], np.float32)
    found = Answers.of(scores)
    assert found.best.tolist() == [1, 0]
    np.testing.assert_allclose(found.margin, [0.1, 0.0], atol=1e-7)
    assert margins(scores).dtype == np.float32


def test_thresholds_are_those_that_were_tuned(settled):
    assert settled.thresholds is None
