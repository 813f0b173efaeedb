from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import aligning
import numpy as np
import pytest
import torch
from places import ROOT

import senbench
from senbench.align import recipe as recipes
from senbench.align.run_folder import RunFolder
from senbench.align.train import Surroundings, train
from senbench.align.zero_shot_probe import Probe
from senbench.errors import UsageError
from senbench.models.registry import find

BASES = ["mini", "vit"]


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return find(str(aligning.vit_card(tmp_path_factory.mktemp("vit"))))


@pytest.fixture
def base(request, vit):
    return (vit, 64) if request.param == "vit" else (find("mini"), 128)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Lines:
    """Progress that keeps its lines."""

    def __init__(self):
        self.said = []

    def say(self, line):
        self.said.append(line)

    def stage(self, title, total):
        from senbench.runtime.progress import Silent

        return Silent().stage(title, total)


def test_it_learns_to_tell_places_apart_and_measures_after_each_epoch(tmp_path):
    lines = Lines()
    changes = aligning.settings(epochs=4, learning_rate=1e-3)
    done = train(aligning.pairs(160), "mini", tmp_path / "run", surroundings=Surroundings(progress=lines), **changes)
    losses = [epoch["mean_loss"] for epoch in done.folder.epochs]
    assert losses[-1] < 0.8 * losses[0]
    last = done.folder.epochs[-1]["retrieval"]
    assert last["n"] == 32
    assert last["tile_to_ground"]["5"] > 2 * last["chance"]["5"]
    assert [epoch["step"] for epoch in done.folder.epochs] == [16, 32, 48, 64]
    assert lines.said[0].startswith("128 tiles to train on, 32 held out; ")
    assert "64 steps of 8 tiles, about " in lines.said[0]
    assert "R@1 of 32 held-out tiles" in lines.said[1]


def test_shuffled_pairs_raise_nothing(tmp_path):
    """The control: what photos belong to which tile is what is learned."""
    data = aligning.pairs(200)
    shuffled = replace(
        data,
        photo_rows=np.random.default_rng(1).permutation(data.photo_rows[:-1]),
        **{
            "ids": data.ids[:-1],
            "tiles": data.tiles[:-1],
            "latitude": data.latitude[:-1],
            "longitude": data.longitude[:-1],
        },
    )
    changes = aligning.settings(epochs=3, learning_rate=1e-3)
    right = train(data, "mini", tmp_path / "right", **changes).folder.epochs[-1]["retrieval"]
    wrong = train(shuffled, "mini", tmp_path / "wrong", **changes).folder.epochs[-1]["retrieval"]
    sigma = np.sqrt(wrong["chance"]["5"] * (1 - wrong["chance"]["5"]) / wrong["n"])
    for way in ("tile_to_ground", "ground_to_tile"):
        assert abs(wrong[way]["5"] - wrong["chance"]["5"]) < 3 * sigma
        assert right[way]["5"] - right["chance"]["5"] > 3 * sigma


@pytest.mark.parametrize("base", BASES, indirect=True)
@pytest.mark.parametrize("recipe", list(recipes.RECIPES))
def test_every_recipe_trains_its_part_and_nothing_else(base, recipe, tmp_path):
    from senbench.models import load

    card, dim = base
    changes = aligning.settings(epochs=1, hold_out="none", pool="att-image")
    done = train(aligning.pairs(24, dim=dim), card, tmp_path / "run", recipe, **changes)
    before = load.load(card, device="cpu").model.state_dict()
    after = done.adapter.model.state_dict()
    moved = {name for name, value in after.items() if not torch.equal(value, before[name])}
    told = done.folder.settings()["settings"]["trained"]
    assert moved
    assert all(any(name.startswith(prefix) for prefix in told) for name in moved)
    assert all(name.startswith("visual.") for name in moved)
    statistics = [name for name in moved if "running" in name]
    assert bool(statistics) is (recipe != "senbench" and card.id == "mini")


def test_the_same_again_is_the_same_to_the_last_bit_and_another_seed_is_not(tmp_path):
    data = aligning.pairs(40)
    one, same, other = (
        train(data, "mini", tmp_path / str(k), **aligning.settings(seed=seed)).state_sha256
        for k, seed in enumerate((0, 0, 1))
    )
    assert one == same != other


