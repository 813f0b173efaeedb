"""`senbench demo`: synthetic tiles, results and a page, offline."""

from __future__ import annotations

from outcomes import refused

from senbench.evaluation import grid


def test_everything_once(senbench, mini_run, monkeypatch, tmp_path, no_sockets):
    asked, run = [], grid.run_crossed

    def fewer(spec, *rest):
        asked.append(spec)
        return run(spec.model_copy(update={"prompts": ("generic", "clip")}), *rest)  # embedded already

    monkeypatch.setattr(grid, "run_crossed", fewer)
    done = senbench("demo", "--out", tmp_path / "d")
    assert done.code == 0, done.err
    (spec,) = asked
    assert (spec.prompts, spec.datasets, spec.offline) == (("ground", "aerial", "generic"), ("demo",), True)
    assert f"Results in {tmp_path / 'd' / 'results'}/, page: {tmp_path / 'd' / 'index.html'}" in done.out
    assert "SYNTHETIC" in done.out
    assert (tmp_path / "d" / "index.html").stat().st_size > 10_000


def test_a_folder_that_cannot_be_made(senbench, tmp_path):
    (tmp_path / "file").touch()
    refused(senbench("demo", "--out", tmp_path / "file" / "x"), 3, "give another with --out DIR")
