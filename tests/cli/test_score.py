"""`senbench score`: what it prints, and one clear line with the right exit code for every bad file."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import typer
from outcomes import refused
from typer.testing import CliRunner

from senbench.cli.score import score
from senbench.errors import SenbenchError
from senbench.io.embeddings_npz import check

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer()
app.command()(score)


def arrays(n: int = 60, c: int = 3, multi: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    prototypes = rng.normal(size=(c, 8)) + 1
    labels = rng.integers(0, c, n)
    text_class = np.repeat(np.arange(c), 4)
    out = {
        "images": (prototypes[labels] + rng.normal(size=(n, 8)) * 0.5).astype(np.float32),
        "labels": labels,
        "texts": (prototypes[text_class] + rng.normal(size=(4 * c, 8)) * 0.3).astype(np.float32),
        "text_class": text_class,
        "logit_scale": np.float32(20),
        "class_names": np.array(["Forest", "River [wide]", "Sea or Lake"][:c]),
    }
    if multi:
        out["labels"] = np.eye(c, dtype=np.int64)[labels] | (rng.random((n, c)) < 0.2)
    return out


def save(folder: Path, **given: np.ndarray) -> Path:
    file = folder / "embeddings.npz"
    np.savez(file, **given)
    return file


def run(*args: str | Path):
    """As the program's entry point does: an expected failure is one line and an exit code."""
    result = CliRunner().invoke(app, [str(a) for a in args])
    if isinstance(result.exception, SenbenchError):
        line = str(result.exception)
        assert "\n" not in line
        return result.exception.exit_code, result.stdout, line
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def keys(node, found=()):
    if isinstance(node, dict):
        found = [*found, *node]
        for value in node.values():
            found = keys(value, found)
    elif isinstance(node, list):
        for value in node:
            found = keys(value, found)
    return found


def test_json_is_one_list_with_one_object(tmp_path: Path) -> None:
    code, out, _ = run(save(tmp_path, **arrays()), "--json")
    assert code == 0
    (result,) = json.loads(out)
    assert keys(result).count("metrics") == 1
    assert result["file"] == "embeddings.npz"
    assert (result["n"], result["access_level"], result["ensemble"], result["postprocess"]) == (
        60,
        0,
        "norm-mean-norm",
        "none",
    )
    for figure in result["metrics"].values():
        assert set(figure) == {"value", "ci", "n", "interval"}
    top1 = result["metrics"]["top1"]
    assert top1["ci"][0] <= top1["value"] <= top1["ci"][1]
    assert top1["value"] == pytest.approx(np.trace(result["confusion"]) / 60)
    assert [c["name"] for c in result["per_class"]] == ["Forest", "River [wide]", "Sea or Lake"]
    assert {"lines", "ties", "warnings"} <= set(result)


def test_options_reach_the_scores(tmp_path: Path) -> None:
    file = save(tmp_path, **arrays(), template_aligned=np.True_)
    for rule in ("norm-mean-norm", "mean-norm", "logit-mean", "prob-mean", "max", "dap"):
        result = json.loads(run(file, "--json", "--ensemble", rule)[1])[0]
        assert result["ensemble"] == rule
        assert result["access_level"] == (2 if rule == "dap" else 0)
        assert result["metrics"]["top1"]["ci"]
    for how in ("column-mean", "transclip"):
        result = json.loads(run(file, "--json", "--postprocess", how)[1])[0]
        assert (result["postprocess"], result["access_level"]) == (how, 2)
        assert result["metrics"]["nll"]["value"] is None
        assert result["metrics"]["top1"]["ci"]


def test_ties_are_told(tmp_path: Path) -> None:
    """Two classes share a prompt, and the best prompt of each counts."""
    given = arrays()
    del given["class_names"]
    texts, of = given["texts"], given["text_class"]
    first = [int(np.flatnonzero(of == k)[0]) for k in (0, 0, 2)]  # of class 0 in place of class 1's own
    shared = {"texts": np.vstack([texts, texts[first]]), "text_class": np.append(of, [0, 1, 2])}
    file = save(tmp_path, **{**given, **shared})
    _, out, _ = run(file, "--ensemble", "max", "--json")
    ties = json.loads(out)[0]["ties"]
    assert ties > 0
    _, _, err = run(file, "--ensemble", "max")
    assert f"{ties} images tied, broken by class order" in err
    assert "tied" not in run(file)[2]


