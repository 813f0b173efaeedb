from __future__ import annotations

import numpy as np
import pytest
from eurosat_files import REAL

from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.models.load import load
from senbench.studies.prompt_trial import candidates, trial

RIVER = str(sorted((REAL / "2750" / "River").glob("*.jpg"))[0])


def test_a_template_is_filled_with_the_classes_and_several_are_averaged():
    names, prompts = candidates(["a photo of {}", "{} from above"], dataset_info("eurosat"), "clip")
    assert len(names) == 10 and names[8] == "river" and prompts[8] == ("a photo of river", "river from above")


def test_plain_texts_are_told_apart_as_they_are():
    assert candidates(["a pond", "a field", "a pond"], dataset_info("eurosat"), None) == (
        ("a pond", "a field"),
        (("a pond",), ("a field",)),
    )
    for texts, says in ((["a pond"], "two or more texts"), (["a {}", "a pond"], "either templates")):
        with pytest.raises(UsageError, match=says):
            candidates(texts, dataset_info("eurosat"), None)


def test_figures_are_those_of_the_model():
    names, prompts = candidates(["a photo of {}"], dataset_info("eurosat"), None)
    (found,) = trial(names, prompts, [RIVER], "mini", offline=True)
    from PIL import Image

    model = load("mini", offline=True)
    rows = model.encode_texts([texts[0] for texts in prompts])
    cosines = (model.encode_images([np.asarray(Image.open(RIVER))]) @ rows.T)[0]
    best = int(cosines.argmax())
    assert found.ranked[0].name == names[best] and found.ranked[0].cosine == pytest.approx(cosines[best], abs=1e-6)
    assert found.margin == pytest.approx(np.sort(cosines)[-1] - np.sort(cosines)[-2], abs=1e-6)
    assert sum(one.share for one in found.ranked) == pytest.approx(1)
    assert [one.cosine for one in found.ranked] == sorted((one.cosine for one in found.ranked), reverse=True)
    assert found.record()["margin"] == found.margin


def test_tiles_and_models_that_do_not_fit(tmp_path):
    with pytest.raises(UsageError, match=r"--tile nowhere.jpg: no such file"):
        trial(("a", "b"), (("a",), ("b",)), ["nowhere.jpg"], "mini", offline=True)
