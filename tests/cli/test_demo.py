"""`senbench demo`: synthetic places, two models, results and pages, offline."""

from __future__ import annotations

import re

import pytest
from outcomes import refused

from senbench.cli.demo import MODELS, _places
from senbench.datasets.open import open_dataset
from senbench.results import store


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.mark.slow
def test_everything_once(senbench, shown, no_sockets):
    done = senbench("demo", "--out", shown / "d")
    assert done.code == 0, done.err
    assert f"Results in {shown / 'd' / 'results'}/, page: {shown / 'd' / 'index.html'}" in done.out
    assert "SYNTHETIC" in done.out
    assert done.out.count("ground cues are worth") == len(MODELS)
    page = (shown / "d" / "index.html").read_text()
    assert page.count("data:image/webp") == 50
    assert (shown / "d" / "board.html").stat().st_size > 10_000
    assert 'href="board.html"' in page
    found = {(r.model.id, r.prompts.id): r for r in store.load_all(shown / "d" / "results")}
    assert len(found) == 8
    before, after = (found[model, "ground"].metrics["top1"].value for model in MODELS)
    assert after - before > 0.2
    assert re.search(rf"from <span[^>]*>{100 * before:.1f} %</span> to <span[^>]*>{100 * after:.1f} %", page)


def test_the_pictures_are_of_the_tiles_that_were_evaluated():
    tiles = open_dataset("demo", split=None, data_dir=None, offline=True)
    places = _places()
    assert [place.key for place in places] == list(tiles.info.classes)
    for place in places:
        i = tiles.tile_ids.index(place.tile_id)
        assert tiles.info.classes[tiles.labels[i]] == place.key
        assert (tiles.picture(i) == place.tile).all()


def test_a_folder_that_cannot_be_made(senbench, tmp_path):
    (tmp_path / "file").touch()
    refused(senbench("demo", "--out", tmp_path / "file" / "x"), 3, "give another with --out DIR")