def test_multi_hot_labels(tmp_path: Path) -> None:
    given = arrays(multi=True)
    for labels in (given["labels"], given["labels"].astype(bool), given["labels"].astype(np.float32)):
        code, out, _ = run(save(tmp_path, **{**given, "labels": labels}), "--json")
        assert code == 0
        result = json.loads(out)[0]
        assert result["task"] == "multi-label"
        assert result["confusion"] is None
        assert set(result["lines"]) == {"prevalence", "prevalence_micro", "constant_ranking"}
        assert 0 < result["metrics"]["map_macro"]["value"] <= 1


def test_multi_hot_labels_with_clusters_carry_what_a_paired_test_needs(tmp_path: Path) -> None:
    given = arrays(multi=True)
    result = json.loads(run(save(tmp_path, **given, clusters=np.arange(60) % 12), "--json")[1])[0]
    assert result["clustering"]["clusters"] == 12
    assert result["clustering"]["sizes"] == {str(g): 5 for g in range(12)}
    assert set(result["replicates"]["map_macro"]) == set(result["clustering"]["sizes"])
    low, high = result["resampled"]["map_macro"]
    assert low < result["metrics"]["map_macro"]["value"] < high
    assert result["metrics"]["f1_micro_at_mean"]["access_level"] == 0
    assert result["metrics"]["f1_micro_tuned"]["value"] is None
    assert json.loads(run(save(tmp_path, **given), "--json")[1])[0]["clustering"] is None


@pytest.mark.parametrize("multi", [False, True])
def test_table_shows_names_literally_and_the_lines(tmp_path: Path, multi: bool) -> None:
    code, out, _ = run(save(tmp_path, **arrays(multi=multi)))
    assert code == 0
    assert "River [wide]" in out
    assert ("constant_ranking" if multi else "majority") in out
    assert ("map_macro" if multi else "top1") in out


def test_clusters_by_name_or_number(tmp_path: Path) -> None:
    tiles = np.arange(60) % 12
    for clusters in (tiles, np.array([f"T33UU{t}" for t in tiles])):
        result = json.loads(run(save(tmp_path, **arrays(), clusters=clusters), "--json")[1])[0]
        assert result["metrics"]["top1"]["interval"].startswith("cluster-wilson-t (12 clusters")


def test_class_names_and_scale_are_optional(tmp_path: Path) -> None:
    given = arrays()
    del given["class_names"], given["logit_scale"]
    result = json.loads(run(save(tmp_path, **given), "--json")[1])[0]
    assert [c["name"] for c in result["per_class"]] == ["0", "1", "2"]
    assert result["metrics"]["ece"]["value"] is None


def test_column_mean_refusal_names_file_class_and_value(tmp_path: Path) -> None:
    given = arrays()
    given["texts"][given["text_class"] == 1] *= -1
    code, _, line = run(save(tmp_path, **given), "--postprocess", "column-mean")
    assert code == 2
    assert "embeddings.npz" in line
    assert "'River [wide]' is -0." in line


