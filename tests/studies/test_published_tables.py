"""Published tables and attribution from end to end: narrow checkpoints of every released layout, generated tiles."""

from __future__ import annotations

import json

import bigearthnet_files
import checkpoints
import eurosat_files
import narrow
import numpy as np
import open_clip
import pytest
import senclip_files
import torch
import torchgeo.datasets
from PIL import Image
from typer.testing import CliRunner

import senbench
from senbench.cli.main import application
from senbench.datasets import catalog
from senbench.datasets import open as registry
from senbench.datasets.eurosat import splits
from senbench.io.download import digest
from senbench.prompts import senclip_release
from senbench.studies import published_tables, rescoring
from senbench.studies.configuration import IMAGES, SCORING
from senbench.studies.explain_difference import explain

pytestmark = pytest.mark.slow

N, DRAWN, BATCH = 70, 66, 32
PER_CLASS = 4
"""EuroSAT tiles of each class; half of them are the test split."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """EuroSAT's JPEGs, its GeoTIFFs with the split lists, and BigEarthNet v1, as their archives lie unpacked."""
    root = tmp_path_factory.mktemp("data")
    eurosat_files.unpack(root / "2750", eurosat_files.jpegs(PER_CLASS))
    eurosat_files.unpack(root / eurosat_files.BASE, eurosat_files.tiffs(PER_CLASS))
    for part, numbers in (("train", (1,)), ("val", (2,)), ("test", (3, 4))):
        names = (f"{key}_{n}.jpg\n" for key in catalog.EUROSAT for n in numbers)
        (root / f"eurosat-{part}.txt").write_text("".join(names))
    bigearthnet_files.v1(root, N)
    return root


@pytest.fixture
def released(data, isolated_home, monkeypatch):
    """The prompt files have the release's layout; datasets are as large as what was generated, and so is the draw."""
    senclip_files.write(senclip_release.folder())
    senclip_files.pin(monkeypatch)
    sizes = {
        "eurosat-rgb": {"all": 10 * PER_CLASS, "random-test": 20},
        "eurosat": {"test": 20},
    }
    for name, found in sizes.items():
        module, info = catalog.BUILTIN[name]
        change = {"splits": {**info.splits, **found}}
        monkeypatch.setitem(catalog.BUILTIN, name, (module, info.model_copy(update=change)))
    md5 = {part: digest(data / f"eurosat-{part}.txt", "md5") for part in ("train", "val", "test")}
    for part, found in md5.items():
        monkeypatch.setitem(splits.LISTS, f"random-{part}", splits.SplitList(f"eurosat-{part}.txt", found, 20))
    bigearthnet_files.release_draws(monkeypatch, data, drawn=DRAWN, batch=BATCH)
    monkeypatch.chdir(isolated_home)
    return isolated_home


@pytest.fixture
def reproduce(released, data, monkeypatch):
    """Calls `senbench reproduce NAME --json`."""

    def call(name, *options):
        narrow.release(
            monkeypatch, [model for cell in published_tables.select(name) for model in (cell.model, *also(cell))]
        )
        words = ["reproduce", name, "--json", "--data-dir", data, "--device", "cpu", *options]
        done = CliRunner().invoke(application(), [*map(str, words)])
        assert done.exit_code == 0, done.exception
        return json.loads(done.stdout)

    return call


def also(cell):
    return [first for first, second in cell.recipe.also.items() if second == cell.model]


