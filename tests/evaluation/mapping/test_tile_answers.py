"""Classes of tiles are those of the run where it saw the same tiles; rows are kept."""

from __future__ import annotations

import numpy as np
import pytest
import settled_runs

from senbench.embedding.image_pass import ImagePass
from senbench.errors import UnavailableError
from senbench.evaluation.mapping.settled import Settled, Where
from senbench.evaluation.mapping.tile_answers import How, classify
from senbench.evaluation.mapping.tile_source import TileSource
from senbench.results import predictions
from senbench.runtime.progress import Silent

HERE = Where(device="cpu", offline=True)


@pytest.mark.parametrize(
    "how", [{}, {"protocol": "senclip-release"}, {"postprocess": "transclip"}, {"ensemble": "dap"}]
)
def test_on_the_tiles_of_the_run_classes_and_scores_are_its_own(demo_run, tmp_path, how):
    run = settled_runs.run(tmp_path, demo_run.home, **how) if how else demo_run
    found = classify(Settled.of(run.result), TileSource("demo"), HERE, How(), Silent())
    recorded = predictions.read(run.folder, run.result)
    assert found.ids == recorded.ids
    np.testing.assert_array_equal(found.answers.best, recorded.predicted)
    np.testing.assert_array_equal(found.answers.scores, recorded.scores)
    assert found.marks[: len(Settled.of(run.result).marks())] == Settled.of(run.result).marks() != ()


def test_what_was_embedded_is_not_embedded_again(settled, monkeypatch):
    monkeypatch.setattr(ImagePass, "embed", lambda self, todo, *_: pytest.fail("embeds") if todo else None)
    assert len(classify(settled, TileSource("demo"), HERE, How(), Silent()).ids) == 20


def test_a_damaged_tile_stops_or_is_left_out_with_its_reason(settled, demo_tiles, tmp_path):
    for k, file in enumerate(sorted(demo_tiles.rglob("*.tif"))[:3]):
        (tmp_path / f"t{k}.tif").write_bytes(file.read_bytes()[: 3000 if k == 1 else None])
    source = TileSource(str(tmp_path), dn_offset="0")
    with pytest.raises(UnavailableError, match=r"t1\.tif.*--on-error skip"):
        classify(settled, source, HERE, How(), Silent())
    found = classify(settled, source, HERE, How(on_error="skip"), Silent())
    assert found.ids == ("t0.tif", "t2.tif")
    assert list(found.skipped) == ["t1.tif"]
    assert "1 tiles could not be decoded" in found.marks[-1]


def test_places_are_those_that_rasterio_reads(settled, demo_tiles):
    import rasterio

    found = classify(settled, TileSource(str(demo_tiles), dn_offset="0"), HERE, How(), Silent())
    with rasterio.open(demo_tiles / found.ids[0]) as file:
        assert found.places[0] == (f"EPSG:{file.crs.to_epsg()}", *file.bounds)
