"""Styles against models through the whole flow: headline differences exact, what is refused, what is written."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import stubs

from senbench.cli.tables.factorial_table import print_factorial
from senbench.errors import UsageError
from senbench.evaluation import grid as flow
from senbench.results import factorial_file
from senbench.runtime.progress import Silent
from senbench.schema.run_spec import RunSpec

STYLES = ("generic", "clip")


class Other(stubs.StubEncoder):
    """Confuses tiles: adds a fixed noise to what the stub sees."""

    def encode_prepared(self, batch):
        rows = super().encode_prepared(batch)
        mixed = rows + 0.9 * np.abs(np.sin(1e3 * rows[:, [1, 2, 0, 3, 4, 5, 6, 7]]))
        return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def places(indices):
    return [f"t{i % 11}" for i in indices]


def grid(tmp_path, styles=STYLES, models=("a", "b"), tiles=None, **options):
    encoders = [{"a": stubs.StubEncoder, "b": Other}[name](name) for name in models]
    tiles = stubs.tiles(120, locate=places) if tiles is None else tiles
    spec = RunSpec(
        models=models,
        prompts=styles,
        datasets=("stub",),
        **{"results": str(tmp_path / "results"), "cache": False, **options},
    )
    return flow._grid(spec, encoders, [tiles], None, Silent(), crossed=True)


@pytest.mark.parametrize("multi", [False, True])
def test_differences_are_those_of_the_results_to_the_last_bit(tmp_path, multi):
    tiles = stubs.tiles(120, locate=places)
    if multi:
        labels = np.eye(3, dtype=bool)[tiles.labels]
        labels[::5, 0] = True
        tiles = replace(tiles, info=stubs.info(task="multi-label", splits={"all": 120}), labels=labels)
    results, (found,) = grid(tmp_path, tiles=tiles)
    of = {(r.model.id, r.prompts.id): r for r in results}
    for c in found.contrasts:
        signs = [(m, s, (1, -1)[i] * (1, -1)[j]) for i, m in enumerate(c.models) for j, s in enumerate(c.styles)]
        headline = {name: r.metrics[r.headline].value for name, r in of.items()}
        assert c.points.value == pytest.approx(sum(g * headline[m, s] for m, s, g in signs), abs=1e-15)
        for k, one in enumerate(c.per_class):
            each = {
                name: (r.per_label[k].average_precision if multi else r.per_class[k].recall) for name, r in of.items()
            }
            assert one.points.value == pytest.approx(sum(g * each[m, s] for m, s, g in signs), abs=1e-15)
    kinds = [c.kind for c in found.contrasts]
    assert kinds == ["styles"] * 2 + ["models"] * 2 + ["interaction"]
    assert any(c.points.value for c in found.contrasts)
    assert found.headline == ("map_macro" if multi else "top1")
    assert (found.units, found.clustered) == (11, True)


def test_the_file_names_the_results_and_is_read_back(tmp_path):
    results, (found,) = grid(tmp_path)
    (path,) = (tmp_path / "results").glob("factorial-*.json")
    assert factorial_file.load_all(tmp_path / "results") == [found]
    assert found.run_ids == tuple(r.run_id for r in results)
    data = json.loads(path.read_text())
    assert data["schema_version"] == 1
    assert '"metrics"' not in path.read_text()
    path.write_text(json.dumps({**data, "schema_version": 9}))
    with pytest.raises(UsageError, match="version 9, this senbench reads 1"):
        factorial_file.load(path)
    path.write_text(json.dumps({**data, "contrasts": 1}))
    with pytest.raises(UsageError, match="field contrasts"):
        factorial_file.load(path)


def test_the_same_prompts_in_another_order_differ_by_nothing(tmp_path):
    lines = {key: [f"{key} {word}" for word in "abcdef"] for key in stubs.CLASSES}
    turned = {key: texts[::-1] for key, texts in reversed(lines.items())}
    for name, texts in (("one", lines), ("two", turned)):
        (tmp_path / f"{name}.json").write_text(json.dumps(texts))
    _, (found,) = grid(tmp_path, styles=(str(tmp_path / "one.json"), str(tmp_path / "two.json")), models=("b",))
    (contrast,) = found.contrasts
    for difference in (contrast.points, *(one.points for one in contrast.per_class)):
        assert (difference.value, difference.ci, difference.p) == (0.0, (0.0, 0.0), 1.0)
    assert contrast.matched


def test_files_of_one_name_are_told_apart(tmp_path):
    for folder in "xy":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.json").write_text(json.dumps({k: [f"{k} {folder}", k] for k in stubs.CLASSES}))
    paths = tuple(str(tmp_path / folder / "mine.json") for folder in "xy")
    _, (found,) = grid(tmp_path, styles=paths, models=("a",))
    assert found.contrasts[0].styles == ("mine.json (1)", "mine.json (2)")  # without their folders


def test_a_trial_compares_styles_on_its_tiles_and_says_that_it_is_one(tmp_path):
    results, (found,) = grid(tmp_path, models=("b",), limit=60)
    first, second = (r.metrics["top1"].value for r in results)
    assert found.contrasts[0].points.value == pytest.approx(first - second, abs=1e-15)
    assert found.contrasts[0].points.ci is not None
    assert found.notes == ("incomplete: a trial on 60 of 120 tiles (--limit 60), never ranked",)
    assert not any(r.complete for r in results)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({}, {"postprocess": "column-mean"}, "norm-mean-norm with post-processing column-mean"),
        ({}, {"ensemble": "logit-mean"}, "ensemble logit-mean with post-processing none"),
        ({"bad": (4,)}, {"on_error": "skip"}, "tiles are missing or could not be decoded"),
        ({"bad": (4,)}, {"on_error": "skip", "limit": 120}, "tiles are missing or could not be decoded"),
        ({"n_expected": 200}, {}, "tiles are missing or could not be decoded"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(tmp_path, capsys, change, options, says):
    results, (found,) = grid(tmp_path, tiles=stubs.tiles(120, **change), **options)
    assert len(results) == 4
    assert isinstance(found, str)
    assert says in found
    assert not list((tmp_path / "results").glob("factorial-*"))
    print_factorial([found], stderr=False)
    assert "styles and models are not compared" in capsys.readouterr().out


def test_a_single_cell_compares_nothing_and_run_computes_nothing(tmp_path):
    assert grid(tmp_path, styles=("generic",), models=("a",)).factorials == []


def test_few_clusters_and_no_clusters(tmp_path):
    _, (few,) = grid(tmp_path, tiles=stubs.tiles(120, locate=lambda rows: [f"t{i % 4}" for i in rows]))
    assert few.contrasts[0].points.interval == "none: 4 clusters, 5 are needed"
    _, (none,) = grid(tmp_path, tiles=stubs.tiles(120))
    assert none.contrasts[0].points.ci is not None
    assert "too narrow: no positions" in none.contrasts[0].points.interval
    assert not none.clustered


@pytest.mark.parametrize("width", [60, 120])
def test_figures_are_printed_whole_at_any_width(tmp_path, capsys, monkeypatch, width):
    _, (found,) = grid(tmp_path)
    from rich.console import Console

    monkeypatch.setattr(
        "senbench.cli.tables.factorial_table.make_console", lambda stderr: Console(width=width, highlight=False)
    )
    print_factorial([found], stderr=False)
    out = capsys.readouterr().out
    for contrast in found.contrasts:
        points = contrast.points
        assert f"{100 * points.value:+.1f} [{100 * points.ci[0]:+.1f}, {100 * points.ci[1]:+.1f}]" in " ".join(
            out.split()
        )
    assert "generic - clip" in out
    assert "interaction: a - b" in out
    assert "not adjusted for the number of comparisons" in " ".join(out.split())


def test_models_share_the_draws_of_a_style(tmp_path, monkeypatch):
    """A paired difference between models is one only if each draw is the same prompts for both."""
    from senbench.evaluation import style_comparison as crossing

    drawn, weights = [], crossing.prompt_weights
    monkeypatch.setattr(crossing, "prompt_weights", lambda t, *how: drawn.append(how) or weights(t, *how))
    grid(tmp_path)
    assert len(drawn) == 4 and drawn[:2] == drawn[2:]
