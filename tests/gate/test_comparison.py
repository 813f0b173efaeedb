"""The gate by sabotage: each failure is made on purpose, and must end in exit 1 with its message."""

from __future__ import annotations

import json
import shutil

import answers
import numpy as np
import pytest
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.gate import baseline
from senbench.gate.bless import bless
from senbench.gate.comparison import check
from senbench.results import store

LABELS, ANSWERS, CLUSTERS = answers.draw()


def result(folder, given=ANSWERS, **options):
    return answers.save(folder, answers.one_hot(given), LABELS, CLUSTERS, **options)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A blessed folder: baseline and results."""
    folder = tmp_path_factory.mktemp("good")
    result(folder / "results")
    bless(folder / "results", folder / "base.json", "the first")
    return folder


@pytest.fixture
def place(good, tmp_path):
    """A copy that may be broken."""
    shutil.copytree(good, tmp_path / "x")
    return tmp_path / "x"


def gate(place, *options: str):
    words = ["check", "--baseline", str(place / "base.json"), "--results", str(place / "results"), *options]
    return CliRunner().invoke(application(), words)


def fails(place, message: str, *options: str) -> str:
    got = gate(place, *options)
    assert got.exit_code == 1, got.output
    assert isinstance(got.exception, SystemExit), got.exception
    assert message in got.output, got.output
    return got.output


def again(place, given=ANSWERS, **options):
    shutil.rmtree(place / "results")
    return result(place / "results", given, **options)


def edit(path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def worse(n: int, seed: int = 0) -> np.ndarray:
    given = ANSWERS.copy()
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(given == LABELS))[:n]
    given[rows] = (given[rows] + 1) % 3
    return given


def one_worse_in_two_classes() -> np.ndarray:
    given = ANSWERS.copy()
    for k in (0, 1):
        given[np.flatnonzero((k == LABELS) & (given == k))[0]] = 2
    return given


def test_the_same_again_passes(place) -> None:
    again(place)
    got = gate(place)
    assert got.exit_code == 0, got.output
    assert "check passed: 1 run as in the baseline" in got.output
    assert json.loads(gate(place, "--format", "json").stdout)["passed"] is True


def test_one_changed_answer_is_changed_but_not_worse(place) -> None:
    again(place, worse(1))
    said = fails(place, "changed beyond the numeric noise (1e-06), and is not worse")
    assert "bless --why" in said
    assert "inferior" not in said


def test_a_gain_is_a_change_too(place) -> None:
    given = ANSWERS.copy()
    given[np.flatnonzero(given != LABELS)[:5]] = LABELS[np.flatnonzero(given != LABELS)[:5]]
    again(place, given)
    fails(place, "changed beyond the numeric noise")


def test_swapped_answers_that_leave_every_figure_alone_are_a_change(place) -> None:
    """One image of a class is lost and another of the same class and cluster gained: only the answers can tell."""
    given = ANSWERS.copy()
    for i in np.flatnonzero(given != LABELS):
        same = (LABELS[i] == LABELS) & (CLUSTERS[i] == CLUSTERS) & (given == LABELS)
        if same.any():
            j = np.flatnonzero(same)[0]
            given[i], given[j] = given[j], given[i]
            break
    else:
        pytest.fail("no such pair")
    again(place, given)
    said = fails(place, "share of images with another answer 0 -> 0.00333333")
    assert "top1 0." not in said


def test_a_change_of_the_intervals_alone_is_a_change(place, monkeypatch) -> None:
    from senbench.scoring.intervals import bootstrap

    monkeypatch.setattr(bootstrap, "effective_clusters", lambda sizes: 5.0)
    again(place)
    monkeypatch.undo()
    fails(place, "top1 interval low")


def test_a_drop_fails_both_questions(place) -> None:
    again(place, worse(60))
    said = fails(place, "not shown to be as good as before: difference -10.00 points")
    assert "changed beyond the numeric noise (1e-06):" in said


def test_a_drop_within_a_wide_tolerance_still_fails_non_inferiority(place) -> None:
    again(place, one_worse_in_two_classes())
    said = fails(place, "the lower end must be above -0.6", "--tolerance", "0.0055", "--margin", "0.6")
    assert "changed beyond" not in said
    assert gate(place, "--tolerance", "0.0055", "--margin", "3").exit_code == 0


def test_few_clusters_cannot_show_non_inferiority(tmp_path) -> None:
    few = CLUSTERS % 4
    answers.save(tmp_path / "results", answers.one_hot(ANSWERS), LABELS, few)
    bless(tmp_path / "results", tmp_path / "base.json", "few")
    assert gate(tmp_path).exit_code == 0, "nothing moved at all"
    shutil.rmtree(tmp_path / "results")
    answers.save(tmp_path / "results", answers.one_hot(worse(1)), LABELS, few)
    fails(tmp_path, "it cannot be tested: none: 4 clusters, 5 are needed")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": {**answers.PROMPTS, "Lake": ["a lake "]}}, "prompts.hash changed"),
        ({"weights": "1" * 64}, "model.weights_sha256 changed: 000000000000 -> 111111111111"),
        ({"change": {"split": "other"}}, "dataset.split changed: all -> other"),
        ({"change": {"radiometry": "dn2000"}}, "dataset.radiometry changed"),
        ({"postprocess": "column-mean"}, "postprocess changed: none -> column-mean"),
    ],
)
def test_changed_settings_fail_without_a_new_version(place, options, message) -> None:
    again(place, **options)
    said = fails(place, message)
    assert "without a new version" in said


def test_class_names_changed(place) -> None:
    path = next((place / "results").iterdir()) / "result.json"
    edit(path, lambda data: data["dataset"].update(class_names="clip"))
    fails(place, "dataset.class_names changed")


def test_a_new_version_allows_other_settings_if_the_figures_stay(place) -> None:
    again(place, prompts={**answers.PROMPTS, "Lake": ["a lake "]})
    edit(place / "base.json", lambda data: data["runs"][0].update(senbench_version="0.0.9"))
    path = next((place / "results").iterdir()) / "result.json"
    assert gate(place).exit_code == 0, gate(place).output
    assert "with senbench 0.0.9 ->" in gate(place).output
    assert path.exists()


def test_a_missing_run(place) -> None:
    shutil.rmtree(place / "results")
    answers.save(
        place / "results", answers.one_hot(ANSWERS), LABELS, CLUSTERS, change={"info": answers.stubs.info(id="other")}
    )
    fails(place, "no result of this run")


def test_no_results_at_all(place) -> None:
    shutil.rmtree(place / "results")
    fails(place, "no results under")


def test_two_results_of_one_run_are_not_chosen_from(place) -> None:
    result(place / "results", weights="1" * 64)
    fails(place, "2 results of this run")


def test_an_incomplete_run(place) -> None:
    again(place, change={"n_expected": 700})
    fails(place, "incomplete: 600 of 700 images evaluated")


def test_another_number_of_images(place) -> None:
    shutil.rmtree(place / "results")
    answers.save(place / "results", answers.one_hot(ANSWERS[:599]), LABELS[:599], CLUSTERS[:599])
    fails(place, "n is 599, the baseline has 600")


def test_other_images_of_the_same_number(place) -> None:
    again(place, change={"ids": tuple(f"other_{i:04}" for i in range(600))})
    fails(place, "other images or labels")


def test_other_clusters(place) -> None:
    shutil.rmtree(place / "results")
    answers.save(place / "results", answers.one_hot(ANSWERS), LABELS, np.roll(CLUSTERS, 1))
    fails(place, "in other clusters than before")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is no baseline of senbench"),
        ("{}", "is no baseline of senbench"),
        ('{"kind": "senbench-baseline", "version": 2}', "has version 2"),
        ('{"kind": "senbench-baseline", "version": 1, "runs": [], "history": []}', "malformed: field runs"),
    ],
)
def test_a_malformed_or_empty_baseline(place, text, message) -> None:
    (place / "base.json").write_text(text)
    fails(place, message)


def test_a_baseline_that_is_not_there_or_not_text(place) -> None:
    (place / "base.json").write_bytes(b"\xff\xfe\x00")
    fails(place, "is not JSON")
    (place / "base.json").unlink()
    fails(place, "No such file")
    (place / "base.json").mkdir()
    fails(place, "Is a directory")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run["metrics"]["top1"].update(value=float("nan")), "malformed: field runs.0.metrics.top1.value"),
        (lambda run: run["metrics"]["top1"].update(value=0.5), "its answers give top1 0.900000, it says 0.5"),
        (lambda run: run["metrics"].pop("top1"), "unreadable"),
        (lambda run: run.update(metrics={}), "malformed: field runs.0.metrics"),
        (lambda run: run.update(noise=0.0), "malformed: field runs.0.noise"),
        (lambda run: run.update(noise=0.5), "malformed: field runs.0.noise"),
        (lambda run: run.update(answers="AAAA"), "packed numbers"),
        (lambda run: run.update(answers=baseline.pack(np.zeros(5, np.uint16))), "packed numbers are not 600"),
        (lambda run: run.update(extra=1), "malformed: field runs.0.extra"),
        (lambda run: run.update(metric="map_macro"), "the baseline guards map_macro"),
    ],
)
def test_a_baseline_with_a_field_tampered_with(place, change, message) -> None:
    edit(place / "base.json", lambda data: change(data["runs"][0]))
    fails(place, message)


def test_unreadable_results(place) -> None:
    folder = next((place / "results").iterdir())
    (folder / "predictions.parquet").write_bytes(b"PAR1 not really")
    fails(place, "predictions.parquet is damaged")
    (folder / "predictions.parquet").unlink()
    fails(place, "predictions.parquet is missing")
    (folder / "result.json").write_text('{"schema_version": 1}')
    fails(place, "field run_id")
    (folder / "result.json").write_text("[" * 100_000)
    fails(place, "result")


def test_a_result_that_its_predictions_contradict(place) -> None:
    path = next((place / "results").iterdir()) / "result.json"
    edit(path, lambda data: data["metrics"]["top1"].update(value=0.99))
    fails(place, "its predictions give top1 0.900000, it says 0.99")


def test_a_result_with_nan_or_without_a_block(place) -> None:
    path = next((place / "results").iterdir()) / "result.json"
    whole = path.read_text()
    edit(path, lambda data: data["metrics"]["nll"].update(value=float("nan")))
    fails(place, "")
    path.write_text(whole)
    edit(path, lambda data: data["dataset"].pop("index_hash"))
    fails(place, "field dataset.index_hash: Field required")


def test_tolerance_below_the_noise_or_above_the_margin(place) -> None:
    fails(place, "--tolerance 0 must be at least the numeric noise", "--tolerance", "0")
    fails(place, "below the margin", "--tolerance", "0.02")
    fails(place, "--tolerance nan", "--tolerance", "nan")
    for margin in ("0", "-1", "nan", "inf"):
        fails(place, "--margin", "--margin", margin)
    assert json.loads(gate(place, "--margin", "nan", "--format", "json").stdout)["passed"] is False


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_every_format_fails_alike(place, form) -> None:
    again(place, worse(60))
    got = gate(place, "--format", form)
    assert got.exit_code == 1
    assert "changed beyond the numeric noise" in got.output
    (place / "base.json").write_text("{")
    got = gate(place, "--format", form)
    assert got.exit_code == 1
    assert "is not JSON" in got.output


def test_measured_noise_bounds_the_tolerance_and_is_the_default(tmp_path) -> None:
    result(tmp_path / "results")
    result(tmp_path / "repeat", one_worse_in_two_classes())
    with pytest.raises(UsageError, match="that is no numeric noise"):
        result(tmp_path / "far", worse(60))
        bless(tmp_path / "results", tmp_path / "base.json", "x", tmp_path / "far")
    bless(tmp_path / "results", tmp_path / "base.json", "x", tmp_path / "repeat")
    (run,) = baseline.read(tmp_path / "base.json").runs
    assert run.noise_measured
    assert 2 / 600 <= run.noise <= 0.01
    shutil.rmtree(tmp_path / "results")
    result(tmp_path / "results", one_worse_in_two_classes())
    assert gate(tmp_path, "--margin", "3").exit_code == 0
    fails(tmp_path, "must be at least the numeric noise", "--tolerance", "0.001")


def test_a_run_nobody_guards_is_said_and_passes(place) -> None:
    other = {"info": answers.stubs.info(id="other")}
    answers.save(place / "results", answers.one_hot(ANSWERS), LABELS, CLUSTERS, change=other)
    got = gate(place)
    assert got.exit_code == 0, got.output
    assert "is not guarded" in got.output


def test_multi_label_is_guarded_by_macro_map(tmp_path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((300, 3)) < [0.5, 0.3, 0.2]
    scores = truth + rng.normal(4, 0.6, (300, 3))
    clusters = rng.integers(0, 15, 300)
    answers.save(tmp_path / "results", scores, truth, clusters)
    bless(tmp_path / "results", tmp_path / "base.json", "multi")
    assert gate(tmp_path).exit_code == 0, gate(tmp_path).output
    shutil.rmtree(tmp_path / "results")
    answers.save(tmp_path / "results", scores + rng.normal(0, 0.6, (300, 3)), truth, clusters)
    said = fails(tmp_path, "not shown to be as good as before")
    assert "map_macro" in said
    verdict = check(tmp_path / "base.json", tmp_path / "results")
    (row,) = verdict.rows
    now = store.load(next((tmp_path / "results").iterdir()))
    assert row.difference.difference == pytest.approx(row.after - row.before)
    assert row.after == now.metrics["map_macro"].value
    assert row.difference.ci[0] < row.difference.difference < row.difference.ci[1]


def test_summary_and_annotations_hold_hostile_names_as_text(place, tmp_path, monkeypatch) -> None:
    evil = "a|b\n::error::x<img src=x onerror=alert(1)>](http://x) @all `c`"
    edit(place / "base.json", lambda data: data["runs"][0].update(model=evil))
    target = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    got = gate(place, "--format", "github")
    assert got.exit_code == 1
    assert all(line.startswith(("::error title=senbench check", "::notice title=")) for line in got.stdout.splitlines())
    text = target.read_text()
    assert "<img" not in text
    assert "](http" not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| a")]
    assert row.replace("\\|", "").count("|") == 9
    assert "90.00" in row


def test_summary_shows_before_and_after(place, tmp_path, monkeypatch) -> None:
    again(place, worse(60))
    target = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    assert gate(place, "--format", "github").exit_code == 1
    text = target.read_text()
    assert text.startswith("### \N{CROSS MARK} check failed\\: 2 problems in 1 guarded run")
    assert "| 90.00 | 80.00 | -10.00 |" in text
    assert gate(place).exit_code == 1
    assert target.read_text() == text, "a summary is written for --format github alone"


def test_bless_says_who_when_why_and_keeps_the_history(place, monkeypatch) -> None:
    from senbench.gate import bless as module

    monkeypatch.setattr(module, "who", lambda: "Ada")
    words = ["baseline", "bless", "--results", str(place / "results"), "--out", str(place / "base.json")]
    again(place, worse(60))
    got = CliRunner().invoke(application(), [*words, "--why", " new  prompts "])
    assert got.exit_code == 0, got.output
    first, second = baseline.read(place / "base.json").history
    assert (first.why, second.why, second.who) == ("the first", "new prompts", "Ada")
    assert first.runs == {"Given custom stub standard": "added"}
    assert list(second.runs.values()) == ["changed"]
    assert second.when.endswith("+00:00")
    assert gate(place).exit_code == 0


def test_bless_refuses(place) -> None:
    with pytest.raises(UsageError, match="--why has 0 characters"):
        bless(place / "results", place / "new.json", "  ")
    with pytest.raises(UsageError, match=r"--repeat .* is --results"):
        bless(place / "results", place / "new.json", "x", place / "results")
    with pytest.raises(UsageError, match="no results under"):
        bless(place / "nothing", place / "new.json", "x")
    result(place / "results", weights="1" * 64)
    with pytest.raises(UsageError, match="are the same run"):
        bless(place / "results", place / "new.json", "x")
    again(place, change={"n_expected": 700})
    with pytest.raises(UsageError, match="is incomplete"):
        bless(place / "results", place / "new.json", "x")
    assert not (place / "new.json").exists()
    (place / "base.json").write_text("{")
    again(place)
    with pytest.raises(UsageError, match="is not JSON"):
        bless(place / "results", place / "base.json", "x")


def test_who_is_the_name_in_git_or_the_user(monkeypatch) -> None:
    from senbench.gate import bless as module

    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("USER", "grace")
    assert module.who() == "grace"


def test_packed_numbers_come_back() -> None:
    for values in (np.arange(5, dtype=np.uint16), np.linspace(-1, 1, 7, dtype=np.float32)):
        kind = f"{values.dtype.kind}{values.dtype.itemsize}"
        assert (baseline.unpack(baseline.pack(values), kind, len(values)) == values).all()
