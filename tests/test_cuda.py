"""What the stand-ins of the other tests cannot know: the same work on a GPU. Skipped where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import narrow
import numpy as np
import pytest
import stubs
import torch
from eurosat_files import jpegs, packed

from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions
from senbench.models import transfer
from senbench.models.load import load
from senbench.models.preprocess.device import fit_batch, fit_dn_batch

pytestmark = pytest.mark.gpu
GPU = torch.device("cuda")
ARCHITECTURES = ["narrow-vit", "narrow-rn"]
TILES = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
TEXTS = ["a river", "a satellite photo of a permanent crop between two rivers and a road"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("narrow")


def apart(got: np.ndarray, want: np.ndarray) -> float:
    """Largest difference of two arrays of unit rows."""
    return float(np.abs(got - want).max())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_float32_is_float32_and_tf32_is_not(folder, name):
    on_cpu, on_gpu = narrow.adapter(folder, name), narrow.adapter(folder, name, device="cuda")
    on_gpu.pixel_path = "exact"
    want = on_cpu.encode_images(TILES)
    assert apart(on_gpu.encode_images(TILES), want) < 2e-5
    assert apart(on_gpu.encode_texts(TEXTS), on_cpu.encode_texts(TEXTS)) < 2e-5
    fast = narrow.adapter(folder, name, "tf32", "cuda")
    fast.pixel_path = "exact"
    assert 2e-5 < apart(fast.encode_images(TILES), want) < 5e-3
    assert apart(on_gpu.encode_images(TILES), want) < 2e-5  # and is float32 again


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("dtype", "most"), [("bf16", 3e-3), ("fp16", 1e-4)])
def test_low_precision_keeps_the_direction(folder, name, dtype, most):
    want = narrow.adapter(folder, name)
    got = narrow.adapter(folder, name, dtype, "cuda")
    for rows, others in (
        (got.encode_images(TILES), want.encode_images(TILES)),
        (got.encode_texts(TEXTS), want.encode_texts(TEXTS)),
    ):
        assert rows.dtype == np.float32
        np.testing.assert_allclose((rows**2).sum(axis=1), 1, atol=1e-5)
        assert 0 < (1 - (rows * others).sum(axis=1)).max() < most


def test_a_resnet_is_laid_out_by_channel_and_a_vit_is_not(folder):
    resnet, vit = (narrow.adapter(folder, name, device="cuda") for name in ("narrow-rn", "narrow-vit"))
    assert (resnet.channels_last, vit.channels_last) == (True, False)
    assert resnet.model.visual.layer1[0].conv2.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("side", [64, 120, 224])
def test_the_gpu_resizes_as_the_cpu_does_and_so_as_pil_does(interpolation, side):
    how = load("mini", device="cpu").preprocess.model_copy(update={"resolution": 224, "interpolation": interpolation})
    tiles = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (4, side, side, 3), dtype=np.uint8))
    assert torch.equal(fit_batch(tiles.to(GPU), how).cpu(), fit_batch(tiles, how))
    numbers = tiles.to(torch.float32) * 30
    torch.testing.assert_close(fit_dn_batch(numbers.to(GPU), how).cpu(), fit_dn_batch(numbers, how), atol=0.1, rtol=0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_what_is_uploaded_arrives_however_many_batches_are_under_way(kind):
    draw = np.random.default_rng(2)
    batches = [draw.integers(0, 250, (64, 120, 120, 3)).astype(kind) for _ in range(6)]
    there = []
    for k in range(60):
        there.append((k % 6, transfer.upload(list(batches[k % 6]), GPU)))
        torch.randn(2000, 2000, device=GPU).matmul(torch.randn(2000, 2000, device=GPU))
        if len(there) > 4:
            which, tiles = there.pop(0)
            np.testing.assert_array_equal(transfer.download(tiles.to(torch.float32))(), batches[which])


def test_rows_of_overlapping_batches_are_those_of_one_after_the_other(folder):
    encoder = narrow.adapter(folder, device="cuda")
    assert encoder.overlaps
    assert encoder.path == "device"
    images = np.random.default_rng(3).integers(0, 256, (3000, 64, 64, 3), dtype=np.uint8)
    tiles = stubs.tiles(len(images), reader=lambda i: images[i], keys=lambda i: images[i].tobytes())
    got = embed_images(encoder, tiles, None, EmbedOptions(batch_size=50))
    want = np.concatenate([encoder.encode_prepared(list(images[i : i + 50])) for i in range(0, len(images), 50)])
    np.testing.assert_array_equal(got.rows, want)


def test_a_batch_that_does_not_fit_is_halved_until_it_does(folder):
    encoder = narrow.adapter(folder, device="cuda")
    images = np.random.default_rng(4).integers(0, 256, (4096, 64, 64, 3), dtype=np.uint8)
    tiles = stubs.tiles(len(images), reader=lambda i: images[i], keys=lambda i: images[i].tobytes())
    want = embed_images(encoder, tiles, None, EmbedOptions(batch_size=64)).rows
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(GPU).total_memory
    try:
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 400 * 2**20) / whole)
        got = embed_images(encoder, tiles, None, EmbedOptions(batch_size=4096))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert got.batch_size < 4096
    assert apart(got.rows, want) < 2e-5


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with EuroSAT's layout of 400 generated tiles."""
    found = tmp_path_factory.mktemp("place")
    packed(found / "EuroSAT.zip", jpegs(40))
    return found