@pytest.mark.parametrize(
    ("name", "metrics"),
    [  # between them every model, layout, dataset and kind of prompts of the table
        ("senclip-table1:bigearthnet/vit-b-32/generic", ["r_precision_micro", "map_macro"]),
        ("senclip-table1:bigearthnet/rn50/aerial/avgpool", ["r_precision_micro", "map_macro"]),
        ("senclip-table1:eurosat/rn50/generic", ["top1"]),
        ("senclip-table1:eurosat/rn50/aerial/attpool", ["top1"]),
        ("senclip-table1:eurosat/vit-b-32/ground/skyclip50", ["top1"]),
    ],
)
def test_cells_of_table_1(reproduce, released, name, metrics):
    said, cells = reproduce(name), published_tables.select(name)
    assert [line["cell"] for line in said["lines"]] == [cell.name for cell in cells for _ in metrics]
    assert [line["metric"] for line in said["lines"]] == metrics * len(cells)
    assert not said["missing"]
    of = {path.parent.name: json.loads(path.read_text()) for path in (released / "results").glob("*/result.json")}
    for line, cell in zip(said["lines"], [cell for cell in cells for _ in metrics], strict=True):
        assert line["published"] == pytest.approx(float(cell.rows[0]["value"]) / 100)
        assert line["difference"] is line["inside"] is None
        assert any(reason.startswith("protocol: the paper") for reason in line["unlike"])
        assert not any("not as published" in reason or "incomplete" in reason for reason in line["unlike"])
        result = of[line["run_id"]]
        assert result["metrics"][line["metric"]]["value"] == line["measured"]
        how, seen = result["resolved"], result["dataset"]
        assert how["preprocess"]["mean"] == [0.347, 0.376, 0.296]
        assert how["preprocess"]["std"] == [0.269, 0.261, 0.276]
        assert (how["preprocess"]["resize_mode"], how["preprocess"]["interpolation"]) == ("squash", "bicubic")
        assert (how["ensemble"], how["overrides"]) == ("norm-mean-norm", [])
        if seen["id"] == "bigearthnet-v1":
            assert (seen["n_evaluated"], seen["band_order"], seen["radiometry"]) == (
                DRAWN // BATCH * BATCH,
                "B02,B03,B04",
                "minmax-per-image",
            )
            assert (how["postprocess"], how["headline"], result["access_level"]) == ("none", "r_precision_micro", 0)
            assert result["prompts"]["n"] == {"generic": 19, "aerial": 400}[cell.prompts]
        else:
            assert (seen["n_evaluated"], seen["split"], seen["radiometry"]) == (40, "all", "native-jpeg")
            assert (how["postprocess"], how["headline"], result["access_level"]) == ("column-mean", "top1", 2)
            assert result["prompts"]["n"] == {"generic": 10, "aerial": 460, "ground": 510}[cell.prompts]
            if cell.prompts == "generic":
                texts = result["prompts"]["texts"]
                assert texts["SeaLake"] == ["centered satellite photo of Sea or Lake"]
                assert texts["AnnualCrop"] == ["centered satellite photo of Annual Crop Land"]


