from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from senbench.align.loss import contrastive


def units(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=-1)


def test_it_is_the_cross_entropy_of_the_own_target_among_the_queue():
    s, g, queue, a = units(4, 6), units(4, 6, seed=1), units(9, 6, seed=2), torch.tensor(5.0)
    logits = 5 * torch.cat([(s * g).sum(1, keepdim=True), s @ queue.T], dim=1)
    expected = torch.nn.functional.cross_entropy(logits, torch.zeros(4, dtype=torch.long), reduction="none")
    assert torch.allclose(contrastive(s, g, queue, a, None), expected)


def test_with_equal_negatives_it_is_the_logarithm_of_their_number():
    s = units(3, 6)
    assert contrastive(s, s, s[:1].expand(7, 6), torch.tensor(1e-9), None)[0] == pytest.approx(math.log(8))


def test_the_own_target_is_no_negative():
    s, g, queue, a = units(2, 6), units(2, 6, seed=1), units(5, 6, seed=2), torch.tensor(3.0)
    negatives = torch.cat([g, queue])
    left = contrastive(s, g, negatives, a, torch.tensor([0, 1]))
    assert torch.allclose(left[0], contrastive(s[:1], g[:1], torch.cat([g[1:], queue]), a, None)[0])
    assert torch.allclose(left[1], contrastive(s[1:], g[1:], torch.cat([g[:1], queue]), a, None)[0])


def test_targets_learn_through_the_positive_term_alone():
    s, g, a = units(2, 6), units(2, 6, seed=1).requires_grad_(), torch.tensor(3.0, dtype=torch.float64)
    contrastive(s, g, torch.cat([g, units(3, 6)]), a, torch.tensor([0, 1])).sum().backward()
    with torch.no_grad():
        logits = 3 * torch.cat([(s * g).sum(1, keepdim=True), s @ torch.cat([g, units(3, 6)]).T], dim=1)
        logits[0, 1] = logits[1, 2] = -torch.inf
        expected = 3 * s * (logits.softmax(1)[:, :1] - 1)
    assert torch.allclose(g.grad, expected)