RUN = ["run", "--model", "mini", "--prompts", "clip", "--dataset", "eurosat-rgb", "--data-dir", "EuroSAT.zip"]


def senbench(place, *words, start=("-m", "senbench")):
    env = {**os.environ, "SENBENCH_HOME": str(place / "home")}
    done = subprocess.run([sys.executable, *start, *words], cwd=place, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def result(folder):
    (file,) = folder.glob("*/result.json")
    return json.loads(file.read_text())


def test_a_run_on_the_gpu_gives_the_score_of_the_cpu(place):
    for device in ("cpu", "auto"):
        code, _, said = senbench(place, *RUN, "--device", device, "--results", device)
        assert code == 0, said
    on_cpu, on_gpu = result(place / "cpu"), result(place / "auto")
    assert on_gpu["environment"]["device_name"] == torch.cuda.get_device_name()
    assert on_gpu["timings"]["images_encoded"] == 400  # never the CPU's rows
    for name, metric in on_cpu["metrics"].items():
        assert on_gpu["metrics"][name]["value"] == pytest.approx(metric["value"], abs=0.006), name


def test_torchrun_gives_each_process_a_device_of_its_own(place):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
    script = ("-m", "senbench", *RUN)
    there = torch.cuda.device_count()
    code, _, said = senbench(place, *script, "--results", "many", start=(*torchrun, str(there + 1)))
    assert code == 1
    assert f"use --nproc-per-node {there}" in said
    code, _, said = senbench(
        place,
        *script,
        "--device",
        "cuda:0",
        "--results",
        "shared",
        start=(*torchrun, "2"),
    )
    assert code == 0, said
    assert result(place / "shared")["timings"]["processes"] == 2


def test_doctor_bench_and_noise_see_the_gpu(place):
    _, out, _ = senbench(place, "doctor")
    assert torch.cuda.get_device_name() in out
    code, out, said = senbench(
        place, "bench", "--model", "mini", "--dataset", "eurosat-rgb", "--data-dir", "EuroSAT.zip", "--repeats", "1"
    )
    assert code == 0, said
    assert "transfer" in out
    assert "on the device" in out
    code, out, said = senbench(place, *RUN, "--noise", "--noise-tiles", "64", "--results", "noise", "--no-cache")
    assert code == 0, said
    variants = {variant["name"] for variant in result(place / "noise")["noise"]["variants"]}
    assert {"exact resizing", "bf16", "fp16"} <= variants