def test_a_run_that_is_done_is_not_run_again(tmp_path):
    data, lines = aligning.pairs(40), Lines()
    first = train(data, "mini", tmp_path / "run", **aligning.settings())
    again = train(data, "mini", tmp_path / "run", surroundings=Surroundings(progress=lines), **aligning.settings())
    assert again.state_sha256 == first.state_sha256
    assert again.folder.steps == first.folder.steps
    assert "goes on after step 8 of 8" in lines.said[0]


def test_it_records_all_that_decides_it(tmp_path):
    data = replace(aligning.pairs(40), facts={"pairs": "pairs.csv"})
    done = train(data, "mini", tmp_path / "run", **aligning.settings())
    told = json.loads((tmp_path / "run" / "align.json").read_text())
    assert told["state_sha256"] == done.state_sha256
    assert told["settings"]["recipe"] == recipes.named(
        "senbench", convolutional=True, **aligning.settings()
    ).model_dump(mode="json")
    assert told["settings"]["base"]["weights_sha256"] == find("mini").weights.sha256
    assert told["settings"]["data"]["pairs"] == "pairs.csv"
    assert set(told["settings"]["data"]["sha256"]) == {"tiles", "photos", "pairs"}
    assert told["settings"]["tiles"] == {"train": 32, "held_out": 8, "left_out_near_held_out": 0}
    assert {"device", "threads", "versions", "code_sha256"} == set(told["computed_with"][0])


def test_the_head_is_measured_beside_the_tower_and_the_probe_is_run(tmp_path):
    where = Surroundings(probe=Probe("demo", "ground", limit=20))
    changes = aligning.settings(epochs=1, head=True)
    (epoch,) = train(aligning.pairs(40), "mini", tmp_path / "run", surroundings=where, **changes).folder.epochs
    assert epoch["retrieval"]["behind_head"]["n"] == 8
    assert epoch["zero_shot"]["n"] == 20


