"""The step against a transcription of its description, 20 steps, three poolings, ViT and ResNet."""

from __future__ import annotations

import copy
import math

import aligning
import numpy as np
import pytest
import torch

from senbench.align import recipe as recipes
from senbench.align.learner import Learner

BATCH, QUEUE, STEPS, RATE = 8, 32, 20, 1e-4


def made(kind, pool, dtype, **changes):
    settings = {"batch": BATCH, "queue": QUEUE, "pool": pool, "learning_rate": RATE, **changes}
    recipe = recipes.named("senclip-release", convolutional=kind == "rn", **settings)
    return Learner(aligning.toy(kind, dtype), recipe, aligning.DIM)


def batches(dtype, steps=STEPS):
    """Pixels, photos, and which there are: the last of some tiles is missing."""
    rng = np.random.default_rng(1)
    for _ in range(steps):
        there = np.ones((BATCH, 4), bool)
        there[:3, 3] = False
        photos = rng.normal(size=(BATCH, 4, aligning.DIM)) * there[..., None]
        kept = torch.from_numpy(rng.random((BATCH, aligning.DIM)) >= 0.1)
        pixels = torch.from_numpy(rng.normal(size=(BATCH, 3, 32, 32))).to(dtype)
        yield pixels, torch.from_numpy(photos).to(dtype), torch.from_numpy(there), kept


class Transcribed:
    """The release's loop as described: loops and sums written out, nothing of `senbench.align`."""

    def __init__(self, model, learner, pool):
        self.visual = copy.deepcopy(model.visual).requires_grad_()
        self.visual.train()
        like = next(self.visual.parameters())
        dim = aligning.DIM
        self.pool = [p.detach().clone().requires_grad_() for p in learner.pool.parameters()]
        zeros = [torch.zeros(*shape).to(like) for shape in ((dim, dim), (dim,), (dim, dim), (dim,))]
        self.head = [p.requires_grad_() for p in (*zeros, torch.ones(dim).to(like), torch.zeros(dim).to(like))]
        self.scale = torch.tensor(math.log(1 / 0.07)).to(like).requires_grad_()
        if like.dtype == torch.float64:
            self.scale = torch.tensor(math.log(1 / 0.07), dtype=torch.float64, requires_grad=True)
        self.parameters = [*self.visual.parameters(), *self.pool, *self.head, self.scale]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=RATE, weight_decay=0.01)
        self.kind = pool
        self.queue, self.pointer = learner.queue.clone(), 0

    def target(self, photos):
        """Unit target of the photos (k, D) of one tile."""
        if self.kind == "avg":
            pooled = photos.sum(0) / len(photos)
        elif self.kind == "att-image":
            scores = [torch.dot(self.pool[0][0], g) for g in photos]
            total = sum(torch.exp(s) for s in scores)
            pooled = sum(torch.exp(s) / total * g for s, g in zip(scores, photos, strict=True))
        else:
            scores = [self.pool[0] @ g for g in photos]
            total = sum(torch.exp(s) for s in scores)
            pooled = sum(torch.exp(s) / total * g for s, g in zip(scores, photos, strict=True))
        return pooled / pooled.norm()

    def step(self, pixels, photos, there, kept):
        with torch.no_grad():
            self.scale.clamp_(0, 4.6052)
        self.optimiser.zero_grad()
        features = self.visual(pixels)
        w1, b1, w2, b2, gain, shift = self.head
        losses, keys = [], []
        a = torch.exp(self.scale)
        for i, f in enumerate(features):
            first = w1 @ f + b1
            second = w2 @ (0.5 * first * (1 + torch.erf(first / math.sqrt(2)))) + b2
            x = f + first + second * kept[i] / 0.9
            x = (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5) * gain + shift
            s = x / x.norm()
            target = self.target(photos[i][there[i]])
            positive = torch.exp(a * torch.dot(s, target))
            others = sum(torch.exp(a * torch.dot(s, q)) for q in self.queue)
            losses.append(-torch.log(positive / (positive + others)))
            keys.append(target.detach())
        loss = sum(losses) / len(losses)
        loss.backward()
        gradients = torch.cat([p.grad.reshape(-1) for p in self.parameters])
        self.optimiser.step()
        for key in keys:
            self.queue[self.pointer % QUEUE] = key
            self.pointer += 1
        return loss.detach(), gradients


