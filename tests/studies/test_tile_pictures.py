"""Pictures of a comparison's flipped tiles: drawn from the data of the results, and told where there are none."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil

import answers
import numpy as np
import pytest
from changed_results import changed
from PIL import Image
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UnavailableError, UsageError
from senbench.report.comparison import page as gallery
from senbench.report.comparison.two_results import compare
from senbench.results import predictions, store
from senbench.studies import tile_pictures


def run(*words: str):
    return CliRunner().invoke(application(), list(words))


def colour(i: int) -> np.ndarray:
    """A colour of its own for each tile, far enough from the others to survive JPEG and WebP."""
    return np.array([50 * (i % 5) + 20, 50 * (i // 5 % 5) + 20, 25 * (i // 25) + 20])


def number(name: str) -> int:
    return int(re.search(r"tile_(\d+)", name)[1])


def mean(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).mean((0, 1))


def drawn(path, ids, result=None, **where):
    """The pictures of a result folder; `result` stands in for what is stored there."""
    result = result or store.load(path)
    return tile_pictures.drawn(result, ids, predictions.read(path, store.load(path)).ids, **where)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two results of one folder of plain tiles, Forest and River, 60 each, with the prompts exchanged."""
    top = tmp_path_factory.mktemp("flips")
    for i in range(120):
        place = top / "tiles" / ("Forest" if i < 60 else "River")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), tuple(map(int, colour(i)))).save(place / f"tile_{i:03}.png")
    for name, texts in (("one", ("a forest", "a river")), ("two", ("a river", "a forest"))):
        (top / f"{name}.json").write_text(json.dumps({"Forest": [texts[0]], "River": [texts[1]]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENBENCH_HOME", str(top / "home"))
        got = run(
            *("run", "--model", "mini", "--dataset", f"folder:{top / 'tiles'}", "--results", str(top / "results")),
            *("--prompts", f"{top / 'one.json'},{top / 'two.json'}"),
        )
    assert got.exit_code == 0, got.output
    return top, sorted((top / "results").glob("mini_*"))


@pytest.fixture(autouse=True)
def home_of_the_runs(folder, isolated_home, monkeypatch):
    """Where the folder of tiles lies is kept in the home of the runs, not in the results."""
    monkeypatch.setenv("SENBENCH_HOME", str(folder[0] / "home"))


def test_the_picture_of_a_tile_is_that_tile(folder) -> None:
    _, (first, second) = folder
    ids = [flip.id for flip in compare(first, second).flips if number(flip.id) in (61, 119, 7)]
    found = drawn(first, ids)
    assert [number(name) for name in found] == [7, 61, 119]
    for name, data in found.items():
        assert np.abs(mean(data) - colour(number(name))).max() < 6


def test_the_page_shows_flips_that_no_run_kept_a_picture_of(folder) -> None:
    top, (first, second) = folder
    page = top / "flips.html"
    got = run("compare", str(first), str(second), "--html", str(page))
    assert got.exit_code == 0, got.output
    flips = compare(first, second).flips
    assert len(flips) > len(store.read_thumbnails(first))
    text = page.read_text()
    shown = {
        name: mean(base64.b64decode(data))
        for data, name in re.findall(r'<img src="data:image/webp;base64,([^"]+)" alt="([^"]+)"', text)
    }
    assert shown.keys() == {flip.id for flip in flips}
    for name, seen in shown.items():
        assert np.abs(seen - colour(number(name))).max() < 6


def test_without_the_data_only_kept_pictures_are_shown_and_it_is_said(folder, tmp_path) -> None:
    top, (first, second) = folder
    (top / "tiles").rename(top / "moved")
    try:
        got = run("compare", str(first), str(second), "--html", str(tmp_path / "flips.html"))
    finally:
        (top / "moved").rename(top / "tiles")
    assert got.exit_code == 0
    assert "only pictures that the runs kept are shown" in got.stderr
    text = (tmp_path / "flips.html").read_text()
    kept = store.read_thumbnails(first).keys() | store.read_thumbnails(second).keys()
    flips = {flip.id for flip in compare(first, second).flips}
    assert set(re.findall(r'<img src="[^"]+" alt="([^"]+)"', text)) == kept & flips != flips
    assert "without a picture" in text


def test_a_folder_that_moved_is_given_and_another_one_is_refused(folder, tmp_path) -> None:
    top, (first, second) = folder
    shutil.copytree(top / "tiles", tmp_path / "moved")
    result, flips = store.load(first), [flip.id for flip in compare(first, second).flips]
    gone = changed(result, resolved={"dataset": "folder:/gone"})
    assert drawn(first, flips, gone, data_dir=str(tmp_path / "moved")) == drawn(first, flips)
    turned = tmp_path / "moved" / flips[0]
    before = turned.read_bytes()
    Image.open(turned).rotate(180).point(lambda v: v // 2).save(turned)
    with pytest.raises(UsageError, match=r"moved/ holds other pixels under the names of the evaluated tiles; give the"):
        drawn(first, flips[1:], gone, data_dir=str(tmp_path / "moved"))
    turned.write_bytes(before)
    (absent,) = (tmp_path / "moved").glob("River/*_119.png")
    absent.unlink()
    with pytest.raises(UsageError, match=r"moved/ lacks 1 of 120 evaluated tiles, .*119.* the first; give the data of"):
        drawn(first, flips, gone, data_dir=str(tmp_path / "moved"))
    got = run(
        *("compare", str(first), str(second), "--html", str(tmp_path / "x.html")),
        *("--data-dir", str(tmp_path / "moved")),
    )
    assert isinstance(got.exception, UsageError)
    assert not (tmp_path / "x.html").exists()


def test_the_pictures_of_a_subset_come_from_the_whole(folder, tmp_path) -> None:
    top, _ = folder
    words = ["run", "--model", "mini", "--dataset", f"folder:{top / 'tiles'}", "--limit", "40", "--seed", "3"]
    words += ["--results", str(tmp_path / "r"), "--prompts", f"{top / 'one.json'},{top / 'two.json'}"]
    assert run(*words).exit_code == 0
    a, b = sorted((tmp_path / "r").glob("mini_*"))
    flips = [flip.id for flip in compare(a, b).flips]
    shutil.copytree(top / "tiles", tmp_path / "tiles")
    for i, path in enumerate(sorted((tmp_path / "tiles").glob("*/*.png"))):
        if f"{path.parent.name}/{path.name}" not in predictions.read(a, store.load(a)).ids and i % 2:
            path.unlink()  # no tile of the runs
    assert drawn(a, flips, data_dir=str(tmp_path / "tiles")).keys() == set(flips)


def test_a_broken_tile_that_was_skipped_has_no_part_in_it(folder, tmp_path) -> None:
    top, _ = folder
    shutil.copytree(top / "tiles", tmp_path / "tiles")
    (broken,) = (tmp_path / "tiles").glob("River/*_119.png")
    broken.write_bytes(broken.read_bytes()[:40])
    words = ["run", "--model", "mini", "--dataset", f"folder:{tmp_path / 'tiles'}", "--on-error", "skip"]
    words += ["--results", str(tmp_path / "r"), "--prompts", f"{top / 'one.json'},{top / 'two.json'}"]
    assert run(*words).exit_code == 0
    a, b = sorted((tmp_path / "r").glob("mini_*"))
    flips = [flip.id for flip in compare(a, b).flips]
    assert len(drawn(a, flips)) == len(flips) == 119


def test_tiles_from_python_and_a_folder_without_a_page_are_told(folder, tmp_path) -> None:
    labels, first, _ = answers.draw(n=60, wrong=6)
    a = answers.save(tmp_path / "a", answers.one_hot(first), labels)
    with pytest.raises(UsageError, match="were passed from Python"):
        drawn(a, ["tile_0001"])
    got = run("compare", str(folder[1][0]), str(folder[1][1]), "--data-dir", "/data")
    assert isinstance(got.exception, UsageError)
    assert "--data-dir /data is for the pictures of --html" in str(got.exception)


def test_an_absent_dataset_is_unavailable(folder) -> None:
    result = store.load(folder[1][0])
    named = changed(result, resolved={"dataset": "eurosat-rgb", "split": "test"})
    with pytest.raises(UnavailableError):
        drawn(folder[1][0], ["x"], named, data_dir="/nowhere")
    assert gallery.DRAWN >= 60