def test_what_comes_out_encodes_and_is_not_taken_for_the_base(tmp_path):
    done = train(aligning.pairs(40), "mini", tmp_path / "run", **aligning.settings())
    result = senbench.evaluate(done.adapter, "demo", "ground", limit=20)
    assert result.model.weights_sha256 is None
    assert not any(p.requires_grad for p in done.adapter.model.parameters())


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("mini", {"batch": 12}, "does not divide the queue"),
        ("mini", {"train": ("last-block",)}, "ResNet"),
        ("mini", {"batch": 64, "queue": 64}, "fewer than a batch of 64"),
        ("senclip-rn50-avgpool", {}, "128 dimensions, those of senclip-rn50-avgpool have 1024"),
        ("llama3-ms-clip", {}, "512"),
        ("mini", {"hold_out": "split"}, "no column"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(name, changes, said, tmp_path):
    with pytest.raises(UsageError, match=said) as told:
        train(aligning.pairs(40), name, tmp_path / "run", **aligning.settings(**changes))
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run").exists()


def test_a_base_that_is_not_the_cards_is_refused(vit, tmp_path):
    from senbench.errors import ContractError
    from senbench.runtime.access import Access

    where = Surroundings(Access(weights=str(vit.weights.path)))
    with pytest.raises(ContractError):
        train(aligning.pairs(40), "mini", tmp_path / "run", surroundings=where, **aligning.settings())


def test_changes_are_for_a_recipe_by_name(tmp_path):
    made = recipes.named("senbench", convolutional=True, **aligning.settings())
    with pytest.raises(UsageError, match="epochs changes a recipe by name"):
        train(aligning.pairs(40), "mini", tmp_path / "run", made, epochs=3)


SCRIPT = """
import sys, torch
from pathlib import Path
sys.path.insert(0, {helpers!r})
import aligning
from senbench.align.train import Surroundings, train
from senbench.models.registry import find
from senbench.runtime import distributed
torch.set_num_threads(1)
base, out, recipe, changes = sys.argv[1], Path(sys.argv[2]), sys.argv[3], eval(sys.argv[4])
card = find(base)
print("begin", flush=True)
where = Surroundings(team=distributed.team(), save_every=0.0)
done = train(aligning.pairs(48, dim=card.embed_dim), card, out, recipe, where, **aligning.settings(**changes))
print("sha256", done.state_sha256, flush=True)
""".format(helpers=str(ROOT / "tests" / "helpers"))


def words(base, out, recipe="senbench", **changes):
    return [sys.executable, "-c", SCRIPT, base, str(out), recipe, repr(changes)]


KILLS = """
import os, random, signal, sys, time, torch
from pathlib import Path
sys.path.insert(0, {helpers!r})
import aligning
from senbench.align.train import Surroundings, train
from senbench.models.registry import find
torch.set_num_threads(1)
base, folder, recipe, changes, times = sys.argv[1], Path(sys.argv[2]), sys.argv[3], eval(sys.argv[4]), int(sys.argv[5])
card, draw, began = find(base), random.Random(0), time.monotonic()

def begun(out):  # a process of its own, which need not import anything again
    if (pid := os.fork()) == 0:
        where = Surroundings(save_every=0.0)
        done = train(aligning.pairs(48, dim=card.embed_dim), card, out, recipe, where, **aligning.settings(**changes))
        out.with_suffix(".sha256").write_text(done.state_sha256)
        os._exit(0)
    return pid

os.waitpid(begun(folder / "whole"), 0)
seconds, kills = time.monotonic() - began, 0
while not (folder / "killed.sha256").exists():
    pid = begun(folder / "killed")
    if kills < times:
        time.sleep(draw.uniform(0, seconds / 2))
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        kills += 1
    elif kills < times:  # it had come to its end before: once more from the beginning
        assert (folder / "killed.sha256").read_text() == (folder / "whole.sha256").read_text()
        (folder / "killed.sha256").unlink()
        (folder / "killed").rename(folder / f"done-{{kills}}")
print((folder / "whole.sha256").read_text(), (folder / "killed.sha256").read_text(), kills)
""".format(helpers=str(ROOT / "tests" / "helpers"))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(("base", "recipe"), [("mini", "senclip-release"), ("vit", "senbench")])
def test_killed_at_random_moments_and_resumed_it_is_the_same_to_the_last_bit(base, recipe, tmp_path):
    name = str(aligning.vit_card(tmp_path)) if base == "vit" else base
    times = int(os.environ.get("SENBENCH_KILLS", "5"))
    changes = {"epochs": 6, "augmentation": "flips", "pool": "att-image"}
    script = [sys.executable, "-c", KILLS, name, str(tmp_path), recipe, repr(changes), str(times)]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    whole, resumed, kills = done.stdout.split()
    assert resumed == whole
    assert int(kills) == times
    folder = RunFolder(tmp_path / "killed")
    assert folder.state() is not None
    assert [row[0] for row in folder.steps] == list(range(1, 25))
    assert [epoch["step"] for epoch in folder.epochs] == [4, 8, 12, 16, 20, 24]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("base", BASES)
def test_two_processes_are_one_to_the_last_bit(base, tmp_path):
    name = str(aligning.vit_card(tmp_path)) if base == "vit" else base
    changes = {"pool": "att-dim", "head": True}
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    one = subprocess.run(words(name, tmp_path / "one", **changes), capture_output=True, text=True, check=True)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    two = subprocess.run(
        [*run, str(script), name, str(tmp_path / "two"), "senbench", repr(changes)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    shas = [line.split()[-1] for line in two.stdout.splitlines() if "sha256" in line]
    assert shas == [one.stdout.split()[-1]] * 2


def test_processes_that_cannot_share_a_batch_are_told():
    from senbench.align.train import _check_parts
    from senbench.models import load
    from senbench.runtime.distributed import Team

    adapter = load.load("mini", device="cpu", kernels="torch")
    own = recipes.named("senbench", convolutional=True)
    with pytest.raises(UsageError, match="3 processes cannot share 2 micro-batches"):
        _check_parts(own, adapter, Team(0, 3))
    release = recipes.named("senclip-release", convolutional=True, micro_batches=2)
    with pytest.raises(UsageError, match="need it whole"):
        _check_parts(release, adapter, Team(0, 2))
