"""Figures made again from the rows are those of the run."""

from __future__ import annotations

import pytest
import runs

from senbench.audit.remade_figures import outcome
from senbench.results import predictions


@pytest.mark.parametrize("options", [{}, {"postprocess": "column-mean"}, {"ensemble": "max"}], ids=str)
@pytest.mark.parametrize("tiles", [runs.located, runs.multi])
def test_figures_and_intervals_are_those_of_the_run(tmp_path, tiles, options):
    result = runs.run(tmp_path, share=0.3, tiles=tiles(), **options)
    made = outcome(result, predictions.read(tmp_path / result.run_id, result))
    assert {k: v.value for k, v in made.metrics.items()} == pytest.approx(
        {k: v.value for k, v in result.metrics.items()}, abs=1e-6
    )
    assert made.metrics[result.headline].ci == pytest.approx(result.metrics[result.headline].ci, abs=1e-4)
    assert made.confusion == result.confusion
