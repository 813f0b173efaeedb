"""`senbench run`: every mistake gets one clear line, the right exit code, no traceback, nothing half-written."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import zipfile

import hub_datasets
import numpy as np
import pytest
import tile_tables
import torchgeo_files
from outcomes import refused
from PIL import Image

from senbench.datasets.eurosat import multispectral
from senbench.datasets.open import prepare_dataset

KEYS = ("Field", "Lake", "Town")


def picture(seed: int, size: tuple[int, int] = (64, 64)) -> bytes:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "tiles"
    for k, key in enumerate(KEYS):
        (root / key).mkdir(parents=True)
        for i in range(4):
            (root / key / f"{key}_{i}.jpg").write_bytes(picture(10 * k + i))
    return root


@pytest.fixture
def eurosat(tmp_path):
    """A few tiles of two EuroSAT classes in the layout of the archive."""
    root = tmp_path / "eurosat"
    for key in ("Forest", "River"):
        (root / "2750" / key).mkdir(parents=True)
        for i in range(1, 4):
            (root / "2750" / key / f"{key}_{i}.jpg").write_bytes(picture(i))
    return root


@pytest.fixture
def run(senbench, tmp_path):
    def call(*words, model="mini", prompts="generic", results=None):
        out = tmp_path / "results" if results is None else results
        return senbench(
            *("run", "--model", model, "--prompts", prompts, "--results", out, "--offline", "--device", "cpu"), *words
        )

    return call


def nothing_written(tmp_path):
    results = tmp_path / "results"
    assert not results.exists() or not list(results.rglob("*"))


def test_a_good_run_for_comparison(run, folder, tmp_path):
    outcome = run("--dataset", f"folder:{folder}", "--json")
    assert outcome.code == 0, outcome.err
    (result,) = json.loads(outcome.out)
    assert result["metrics"]["top1"]["n"] == 12
    assert result["complete"]
    assert result["model"]["synthetic"]
    assert any("synthetic" in warning for warning in result["warnings"])


def test_unknown_names(run, folder, tmp_path):
    data = ("--dataset", f"folder:{folder}")
    refused(run(*data, model="mni"), 2, "unknown model 'mni'", "'mini'")
    refused(run(*data, prompts="gruond"), 2, "gruond", "ground")
    refused(run("--dataset", "eurosta"), 2, "eurosta", "eurosat")
    refused(run(*data, "--protocol", "senclip"), 2, "protocol 'senclip'", "senclip-release")
    refused(run(*data, "--ensemble", "mean"), 2, "--ensemble", "norm-mean-norm")
    refused(run(*data, "--dtype", "int8"), 2, "--dtype", "bf16")
    refused(run(*data, "--device", "gpu"), 2, "gpu", "cuda")
    refused(run(*data, "--on-error", "ignore"), 2, "--on-error", "skip")
    refused(run("--dataset", "eurosat-rgb", "--class-names", "openai", "--data-dir", folder.parent), 2, "senclip")
    nothing_written(tmp_path)


def test_unknown_class_names_and_split(run, eurosat):
    data = ("--dataset", "eurosat-rgb", "--data-dir", eurosat)
    refused(run(*data, "--class-names", "openai"), 2, "openai", "senclip")
    refused(run(*data, "--split", "tset"), 2, "tset")
    (eurosat / "names.txt").write_text("Forest_1.jpg\nForest_99.jpg\n")
    refused(run(*data, "--split", eurosat / "names.txt"), 2, "Forest_99")


@pytest.mark.parametrize(
    ("name", "text", "parts"),
    [
        ("open.j2", "{% for x in cls.ground %}a {{ x }}", ("open.j2",)),
        ("undefined.j2", "a {{ clas.name }}", ("undefined.j2", "clas")),
        ("sandbox.j2", "{{ ''.__class__.__mro__ }}", ("sandbox.j2",)),
        ("empty.j2", "\n\n", ("empty.j2", "no prompt")),
        ("broken.json", '{"Field": [', ("broken.json",)),
        ("missing.json", '{"Field": ["a"], "Lake": ["b"]}', ("missing.json", "Town")),
        ("unknown.json", '{"Field": ["a"], "Lake": ["b"], "Town": ["c"], "Sea": ["d"]}', ("unknown.json", "Sea")),
    ],
)
def test_prompt_files(run, folder, tmp_path, name, text, parts):
    (tmp_path / name).write_text(text)
    refused(run("--dataset", f"folder:{folder}", prompts=tmp_path / name), 2, *parts)
    nothing_written(tmp_path)


def test_cues_are_missing_for_a_users_folder(run, folder):
    refused(run("--dataset", f"folder:{folder}", prompts="ground"), 2, "ground", "--class-names")


def test_class_names_and_cues_of_a_users_folder(run, folder, tmp_path):
    yaml = tmp_path / "names.yaml"
    yaml.write_text("Field: ploughed field\nLake: mountain lake\nTown: old town\n")
    outcome = run("--dataset", f"folder:{folder}", "--class-names", yaml, "--json")
    assert outcome.code == 0, outcome.err
    (result,) = json.loads(outcome.out)
    assert [entry["name"] for entry in result["per_class"]] == ["ploughed field", "mountain lake", "old town"]
    yaml.write_text("Field: ploughed field\nLake: mountain lake\n")
    refused(run("--dataset", f"folder:{folder}", "--class-names", yaml), 2, "names.yaml", "Town")
    refused(run("--dataset", f"folder:{folder}", "--class-names", tmp_path / "no.yaml"), 2, "no.yaml")


def test_truncated_jpeg_stops_or_is_skipped(run, eurosat, tmp_path):
    bad = eurosat / "2750" / "River" / "River_2.jpg"
    bad.write_bytes(bad.read_bytes()[:300])
    data = ("--dataset", "eurosat-rgb", "--data-dir", eurosat)
    refused(run(*data), 3, "River_2", "--on-error skip")
    nothing_written(tmp_path)
    outcome = run(*data, "--on-error", "skip", "--json")
    assert outcome.code == 0, outcome.err
    (result,) = json.loads(outcome.out)
    assert not result["complete"]
    assert [entry["id"] for entry in result["dataset"]["skipped"]] == ["River_2"]


def test_wrong_sized_tile(run, eurosat, tmp_path):
    (eurosat / "2750" / "River" / "River_2.jpg").write_bytes(picture(1, (64, 63)))
    refused(run("--dataset", "eurosat-rgb", "--data-dir", eurosat), 3, "River_2", "63")
    nothing_written(tmp_path)


def test_empty_and_missing_folders(run, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(run("--dataset", "eurosat-rgb", "--data-dir", tmp_path / "empty"), 3, "empty", "EuroSAT.zip")
    refused(run("--dataset", "eurosat-rgb", "--data-dir", tmp_path / "nowhere"), 3, "nowhere")
    refused(run("--dataset", f"folder:{tmp_path / 'empty'}"), 2, "empty")
    refused(run("--dataset", "eurosat-rgb"), 3, "senbench datasets fetch eurosat-rgb")
    refused(run("--dataset", "eurosat"), 3, "senbench datasets fetch eurosat")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 truncated", b"not a zip at all" * 50])
def test_unreadable_zip(run, tmp_path, content):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "EuroSAT.zip").write_bytes(content)
    refused(run("--dataset", "eurosat-rgb", "--data-dir", tmp_path / "d"), 3, "EuroSAT.zip")


def test_foreign_zip(run, tmp_path):
    (tmp_path / "d").mkdir()
    with zipfile.ZipFile(tmp_path / "d" / "EuroSAT.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(run("--dataset", "eurosat-rgb", "--data-dir", tmp_path / "d"), 3, "EuroSAT.zip")


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x02}q\x00."])
def test_foreign_checkpoint(run, folder, tmp_path, content):
    (tmp_path / "w.pt").write_bytes(content)
    outcome = run("--dataset", f"folder:{folder}", "--weights", tmp_path / "w.pt", model="senclip")
    assert outcome.code in (2, 3)
    refused(outcome, outcome.code, "w.pt")
    nothing_written(tmp_path)


def test_minis_weights_under_another_card(run, folder):
    from senbench.models.checkpoints.fetch import SHIPPED

    outcome = run("--dataset", f"folder:{folder}", "--weights", SHIPPED / "mini.safetensors", model="senclip")
    refused(outcome, 2, "are those of mini", "--model mini")


def test_weights_for_two_models(run, folder, tmp_path):
    (tmp_path / "w.pt").touch()
    outcome = run("--dataset", f"folder:{folder}", "--weights", tmp_path / "w.pt", model="senclip,clip")
    refused(outcome, 2, "2 models")


def test_missing_weights_offline(run, folder):
    outcome = run("--dataset", f"folder:{folder}", model="senclip")
    refused(outcome, 3, "SenCLIP_AvgPool_ViTB32.ckpt", "--weights")


def test_results_folder_that_cannot_be_written(run, folder, tmp_path):
    (tmp_path / "file").touch()
    refused(run("--dataset", f"folder:{folder}", results=tmp_path / "file" / "r"), 3, "--results")


def test_prompts_are_required_unless_the_protocol_has_some(senbench):
    refused(senbench("run", "--model", "mini"), 2, "--prompts", "senbench prompts list")


def test_offline_opens_no_socket(run, monkeypatch):
    import socket

    def forbidden(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    refused(run("--dataset", "eurosat", model="senclip", prompts="ground"), 3, "senbench datasets fetch eurosat")


def test_options_that_mean_nothing_alone(run, folder):
    refused(run("--dataset", f"folder:{folder}", results=""), 2, "--results is empty")
    refused(run("--dataset", f"folder:{folder}", "--noise-tiles", "5"), 2, "--noise-tiles 5 is for --noise")
    refused(run("--dataset", f"folder:{folder}", "--tf32", "--dtype", "bf16"), 2, "leave it out, or --dtype bf16")
    refused(run("--dataset", "folder:"), 2, "'folder:' lacks what follows the colon")


def test_a_checkpoint_of_a_users_own_is_never_to_be_deleted(run, tmp_path, monkeypatch):
    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 1)
    (tmp_path / "mine.safetensors").write_bytes(b"weights")
    outcome = run("--dataset", "demo", "--weights", tmp_path / "mine.safetensors")
    refused(outcome, 2, "give a checkpoint of yours a card of its own (`senbench models new`), or use it anyway")
    assert "delete" not in outcome.err


def test_the_first_tile_that_could_not_be_decoded_is_told(run, folder):
    for tile in folder.rglob("*.jpg"):
        tile.write_bytes(b"\xff\xd8")
    outcome = run("--dataset", f"folder:{folder}", "--on-error", "skip")
    refused(outcome, 3, "not one tile could be decoded; the first: tile Field/Field_0.jpg")


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ((), {"dtype": "float32", "noise": None, "cache": True, "results": "results", "prompts": ("ground",)}),
        (("--tf32", "--no-cache", "--noise"), {"dtype": "tf32", "noise": 512, "cache": False}),
        (("--noise", "--noise-tiles", 7, "--results", "x", "--seed", 3), {"noise": 7, "results": "x", "seed": 3}),
        (("--dataset", "demo, eurosat,demo", "--exact"), {"datasets": ("demo", "eurosat"), "exact": True}),
    ],
)
def test_what_is_asked_for_is_what_runs(senbench, monkeypatch, words, fields):
    from senbench.evaluation import grid

    seen = []
    monkeypatch.setattr(grid, "run_crossed", lambda spec, *_: seen.append(spec) or grid.Grid([], []))
    done = senbench("run", "--model", "mini", "--prompts", "ground", *words)
    assert done.code == 0, done.err
    assert {name: getattr(seen[0], name) for name in fields} == fields


def test_a_protocol_may_bring_its_prompts(senbench, monkeypatch):
    from senbench import protocols
    from senbench.evaluation import grid

    seen = []
    monkeypatch.setattr(grid, "run_crossed", lambda spec, *_: seen.append(spec) or grid.Grid([], []))
    (protocol,) = (name for name in ("senclip-release", "clip-benchmark") if protocols.find(name).prompts)
    assert senbench("run", "--model", "mini", "--protocol", protocol).code == 0
    assert seen[0].prompts == (protocols.find(protocol).prompts,)


def test_people_get_tables_and_the_place_of_the_results(mini_run):
    for mark in ("incomplete, not ranked", "synthetic scenes only: ", "synthetic tiles: "):
        assert mini_run.out.count(mark) == 1
    assert sum("demo test" in line and line.endswith("  1-5   ") for line in mini_run.out.splitlines()) == 2
    assert "synthetic tiles: this figure says nothing about real Sentinel-2 data" in mini_run.out
    assert f"2 results in {mini_run.results}/" in mini_run.err
    assert len(list(mini_run.results.glob("mini_*/result.json"))) == 2


STOPPED = """
import sys, time
import senbench.evaluation.grid
from senbench.cli.main import program
def embedding(*_):
    try:
        print("began", flush=True)
        time.sleep(60)
    finally:
        print("kept")
