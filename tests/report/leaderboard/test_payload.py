"""The data of a page: every figure with its interval, what runs share once."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import stubs

import senbench
from senbench.report.leaderboard import page
from senbench.results import single_prompts_file, store
from senbench.schema.single_prompts import SinglePrompts

EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "results"
    for name in ("stub", EVIL):
        for style in ("a", "the"):
            prompts = {k: [f"{style} {k.lower()} {EVIL}"] for k in stubs.CLASSES}
            senbench.evaluate(stubs.StubEncoder(name), stubs.tiles(), prompts, results=str(folder))
    return folder


@pytest.fixture(scope="module")
def html(results, tmp_path_factory):
    return page.write(results, tmp_path_factory.mktemp("page") / "index.html").read_text()


def held(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])


def test_every_figure_has_its_interval_and_the_lines_are_there(html):
    data = held(html)
    row = dict(zip(data["columns"], data["runs"][0], strict=True))
    value, low, high, label = row["figures"]["top1"]
    assert low <= value <= high
    assert data["words"][label] == "iid-wilson"
    assert set(data["boards"][0]["lines"]) == {"chance", "majority"}


def test_prompts_of_several_runs_are_kept_once(html):
    data = held(html)
    assert len(data["packs"]) == 2
    assert len(data["runs"]) == 4


def test_what_single_prompts_get_right_stands_on_the_board_of_its_images(results, tmp_path):
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    first = next(iter(store.each(folder)))[0]
    told = {"dataset": first.dataset.id, "split": first.dataset.split, "n": first.dataset.n_evaluated}
    one = SinglePrompts(
        **told,
        index_hash=first.dataset.index_hash,
        prompts=(EVIL,),
        right={first.run_id: (3,)},
        together={first.run_id: (4,)},
        averaged_together={first.run_id: 5},
    )
    single_prompts_file.save(folder, one)
    single_prompts_file.save(folder, one.model_copy(update={"index_hash": "of other images"}))
    data = held(page.write(folder, tmp_path / "index.html").read_text())
    (own,) = [singles for board in data["boards"] for singles in board["singles"]]
    assert own["n"] == told["n"] and [data["words"][k] for k in own["prompts"]] == [EVIL]
    ((place, *counts),) = own["rows"]
    assert data["runs"][place][data["columns"].index("id")] == first.run_id and counts == [[3], [4], 5]