BAD = {
    "missing array": ({"labels": None}, "no array 'labels'"),
    "images 1-D": ({"images": np.ones(60)}, "images is float64 of shape (60,)"),
    "images complex": ({"images": np.ones((60, 8), complex)}, "images is complex128"),
    "images empty": ({"images": np.ones((0, 8))}, "images is float64 of shape (0, 8)"),
    "widths differ": ({"texts": np.ones((12, 7))}, "images have 8 columns, texts 7"),
    "labels short": ({"labels": np.zeros(59, int)}, "labels is int64 of shape (59,)"),
    "labels float": ({"labels": np.zeros(60)}, "labels is float64"),
    "labels out of range": ({"labels": np.full(60, 3)}, "labels is 3 in row 0; expected 0..2"),
    "labels below zero": ({"labels": np.full(60, -1)}, "labels is -1"),
    "multi-hot short": ({"labels": np.zeros((59, 3), int)}, "labels is int64 of shape (59, 3)"),
    "multi-hot twos": ({"labels": np.full((60, 3), 2)}, "multi-hot labels hold 2 in row 0"),
    "multi-hot nan": ({"labels": np.full((60, 3), np.nan)}, "multi-hot labels hold nan"),
    "multi-hot columns": ({"labels": np.ones((60, 2), int)}, "text_class is 2"),
    "text_class long": ({"text_class": np.zeros(13, int)}, "text_class is int64 of shape (13,)"),
    "text_class strings": ({"text_class": np.array(["a"] * 12)}, "text_class is <U1"),
    "class without prompt": ({"text_class": np.repeat([0, 2], 6)}, "class 1 has no prompt"),
    "one class": (
        {"text_class": np.zeros(12, int), "labels": np.zeros(60, int), "class_names": None},
        "single class",
    ),
    "names short": ({"class_names": np.array(["a", "b"])}, "text_class is 2 in row 8; expected 0..1"),
    "names numbers": ({"class_names": np.ones(3)}, "class_names is float64"),
    "scale nan": ({"logit_scale": np.nan}, "logit_scale is float64"),
    "scale negative": ({"logit_scale": -4.0}, "logit_scale is -4"),
    "scale many": ({"logit_scale": np.ones(2)}, "expected one finite number"),
    "bias text": ({"logit_bias": np.array("x")}, "logit_bias is <U1"),
    "clusters short": ({"clusters": np.arange(5)}, "clusters is int64 of shape (5,)"),
    "clusters float": ({"clusters": np.full(60, np.nan)}, "clusters is float64"),
    "ids twice": ({"ids": np.zeros(60, int)}, "ids are not unique"),
    "image nan": ({"images": np.where(np.arange(60)[:, None] == 7, np.nan, np.ones((60, 8)))}, "row 7"),
    "prompt zero": ({"texts": np.zeros((12, 8))}, "texts: row 0 is zero"),
    "objects": ({"class_names": np.array(["a", "b", None], object)}, "holds Python objects"),
}


@pytest.mark.parametrize("name", BAD)
def test_misfits_are_one_line_and_exit_2(tmp_path: Path, name: str) -> None:
    change, message = BAD[name]
    given = {k: v for k, v in {**arrays(), **change}.items() if v is not None}
    code, out, line = run(save(tmp_path, **given), "--json")
    assert (code, out) == (2, "")
    assert message in line
    assert "embeddings.npz" in line


def test_files_that_are_no_archive(tmp_path: Path) -> None:
    code, _, line = run(tmp_path / "none.npz")
    assert code == 2
    assert "no such file" in line
    foreign = tmp_path / "table.npz"
    foreign.write_text("a,b\n1,2\n")
    assert run(foreign)[0] == 2
    foreign.write_bytes(b"")
    assert run(foreign)[0] == 2
    with (tmp_path / "single.npy").open("wb") as stream:
        np.save(stream, np.ones(3))
    assert run(tmp_path / "single.npy")[0] == 2
    assert run(tmp_path)[0] == 2


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_truncated_archive_is_damaged(tmp_path: Path, keep: float) -> None:
    file = save(tmp_path, **arrays())
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * keep)])
    code, out, line = run(file, "--json")
    assert (code, out) == (3, "")
    assert "embeddings.npz is damaged" in line