senbench.evaluation.grid.run_crossed = embedding
sys.argv[1:] = ["run", "--model", "mini", "--prompts", "clip", "--dataset", "demo"]
program()
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "torchrun or Slurm"])
def test_a_run_that_is_stopped_keeps_what_it_has_and_says_so(sent):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", STOPPED], **pipes) as child:
        assert child.stdout.readline() == "began\n"
        child.send_signal(sent)
        out, err = child.communicate(timeout=60)
    line = "senbench: interrupted; the same command continues with what was embedded\n"
    assert (child.returncode, out, err) == (128 + sent, "kept\n", line)


def test_ties_are_counted_and_told(run, folder, tmp_path):
    """The best prompt of each class counts, and each prompt is of two classes."""
    prompts = tmp_path / "mine.json"
    prompts.write_text(
        json.dumps({"Field": ["a lake", "woods"], "Lake": ["a lake", "a road"], "Town": ["woods", "a road"]})
    )
    words = ("--dataset", f"folder:{folder}", "--ensemble", "max", "--accept-pixels")
    code, out, err = run(*words, "--json", prompts=prompts)
    assert code == 0, err
    (result,) = json.loads(out)
    assert result["ties"] == 12
    said = "12 tiles (100.0 %) have a tie for the best score, broken by class order"
    shown = run(*words, prompts=prompts)
    assert said in " ".join((shown[1] + shown[2]).split())