@pytest.mark.parametrize("pool", ["avg", "att-image", "att-dim"])
@pytest.mark.parametrize("kind", ["vit", "rn"])
@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-10), (torch.float32, 1e-6)], ids=["64", "32"])
def test_twenty_steps_are_those_of_the_description(kind, pool, dtype, most, monkeypatch):
    learner = made(kind, pool, dtype)
    other = Transcribed(learner.model, learner, pool)
    assert list(learner.parameters)[-1] == "log_scale"
    for pixels, photos, there, kept in batches(dtype):
        monkeypatch.setattr(learner, "_kept", lambda n, kept=kept: kept)
        if dtype == torch.float32:  # one step at a time: what rounding adds up is no fault
            for mine, theirs in zip(learner.parameters.values(), other.parameters, strict=True):
                theirs.data.copy_(mine.data)
            other.queue.copy_(learner.queue)
            other.visual.load_state_dict(learner.model.visual.state_dict())
        held = []
        real = learner.gradients
        monkeypatch.setattr(learner, "gradients", lambda *a, real=real, held=held: held.append(real(*a)) or held[0])
        report = learner.step(pixels, photos, there, epoch=0)
        monkeypatch.setattr(learner, "gradients", real)
        loss, gradients = other.step(pixels, photos, there, kept)
        found = held[0][0][:-1]
        assert abs(report.loss - float(loss)) <= most * max(1, abs(float(loss)))
        assert float((found - gradients).norm()) <= most * float(gradients.norm())
        assert float((learner.queue - other.queue).abs().max()) <= most
        assert learner.pointer == other.pointer % QUEUE
    if dtype == torch.float64:
        for (name, mine), theirs in zip(learner.parameters.items(), other.parameters, strict=True):
            assert float((mine - theirs).detach().abs().max()) <= most, name
        for name, value in learner.statistics.items():  # of batch norms, which are exported
            assert torch.allclose(value, other.visual.state_dict()[name.removeprefix("visual.")], atol=most), name


def test_the_head_starts_as_a_norm_alone_and_its_second_layer_learns_from_the_second_step_on():
    learner = made("vit", "avg", torch.float64)
    first, second, *_ = batches(torch.float64, 2)
    learner.step(*first[:3], epoch=0)
    moments = learner.optimiser.state[learner.parameters["head.second.weight"]]
    assert float(moments["exp_avg"].abs().max()) == 0
    learner.step(*second[:3], epoch=0)
    assert float(moments["exp_avg"].abs().max()) > 0


def test_one_part_or_several_give_the_same_gradients():
    whole, cut = (made("vit", "att-image", torch.float64, micro_batches=m) for m in (1, 4))
    pixels, photos, there, _ = next(batches(torch.float64))
    one, keys = whole.gradients(pixels, photos, there)
    other, same = cut.gradients(pixels, photos, there)
    assert torch.allclose(one, other, rtol=0, atol=1e-12)
    assert torch.equal(keys, same)


def test_what_is_not_trained_stays_to_the_last_bit():
    learner = made("vit", "att-dim", torch.float32, train=("last-block",))
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    for pixels, photos, there, _ in batches(torch.float32, 3):
        learner.step(pixels, photos, there, epoch=0)
    moved = [name for name, value in learner.model.state_dict().items() if not torch.equal(value, before[name])]
    trained = [name for name in before if name.startswith(("visual.transformer.resblocks.1", "visual.ln_post"))]
    assert moved == [*trained, "visual.proj"] or set(moved) == {*trained, "visual.proj"}