@pytest.mark.parametrize("compressed", [False, True])
def test_flipped_bytes_never_give_a_traceback_or_a_result(tmp_path: Path, compressed: bool) -> None:
    file = tmp_path / "embeddings.npz"
    (np.savez_compressed if compressed else np.savez)(file, **arrays())
    whole = bytearray(file.read_bytes())
    for at in range(200, len(whole) // 2, 97):
        damaged = whole.copy()
        damaged[at] ^= 0xFF
        file.write_bytes(damaged)
        code, _, line = run(file, "--json")
        if code:  # bytes of a zip that nobody reads (times, alignment) may change unseen
            assert code in (2, 3), line


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    """An object array whose unpickling would leave a trace."""
    trace = tmp_path / "trace"

    class Trap:
        def __reduce__(self):
            return (trace.write_text, ("loaded",))

    file = save(tmp_path, **{**arrays(), "ids": np.array([Trap()] * 60, object)})
    assert run(file)[0] == 2
    assert not trace.exists()


@pytest.mark.parametrize(("option", "known"), [("--ensemble", "dap"), ("--postprocess", "column-mean")])
def test_unknown_option_lists_the_known(tmp_path: Path, option: str, known: str) -> None:
    code, _, line = run(save(tmp_path, **arrays()), option, "mean")
    assert code == 2
    assert "'mean'" in line
    assert known in line


def test_suspicious_arrays_warn() -> None:
    given = arrays()
    log = check({**given, "logit_scale": np.float32(4.6052), "cluster": np.arange(60)})
    assert any("looks like a logarithm; its exponential is 100" in w for w in log.warnings)
    assert any("'cluster' is unknown" in w for w in log.warnings)
    assert not check(given).warnings


def test_heavy_libraries_are_not_imported(tmp_path: Path) -> None:
    file = save(tmp_path, **arrays(), clusters=np.arange(60) % 12)
    code = (
        "import sys; from pathlib import Path; from senbench.cli.score import score_file;"
        f"score_file(Path({str(file)!r}), 'norm-mean-norm', 'none');"
        "heavy = {'torch', 'sklearn', 'pandas', 'scipy.stats'} & set(sys.modules); print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_answers_and_counts_are_scored_and_kept(tmp_path, senbench):
    path = tmp_path / "p.csv"
    path.write_text("id,label,prediction\na,x,x\nb,y,x\nc,y,y\nd,x,x\n")
    (found,) = json.loads(senbench("score", path, "--json").out)
    assert found["metrics"]["top1"]["value"] == 0.75 and found["given"] == "predictions"
    assert found["metrics"]["top5"] | {"n": 0} == {
        "value": None,
        "ci": None,
        "n": 0,
        "interval": "none: predictions carry no scores",
    }
    words = (
        "score",
        path,
        "--model",
        "theirs",
        "--prompts",
        "a photo",
        "--dataset",
        "zoo",
        "--results",
        tmp_path / "r",
    )
    refused(senbench(*words), 2, "--source is missing")
    done = senbench(*words, "--source", "them", "--shots", 2)
    assert done.code == 0 and "recorded elsewhere (them)" in done.err
    (folder,) = (tmp_path / "r").iterdir()
    assert senbench("results", "validate", folder).code == 0
    assert "senbench score '<p.csv>' --model theirs" in senbench("results", "show", folder).out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,label,prediction\na,x,x\na,y,x\n", "ids are not unique"),
        ("id,label,prediction\na,0,0\nb,1,-1\n", "class index -1"),
        ("id,label,score_x,score_y\na,x,1,nan\n", "scores of row 0 are not finite"),
        ("id,label\na,x\n", "neither images, scores, predictions nor confusion"),
    ],
)
def test_recorded_outputs_that_do_not_fit_are_refused_in_one_line(tmp_path, senbench, text, says):
    (tmp_path / "p.csv").write_text(text)
    refused(senbench("score", tmp_path / "p.csv"), 2, says)


def as_table(given, path):
    """The arrays as a table, whose names of classes are those of the arrays."""
    rows = np.concatenate([given["texts"], given["images"]])
    names = [str(given["class_names"][k]) for k in (*given["text_class"], *given["labels"])]
    p = len(given["texts"])
    lines = [["label", "text", "logit_scale", *(f"embedding_{k}" for k in range(rows.shape[1]))]]
    lines += [
        [name, "a photo" if k < p else "", "20", *(repr(float(v)) for v in row)]
        for k, (name, row) in enumerate(zip(names, rows, strict=True))
    ]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return path


def test_a_table_of_embeddings_is_scored_as_the_npz(tmp_path, senbench):
    given = arrays()
    files = save(tmp_path, **given), as_table(given, tmp_path / "e.csv")
    one, other = (json.loads(senbench("score", file, "--json", "--shots", "1,2").out)[0] for file in files)
    assert one["metrics"] == other["metrics"] and one["few_shot"] == other["few_shot"]
    assert [f["shots"] for f in one["few_shot"]["figures"]] == [1, 2] * 4
    shown = senbench("score", files[1], "--shots", "1,2")
    assert "Labels per class, drawn from halves" in shown.out
    assert "labels per class that reach this zero-shot figure" in shown.out
    assert "few_shot" not in json.loads(senbench("score", files[1], "--json").out)[0]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--shots", "1,two"], "--shots '1,two': give whole numbers"),
        (["--shots", "0,1"], "--shots 0: give 1 to 1,000"),
        (["--shots", "1,64"], "--shots 64: half of the evaluated images has"),
        (["--anchors", "a.npz"], "--anchors a.npz: say how many labels per class"),
        (["--shots", "1", "--anchors", "nowhere.npz"], "no such file, and not named has no splits"),
    ],
)
def test_labels_that_cannot_be_drawn_are_one_line(tmp_path, senbench, words, says):
    refused(senbench("score", save(tmp_path, **arrays(), ids=np.arange(60)), *words), 2, says)
    refused(senbench("score", as_table(arrays(), tmp_path / "e.csv"), "--shots", "1,64"), 2, "half of the evaluated")
