"""The static site: the same bytes each time, whole, and never over another's file."""

from __future__ import annotations

import json
import re

import generated_results as made
import numpy as np
import pytest
import stubs

import senbench
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.recorded_elsewhere import About, score
from senbench.evaluation.recorded_labels import FewLabels
from senbench.report.leaderboard import site

EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    for name in ("stub", EVIL):
        prompts = {k: [f"a {k.lower()} {EVIL}"] for k in stubs.CLASSES}
        senbench.evaluate(stubs.StubEncoder(name), stubs.tiles(), prompts, results=str(folder))
    made.save(folder, *made.one("made-labels", 0, "generic", 60))
    return folder


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_results_same_bytes_wherever_and_however_often(results, tmp_path):
    count = site.publish(results, tmp_path / "a")
    first = files(tmp_path / "a")
    assert len(first) == count
    site.publish(results, tmp_path / "b" / "c")
    assert files(tmp_path / "b" / "c") == first
    site.publish(results, tmp_path / "a")
    assert files(tmp_path / "a") == first


def test_everything_named_is_there(results, tmp_path):
    site.publish(results, tmp_path / "a")
    found = files(tmp_path / "a")
    index = json.loads(found["api/index.json"])
    assert len(index["runs"]) == 3
    for run in index["runs"]:
        assert json.loads(found[run["json"]])["run_id"] == run["run_id"]
        text = found[run["page"]].decode()
        for path in re.findall(r'(?:src|href)="\.\./([^"#]*)', text):
            assert path in found
    assert any(name.startswith("thumbnails/") for name in found)
    assert set(json.loads(found["manifest.json"])) == set(found) - {"manifest.json"}


def test_hostile_names_are_text_on_the_pages_of_runs(results, tmp_path):
    site.publish(results, tmp_path / "a")
    pages = [text.decode() for name, text in files(tmp_path / "a").items() if name.startswith("runs/")]
    assert not any("<img src=x" in text or "<script" in text for text in pages)
    assert any("&lt;img src=x" in text for text in pages)
    assert all("default-src 'none'" in text for text in pages)
    assert all(text.count("<details>") == text.count("<summary>") > 2 for text in pages)


def test_what_is_gone_is_removed_and_anothers_files_stay(results, tmp_path):
    out = tmp_path / "a"
    site.publish(results, out)
    (out / "CNAME").write_text("example.org")
    gone = next(results.glob("*made-labels*"))
    gone.rename(tmp_path / "elsewhere")
    site.publish(results, out)
    assert not (out / "runs" / f"{gone.name}.html").exists()
    assert (out / "CNAME").read_text() == "example.org"


@pytest.mark.parametrize("name", ["index.html", "api/index.json"])
def test_a_file_of_another_hand_is_not_replaced(results, tmp_path, name):
    out = tmp_path / "a"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    with pytest.raises(UsageError, match="was not written by --publish"):
        site.publish(results, out)
    assert files(out) == {name: b"mine"}


def test_a_file_changed_since_is_not_replaced(results, tmp_path):
    out = tmp_path / "a"
    site.publish(results, out)
    (out / "index.html").write_text("mine now")
    with pytest.raises(UsageError, match="was changed since"):
        site.publish(results, out)
    assert (out / "index.html").read_text() == "mine now"


@pytest.mark.parametrize("manifest", ["nonsense", "[]", '{"../outside": "x"}', '{"/etc/x": "x"}'])
def test_a_list_that_points_elsewhere_is_refused(results, tmp_path, manifest):
    out = tmp_path / "a"
    out.mkdir()
    (out / "manifest.json").write_text(manifest)
    (tmp_path / "outside").write_text("keep")
    with pytest.raises(UsageError, match=r"manifest\.json is not the list"):
        site.publish(results, out)
    assert (tmp_path / "outside").read_text() == "keep"


def test_a_failure_leaves_the_old_site_whole(results, tmp_path, monkeypatch):
    out = tmp_path / "a"
    site.publish(results, out)
    before = files(out)

    def fail(*_):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr(site, "_files", fail)
    with pytest.raises(UnavailableError, match="No space left"):
        site.publish(results, out)
    assert files(out) == before


def test_a_run_id_that_leads_out_of_the_folder_is_refused(tmp_path):
    result, rest = made.one("made-scenes", 0, "generic", 60)
    (tmp_path / "r").mkdir()
    folder = made.save(tmp_path / "r", result, rest)
    evil = result.model_copy(update={"run_id": "../../evil"})
    (folder / "result.json").write_text(evil.model_dump_json())
    with pytest.raises(UsageError, match="cannot be a file name"):
        site.publish(tmp_path / "r", tmp_path / "a")


def test_what_few_labels_reach_is_on_the_page_of_a_run_and_on_the_board(tmp_path):
    rng = np.random.default_rng(0)
    labels, centres = np.arange(120) % 3, rng.normal(size=(3, 8))
    arrays = {
        "labels": labels,
        "texts": centres,
        "text_class": np.arange(3),
        "class_names": np.array(["a", "<b>", "c"]),
    }
    np.savez(tmp_path / "e.npz", images=centres[labels] + rng.normal(size=(120, 8)), **arrays)
    about = About("theirs", "p", "zoo", "somebody")
    r = score(tmp_path / "e.npz", about=about, few=FewLabels((1, 4)), results=str(tmp_path / "r"))
    site.publish(tmp_path / "r", tmp_path / "site")
    text = (tmp_path / "site" / "runs" / f"{r.run_id}.html").read_text()
    assert "Labels that zero-shot saves" in text and "Labels per class that reach this zero-shot figure: " in text
    assert text.count("<polyline") == 4 and text.count("<circle") == 8
    assert f">{100 * r.few_shot.figures[0].value:.1f}<" in text
    board = (tmp_path / "site" / "index.html").read_text()
    assert '"labels_saved"' in board and "each from the evaluated images themselves" in board