def test_statistics_of_batch_norms_outside_the_trained_part_stay():
    learner = made("rn", "avg", torch.float32, train=("visual.layer4", "visual.attnpool"))
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    for pixels, photos, there, _ in batches(torch.float32, 2):
        learner.step(pixels, photos, there, epoch=0)
    moved = {name.split(".")[1] for name, v in learner.model.state_dict().items() if not torch.equal(v, before[name])}
    assert moved == {"layer4", "attnpool"}
    assert not torch.equal(
        learner.model.state_dict()["visual.layer4.0.bn1.running_mean"], before["visual.layer4.0.bn1.running_mean"]
    )


def test_frozen_statistics_stay_while_their_weights_learn():
    learner = made("rn", "avg", torch.float32, batch_statistics=False)
    before = learner.model.state_dict()["visual.bn1.running_mean"].clone()
    pixels, photos, there, _ = next(batches(torch.float32))
    learner.step(pixels, photos, there, epoch=0)
    assert torch.equal(learner.model.state_dict()["visual.bn1.running_mean"], before)
    assert learner.statistics == {}


@pytest.mark.parametrize("negatives", ["batch", "both"])
def test_negatives_of_the_batch_leave_out_a_tiles_own_target(negatives):
    learner = made("vit", "avg", torch.float64, negatives=negatives, head=False, micro_batches=2)
    pixels, photos, there, _ = next(batches(torch.float64))
    total, keys = learner.gradients(pixels, photos, there)
    with torch.no_grad():
        s = torch.nn.functional.normalize(learner.model.visual(pixels), dim=1)
        a = 1 / 0.07
        losses = []
        for i in range(BATCH):
            others = [k for j, k in enumerate(keys) if j != i] + (list(learner.queue) if negatives == "both" else [])
            e = torch.stack([torch.exp(a * torch.dot(s[i], k)) for k in (keys[i], *others)])
            losses.append(-torch.log(e[0] / e.sum()))
    assert abs(float(total[-1]) - float(sum(losses) / BATCH)) < 1e-10


def test_what_decays_and_how_the_rate_falls():
    every, own = made("vit", "avg", torch.float32), made("vit", "avg", torch.float32, decay_all=False)
    assert [g["weight_decay"] for g in every.optimiser.param_groups] == [0.01]
    wide, narrow = own.optimiser.param_groups
    assert (wide["weight_decay"], narrow["weight_decay"]) == (0.01, 0.0)
    assert all(p.ndim >= 2 for p in wide["params"])
    assert any(p is own.log_scale for p in narrow["params"])
    assert [round(every.learning_rate(e) / RATE, 6) for e in (0, 9, 10, 20)] == [1, 1, 0.95, 0.9025]


def test_a_fixed_temperature_stays_and_a_learned_one_is_bounded():
    fixed = made("vit", "avg", torch.float64, learned_temperature=False)
    assert "log_scale" not in fixed.parameters
    learned = made("vit", "avg", torch.float64)
    learned.log_scale.data.fill_(9.0)
    pixels, photos, there, _ = next(batches(torch.float64))
    for learner, scale in ((fixed, 1 / 0.07), (learned, math.exp(4.6052))):
        assert learner.step(pixels, photos, there, epoch=0).scale == pytest.approx(scale, rel=2e-4)


def test_a_state_goes_on_to_the_same_bits():
    steps = list(batches(torch.float32, 6))
    straight, first, second = (made("rn", "att-image", torch.float32) for _ in range(3))
    for pixels, photos, there, _ in steps:
        straight.step(pixels, photos, there, epoch=0)
    for pixels, photos, there, _ in steps[:3]:
        first.step(pixels, photos, there, epoch=0)
    second.restore(first.state())
    for pixels, photos, there, _ in steps[3:]:
        second.step(pixels, photos, there, epoch=0)
    one, other = straight.state(), second.state()
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert any(name.startswith("statistic/") for name in one)