def test_a_table_runs_with_clusters_and_the_columns_that_were_named(run, tmp_path, monkeypatch):
    table = [{"file": r["path"], "kind": r["label"], "lat": r["lat"], "lon": r["lon"]} for r in tile_tables.rows(12)]
    tile_tables.tiles_of(tmp_path / "my, tiles", tile_tables.rows(12))
    where = tile_tables.write(tmp_path / "my, tiles" / "t.csv", table)
    refused(run("--dataset", f"table:{where}"), 2, "no column 'path'; it has file, kind", "--image-column")
    refused(run("--dataset", "demo", "--image-column", "x"), 2, "--image-column x: dataset demo has no columns")
    refused(run("--dataset", f"table:{where}", "--image-column", "file", "--split", "test"), 2, "no column 'label'")
    monkeypatch.chdir(tmp_path)
    done = run(
        *(
            "--dataset",
            f"table:{where}",
            "--image-column",
            "file",
            "--label-column",
            "kind",
            "--accept-pixels",
            "--json",
        )
    )
    assert done.code == 0, done.err
    (result,) = json.loads(done.out)
    assert result["dataset"]["id"] == "table:t.csv?label=kind" and result["dataset"]["n_evaluated"] == 12
    assert result["spec"]["datasets"] == ["table:t.csv?image=file&label=kind"]
    assert result["contamination"] == "unknown"
    assert str(tmp_path) not in done.out
    assert result["metrics"]["top1"]["interval"] != "iid"