def test_bigearthnet_equals_the_steps_of_the_release(reproduce, released, data):
    """TorchGeo's reader, torch's draw, OpenAI's model: nothing of senbench, but that stretched values are rounded."""
    from torch.utils.data import DataLoader, random_split
    from torchvision import transforms as T

    said = reproduce("senclip-table1:bigearthnet/vit-b-32/ground/avgpool")
    arguments = checkpoints.openai_arguments(open_clip.get_model_config("ViT-B-32-quickgelu"))
    model = checkpoints.reference(narrow.state(arguments))
    dataset = torchgeo.datasets.BigEarthNet(str(data), split="test", bands="s2", num_classes=19)
    torch.manual_seed(42)
    drawn, _ = random_split(dataset, [DRAWN, N - DRAWN])
    squash = T.Resize((224, 224), interpolation=T.InterpolationMode.BICUBIC)
    pixels = T.Compose([squash, T.ToTensor(), T.Normalize((0.347, 0.376, 0.296), (0.269, 0.261, 0.276))])

    def picture(image, bands):
        image = image[bands].numpy().astype(np.float64)
        stretched = (image - image.min()) * 255 / (image.max() - image.min())
        return pixels(Image.fromarray(np.floor(stretched + 0.5).astype(np.uint8).transpose(1, 2, 0)))

    sentences = senclip_files.sentences("prompt_ben_ground_mixed.json")
    names = {name.lower(): name for name in sentences}
    import clip

    with torch.no_grad():
        columns = []
        for name in dataset.class_sets[19]:
            features = model.encode_text(clip.tokenize(list(sentences[names[name.lower()]])))
            mean = (features / features.norm(dim=-1, keepdim=True)).mean(dim=0)
            columns.append(mean / mean.norm())
        found = {}
        for bands in ([1, 2, 3], [3, 2, 1]):
            hits = k = 0
            rows = []
            for batch in DataLoader(drawn, batch_size=BATCH, drop_last=True):
                features = model.encode_image(torch.stack([picture(image, bands) for image in batch["image"]]))
                features = features / features.norm(dim=-1, keepdim=True)
                logits = features @ torch.stack(columns).T / 2 + 1
                for row, truth in zip(logits, batch["label"], strict=True):
                    hits += int(truth[row.topk(int(truth.sum())).indices].sum())
                    k += int(truth.sum())
                rows.append(logits)
            found[bands[0]] = hits / k, torch.cat(rows).numpy()
    line = next(line for line in said["lines"] if line["metric"] == "r_precision_micro")
    assert line["measured"] == pytest.approx(found[1][0])
    from pyarrow import parquet

    table = parquet.read_table(released / "results" / line["run_id"] / "predictions.parquet").to_pydict()
    positions = drawn.indices[: DRAWN // BATCH * BATCH]
    ids = [dataset.folders[i]["s2"].rpartition("/")[2] for i in positions]
    at = [table["id"].index(name) for name in ids]
    keys = registry.dataset_info("bigearthnet-v1").classes
    scores = np.array([table[f"score_{key}"] for key in keys]).T[at]
    np.testing.assert_allclose(scores, 2 * (found[1][1] - 1), atol=1e-5)
    # the quirk matters: red, green, blue in their places give other scores, so that equality proves something
    assert np.abs(found[1][1] - found[3][1]).max() > 1e-4


def attributed(said, cell, metric):
    (m,) = (m for m in said["explained"][cell]["metrics"] if m["metric"] == metric)
    return m, {e["switch"]: e for e in m["effects"]}


def test_bigearthnet_from_the_release_to_standard(reproduce):
    cell = "senclip-table1:bigearthnet/vit-b-32/generic/clip"
    said = reproduce(cell, "--explain")
    assert {m["metric"] for m in said["explained"][cell]["metrics"]} == {"r_precision_micro", "map_macro"}
    assert any("no difference in points" in note for note in said["explained"][cell]["notes"])
    for line in said["lines"]:
        m, named = attributed(said, cell, line["metric"])
        assert m["base"] == "both"
        assert m["first"] == pytest.approx(line["measured"])
        images = ("split", "image source", "band order", "mean/std")
        block = f"images ({', '.join(images)})"
        assert set(named) == {"prompts", block, *images}
        parts = [named[name]["shapley"]["value"] for name in ("prompts", block)]
        assert sum(parts) == pytest.approx(m["total"]["value"], abs=1e-12)
        assert m["total"]["value"] == pytest.approx(m["second"] - m["first"], abs=1e-12)
        for name in images:
            assert named[name]["needs"] is None
            assert named[name]["shapley"] is None
            for end in ("first", "second"):
                assert named[name][end]["value"] is not None
        kinds = {name: named[name]["first"]["interval"].split("-")[0] for name in images}
        assert kinds == {"split": "unpaired", "image source": "paired", "band order": "paired", "mean/std": "paired"}
        assert named["band order"]["first"]["error"] > 0
    same = {"model and activation", "precision", "class names", "ensembling", "post-processing"}
    assert set(said["explained"][cell]["same"]) == same


def test_remoteclip_is_read_with_both_activations(reproduce):
    cells = [f"remoteclip-eurosat:remoteclip-vit-b-32{suffix}" for suffix in ("", "-gelu")]
    for cell in cells:
        said = reproduce(cell, "--explain")
        (line,) = said["lines"]
        assert line["published"] == pytest.approx(0.3596)
        assert line["difference"] is None
        m, named = attributed(said, cell, "top1")
        assert m["first"] == pytest.approx(line["measured"])
        block = next(e for name, e in named.items() if name.startswith("images ("))
        parts = [e["shapley"]["value"] for e in named.values() if e["shapley"] is not None]
        assert sum(parts) == pytest.approx(m["second"] - m["first"], abs=1e-12)
        assert block["shapley"] is not None
        assert ("activation" in named) == cell.endswith("-gelu")


def test_a_difference_to_clip_benchmark(reproduce, data):
    cell = "clip-eurosat:clip-vit-b-32"
    for options, shown in (((), False), (("--split", data / "eurosat-test.txt"), True)):
        said = reproduce(cell, *options)
        assert [line["metric"] for line in said["lines"]] == ["top1", "balanced_accuracy"]
        reasons = [reason for line in said["lines"] for reason in line["unlike"]]
        assert any(reason.startswith("split: VTAB") for reason in reasons) is not shown
        assert any("5,400 published, 20 here" in reason for reason in reasons)


SWITCHES = {  # switch -> model, dataset and options of both ends
    "split": [
        ("clip-vit-b-32", "eurosat-rgb", {"split": "all"}),
        ("clip-vit-b-32", "eurosat-rgb", {"split": "random-test"}),
    ],
    "image source": [("clip-vit-b-32", "eurosat-rgb", {"split": "random-test"}), ("clip-vit-b-32", "eurosat", {})],
    "activation": [("remoteclip-vit-b-32", "eurosat-rgb", {}), ("remoteclip-vit-b-32-gelu", "eurosat-rgb", {})],
    "mean/std": [
        ("clip-vit-b-32", "eurosat-rgb", {"class_names": "senclip", "exact": True}),
        ("clip-vit-b-32", "eurosat-rgb", {"protocol": "senclip-release", "postprocess": "none", "kernels": "torch"}),
    ],
    "precision": [("clip-vit-b-32", "eurosat-rgb", {}), ("clip-vit-b-32", "eurosat-rgb", {"dtype": "bf16"})],
    "class names": [("clip-vit-b-32", "eurosat-rgb", {}), ("clip-vit-b-32", "eurosat-rgb", {"class_names": "clip"})],
    "prompts": [("clip-vit-b-32", "eurosat-rgb", {}), ("clip-vit-b-32", "eurosat-rgb", {"prompts": "clip"})],
    "ensembling": [("clip-vit-b-32", "eurosat-rgb", {}), ("clip-vit-b-32", "eurosat-rgb", {"ensemble": "logit-mean"})],
    "post-processing": [
        ("clip-vit-b-32", "eurosat-rgb", {}),
        ("clip-vit-b-32", "eurosat-rgb", {"postprocess": "column-mean"}),
    ],
    # the generated files hold the same tensors in other containers: another model that changes nothing
    "model": [("clip-vit-b-32", "eurosat-rgb", {}), ("remoteclip-vit-b-32", "eurosat-rgb", {})],
}


def test_each_switch_by_itself_is_the_whole_difference(released, data, monkeypatch):
    ends = [end for pair in SWITCHES.values() for end in pair]
    narrow.release(monkeypatch, {model for model, _, _ in ends})
    known = {}

    def run(model, dataset, options):
        key = (model, dataset, *sorted(options.items()))
        if key not in known:
            common = {"data_dir": str(data), "device": "cpu", "offline": True, "results": "."}
            style = options.get("prompts", "generic")
            rest = {name: value for name, value in options.items() if name != "prompts"}
            known[key] = senbench.evaluate(model, dataset, style, **common, **rest)
        return known[key]

    every = {s.name for s in (*IMAGES, *SCORING)}
    moved, scored = {}, []
    inner = rescoring.figure

    def spy(metric, scores, sample, *, postprocess, **rest):
        scored.append((scores, postprocess))
        return inner(metric, scores, sample, postprocess=postprocess, **rest)

    monkeypatch.setattr(rescoring, "figure", spy)
    for switch, pair in SWITCHES.items():
        a, b = (run(*end) for end in pair)
        scored.clear()
        found = explain(released / a.run_id, released / b.run_id, device="cpu")
        (m,) = found.metrics
        assert [e.switch for e in m.effects] == [switch]
        own = "model and activation" if switch in ("activation", "model") else switch
        assert set(found.same) == every - {own}, switch
        assert found.needs == ()
        assert (m.first, m.second) == pytest.approx((a.metrics["top1"].value, b.metrics["top1"].value))
        (effect,) = m.effects
        for delta in (effect.first, effect.second, effect.shapley, m.total):
            assert delta.value == pytest.approx(m.second - m.first, abs=1e-12)
        moved[switch] = effect.shapley
        (first, divided), (second, other) = scored
        # the images, the texts or the steps did change, also where no prediction did
        assert np.array_equal(first, second) is (switch in ("model", "post-processing")), switch
        assert (divided != other) is (switch == "post-processing")
    assert moved["model"].value == moved["model"].error == 0
    assert moved["split"].interval.startswith("unpaired")
    assert all(moved[name].error > 0 for name in ("split", "image source", "prompts", "ensembling", "post-processing"))
