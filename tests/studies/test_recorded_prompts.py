"""RS-TransCLIP's prompts on WHU-RS19, run again: expected counts from OpenAI's own package on generated scenes."""

from __future__ import annotations

import json

import checkpoints
import clip
import narrow
import numpy as np
import pytest
import torch
from eurosat_files import jpeg
from PIL import Image
from safetensors.torch import load_file

from senbench.errors import UnavailableError, UsageError
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.runtime.access import Access
from senbench.studies import recorded_prompts
from senbench.studies.reproduction import Options

FOLDERS = {"football field": "footballField", "railway station": "railwayStation"}
"""Class names whose folder in WHU-RS19 is not the name with a capital."""


def folder(name):
    return FOLDERS.get(name, name.capitalize())


@pytest.mark.shared
def test_the_shipped_counts_are_the_recorded_accuracies(shared):
    theirs = json.loads((shared / "rs-transclip-whurs19" / "recorded.json").read_text())
    held = recorded_prompts.recorded()
    assert held["class_names"] == theirs["class_names"] and held["n"] == theirs["n"] == 1005
    assert len(held["models"]) == 8
    for own, model in zip(held["models"].values(), theirs["models"].values(), strict=True):
        assert own["dtype"] == model["dtype"]
        assert held["prompts"] == [one["prompt"] for one in model["prompts"]]
        assert own["averaged"] == pytest.approx(model["average"]["zero_shot"] * 10.05, abs=1e-6)
        assert own["right"] == pytest.approx([one["zero_shot"] * 10.05 for one in model["prompts"]], abs=1e-6)


def test_every_model_has_a_card():
    assert [registry.find(model).id for model in recorded_prompts.recorded()["models"]] == list(
        recorded_prompts.recorded()["models"]
    )


def test_generated_weights_give_the_counts_of_openais_own_package(tmp_path, monkeypatch):
    narrow.release(monkeypatch, ["clip-vit-b-32"])
    reference = checkpoints.reference(load_file(fetch.locate(registry.find("clip-vit-b-32"), Access(offline=True))))
    names = recorded_prompts.recorded()["class_names"]
    prompts = ["a satellite photo of a", "an aerial image of the"]
    prepare, rows = clip.clip._transform(224), []
    for c, name in enumerate(names):
        (tmp_path / "images" / folder(name)).mkdir(parents=True)
        for k in range(3):
            path = tmp_path / "images" / folder(name) / f"{name}_{k}.jpg"
            path.write_bytes(jpeg(50 * c + k, (300, 200)))
            rows.append(prepare(Image.open(path)))
    labels, unit = np.repeat(np.arange(19), 3), torch.nn.functional.normalize
    with torch.inference_mode():
        images = unit(reference.encode_image(torch.stack(rows)), dim=1)
        texts = [
            unit(reference.encode_text(clip.tokenize([f"{prompt} {name}." for name in names])), dim=1)
            for prompt in prompts
        ]
        count = [int(((images @ t.T).argmax(dim=1).numpy() == labels).sum()) for t in (unit(sum(texts), dim=1), *texts)]

    def said(*given, n=57):
        held = {"n": n, "class_names": names, "prompts": prompts}
        held["models"] = {"clip-vit-b-32": {"dtype": "float32", "averaged": given[0], "right": list(given[1:])}}
        monkeypatch.setattr(recorded_prompts, "recorded", lambda: held)
        options = Options(str(tmp_path / "images"), device="cpu", results=None)
        return recorded_prompts.verify("clip-vit-b-32", options)

    first, rest = said(*count)
    assert first.ok is rest.ok is True
    assert f"{count[0]} of 57 images right, recorded {count[0]} (+0)" in first.detail
    assert "2 of 2 equal, the others within 0 images" in rest.detail
    first, rest = said(count[0] + 50, count[1], count[2] + 50)
    assert first.ok is rest.ok is False and "(-50)" in first.detail and "1 of 2 equal" in rest.detail
    assert {one.ok for one in said(*count, n=1005)} == {None}

    (tmp_path / "images" / "Pond").rename(tmp_path / "images" / "Puddle")
    with pytest.raises(UsageError, match="is not whu-rs19: it has Puddle"):
        said(*count)


def test_what_cannot_be_run_is_one_line():
    with pytest.raises(UsageError, match="nothing is recorded of mini on whu-rs19; it is of clip-rn50, "):
        recorded_prompts.verify("mini", Options())
    with pytest.raises(UnavailableError, match="need its images, which are not fetched here: --data-dir FOLDER"):
        recorded_prompts.verify("clip-rn50", Options())