def test_another_prompt_set_opens_no_image(run, tmp_path, hub, monkeypatch):
    """Of a table, a class of TorchGeo and a dataset of the hub: files are hashed, and nothing is decoded again."""
    from senbench.datasets.readers import image

    tile_tables.whole(tmp_path / "own", n=12)
    torchgeo_files.LAYOUTS["PatternNet"](tmp_path / "geo")
    hub_datasets.host(hub, "me/set", hub_datasets.SHAPES["class-label"]())
    prepare_dataset("hf:me/set")
    names = {
        f"table:{tmp_path}/own/tiles.csv": (),
        "torchgeo:PatternNet": ("--data-dir", tmp_path / "geo"),
        "hf:me/set": (),
    }
    how = ("--accept-pixels", "--json")
    first = {name: run("--dataset", name, *words, *how) for name, words in names.items()}

    def opened(*args, **words):
        raise AssertionError("an image was opened")

    monkeypatch.setattr(image, "picture", opened)
    for name, words in names.items():
        assert first[name].code == 0, first[name].err
        done = run("--dataset", name, *words, *how, prompts="names")
        assert done.code == 0, done.err
        (before,), (after,) = json.loads(first[name].out), json.loads(done.out)
        assert after["dataset"]["content_hash"] == before["dataset"]["content_hash"]
        assert after["prompts"]["hash"] != before["prompts"]["hash"]
    (result,) = json.loads(first["hf:me/set"].out)
    assert result["spec"]["datasets"] == [f"hf:me/set@{'f' * 40}"] and result["contamination"] == "unknown"


