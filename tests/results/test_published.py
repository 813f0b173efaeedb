"""The published figures: all there, each of a model that exists, and refused where the files are missing."""

from __future__ import annotations

import pytest

from senbench.errors import UnavailableError
from senbench.models import registry
from senbench.results import published


def test_the_shipped_figures_are_all_there_and_name_models_that_exist():
    found = published.read()
    assert len(found.rows) == 208
    assert set(found.rows[0]) == set(published.COLUMNS)
    assert set(found.models.values()) <= set(registry.cards())
    stated = {(r["model"], r["arch"]) for r in found.rows}
    assert {(model, arch) for model, arch, _ in found.models} <= stated
    assert all(float(r["value"]) > 0 and r["source"] for r in found.rows)


def test_weights_decide_which_release_a_figure_is_of():
    found = published.PublishedFigures((), {("CLIP", "B", ""): "clip", ("CLIP", "B", "laion"): "open"})
    row = {"model": "CLIP", "arch": "B", "note": ""}
    assert found.model_of(row) == "clip"
    assert found.model_of({**row, "note": "weights laion"}) == "open"
    assert found.model_of({**row, "note": "a note"}) == "clip"
    assert found.model_of({**row, "note": "weights others"}) is None
    open_clip = {"model": "OpenCLIP", "arch": "ViT-B-32", "note": "weights laion400m_e32"}
    assert published.read().model_of(open_clip) is None


def test_missing_files_say_what_to_do(tmp_path):
    with pytest.raises(UnavailableError, match="install senbench again"):
        published.read(tmp_path)
