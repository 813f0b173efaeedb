"""A run stops before anything is embedded where its tiles cannot be Sentinel-2, or goes on with a mark."""

from __future__ import annotations

import numpy as np
import pytest
import stubs
from typer.testing import CliRunner

import senbench
from senbench.cli.main import application
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError
from senbench.evaluation.pixels import PixelCheck, checked, look
from senbench.results import qualifications
from senbench.runtime.progress import Silent
from senbench.schema.run_spec import RunSpec

PROMPTS = {"Field": ["a field"], "Lake": ["a lake"], "Town": ["a town"]}


def spec(**change) -> RunSpec:
    return RunSpec(models=("stub",), prompts=("p",), **change)


def black(i: int) -> np.ndarray:
    tile = np.zeros((8, 8, 3), np.uint8)
    tile[0, 0] = i + 2
    return tile


class Heard(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_plausible_tiles_are_told_by_figures_alone(tmp_path):
    found = look(stubs.tiles(), tmp_path)
    assert found.implausible == ()
    assert found.figures.n == found.rendering["tiles"] == 60
    assert found.figures.means == pytest.approx(found.rendering["channel_means"], abs=0.011)


def test_the_run_stops_with_figures_and_cause():
    encoder = stubs.StubEncoder()
    with pytest.raises(UsageError) as stopped:
        senbench.evaluate(encoder, stubs.tiles(reader=black), PROMPTS)
    said = str(stopped.value)
    assert "\n" not in said
    for part in ("stub all:", "98% of the values are 0", "over 60 tiles", "--accept-pixels"):
        assert part in said
    assert encoder.images == 0
    assert encoder.texts == []


def test_accepted_pixels_mark_the_result():
    heard = Heard()
    result = senbench.evaluate(
        stubs.StubEncoder(), stubs.tiles(reader=black), PROMPTS, accept_pixels=True, progress=heard
    )
    facts = result.dataset.pixels
    assert facts.figures.zeros == pytest.approx(0.985, abs=0.01)
    assert any("are 0" in cause for cause in facts.implausible)
    assert any(line.startswith("pixels accepted: stub all: ") for line in heard.lines)
    assert "pixels-accepted" in [one.code for one in qualifications.qualifications(result)]
    again = type(result).model_validate_json(result.model_dump_json())
    assert again.dataset.pixels == facts


def test_a_plausible_run_records_figures_and_no_mark():
    result = senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), PROMPTS, accept_pixels=True)
    assert result.dataset.pixels.figures.n == 60
    assert result.dataset.pixels.implausible == ()


def test_figures_are_no_part_of_the_run_id():
    one, other = (
        senbench.evaluate(stubs.StubEncoder(), stubs.tiles(reader=black), PROMPTS, accept_pixels=True, seed=0)
        for _ in range(2)
    )
    assert one.run_id == other.run_id


def test_tiles_that_cannot_be_read_say_nothing():
    def gone(i):
        raise TileError("gone")

    assert look(stubs.tiles(reader=gone), None) == PixelCheck()
    assert look(stubs.tiles(reader=lambda i: np.zeros((8, 8), np.float32)), None) == PixelCheck()


def test_figures_are_kept_by_content(tmp_path, monkeypatch):
    monkeypatch.setenv("SENBENCH_HOME", str(tmp_path))
    read = []

    def watched(i):
        read.append(i)
        return black(i)

    accepting = spec(accept_pixels=True)
    keys = {"keys": lambda i: b"tile %d" % i}
    first = checked(stubs.tiles(reader=watched, **keys), accepting, Silent())
    assert len(read) == 60
    assert checked(stubs.tiles(reader=watched, **keys), accepting, Silent()) == first
    assert len(read) == 60
    with pytest.raises(UsageError, match="--accept-pixels"):
        checked(stubs.tiles(reader=watched, **keys), spec(), Silent())
    checked(stubs.tiles(reader=watched, **keys), accepting, Silent(), kept=False)
    assert len(read) == 120


def test_no_data_that_the_reader_knows_is_no_offset():
    def edge(i):
        tile = np.random.default_rng(i).integers(60, 120, (8, 8, 3)).astype(np.uint8)
        tile[:4] = 0
        return tile

    tiles = stubs.tiles(reader=edge, radiometry="eurosat-jpeg")
    assert "50% of the values are 0" in look(tiles, None).implausible[0]
    known = stubs.tiles(reader=edge, radiometry="eurosat-jpeg", facts_of_source={"nodata_share": 0.5})
    assert look(known, None).implausible == ()


@pytest.mark.parametrize("study", [("run", "--no-cache"), ("prompts", "sensitivity"), ("prompts", "matrix")])
def test_every_command_that_embeds_takes_the_same_look(tmp_path, study):
    from PIL import Image

    for i in range(6):
        place = tmp_path / "tiles" / ("Forest" if i < 3 else "River")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((64, 64, 3), 3, np.uint8) + np.uint8(i)).save(place / f"{i}.png")
    words = [*study, "--model", "mini", "--prompts", "generic", "--dataset", f"folder:{tmp_path / 'tiles'}"]
    if study[0] == "run":
        words += ["--results", str(tmp_path / "results")]
    if study[-1] == "matrix":
        words += ["--out", str(tmp_path / "page.html")]
    done = CliRunner().invoke(application(), words)
    assert isinstance(done.exception, UsageError), done.output
    assert "folder:tiles all: 100% of the tiles have one value throughout" in str(done.exception)
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").iterdir())
    done = CliRunner().invoke(application(), [*words, "--accept-pixels"])
    assert done.exit_code == 0, done.exception


@pytest.mark.parametrize("name", ["demo", "demo-multilabel"])
def test_the_synthetic_scenes_are_plausible(name):
    from senbench.datasets.open import open_dataset

    found = look(open_dataset(name, split=None, data_dir=None), None)
    assert found.figures.n == 200
    assert found.implausible == ()