def test_a_text_with_braces_is_one_template_and_the_option_repeats(run, senbench, folder, tmp_path):
    first, second = "a satellite photo of {}, seen from above", "ground photo / {}"
    done = run("--dataset", f"folder:{folder}", "--prompts", second, "--accept-pixels", "--json", prompts=first)
    assert done.code == 0, done.err
    one, two = json.loads(done.out)
    assert [r["prompts"]["id"] for r in (one, two)] == [first, second] == one["spec"]["prompts"]
    assert one["prompts"]["texts"]["Lake"] == ["a satellite photo of Lake, seen from above"]
    shown = senbench("results", "show", one["run_id"], "--results", tmp_path / "results")
    assert f"--prompts '{first}'" in shown.out
    assert senbench("results", "validate", tmp_path / "results" / one["run_id"]).code == 0
    refused(run("--dataset", f"folder:{folder}", prompts="a photo of {} and {x}"), 2, "a brace other than {}")
    refused(run("--dataset", f"folder:{folder}", prompts="a photo of"), 2, "a template has {} where the class name")


def test_trial_runs_have_a_folder_of_their_own_unless_one_is_named(senbench, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = ("run", "--model", "mini", "--dataset", f"folder:{folder}", "--accept-pixels", "--offline", "--device", "cpu")
    done = senbench(*how, "--prompts", "generic", "--prompts", "{}", "--limit", 6)
    assert done.code == 0 and "2 results in trials/" in done.err and not (tmp_path / "results").exists()
    one, two = (json.loads(path.read_text()) for path in tmp_path.glob("trials/*/result.json"))
    assert one["dataset"]["index_hash"] == two["dataset"]["index_hash"]  # styles are compared on the same subset
    assert senbench("results", "show", "latest", "--results", "trials").code == 0
    assert "1 result in results/" in senbench(*how, "--prompts", "{}").err
    assert "in mine/" in senbench(*how, "--prompts", "{}", "--limit", 6, "--results", "mine").err
