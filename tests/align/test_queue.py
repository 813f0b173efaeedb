from __future__ import annotations

import torch

from senbench.align import queue


def test_it_starts_with_unit_vectors_of_the_generator():
    one, same, other = (queue.random(8, 4, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.allclose(one.norm(dim=1), torch.ones(8))


def test_it_is_a_ring_and_the_one_before_is_not_changed():
    held, pointer = torch.zeros(6, 1), 0
    for k in range(1, 5):
        before = held
        held, pointer = queue.enqueued(held, pointer, torch.full((2, 1), float(k)))
        assert not torch.equal(before, held)
    assert held[:, 0].tolist() == [4, 4, 2, 2, 3, 3]
    assert pointer == 2


def test_keys_carry_no_gradient():
    held, _ = queue.enqueued(torch.zeros(2, 1), 0, torch.ones(2, 1, requires_grad=True))
    assert not held.requires_grad
