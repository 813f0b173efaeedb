from __future__ import annotations

import pytest

from senbench.align import recipe as recipes
from senbench.errors import UsageError


def test_the_release_is_the_column_of_its_code_defaults():
    made = recipes.named("senclip-release", convolutional=False)
    told = made.model_dump()
    expected = {
        "head": True, "train": ("visual",), "queue": 512, "queue_start": "random", "negatives": "queue",
        "learned_temperature": True, "learning_rate": 1e-5, "weight_decay": 0.01, "decay_all": True,
        "decay_every": 10, "decay_factor": 0.95, "epochs": 1, "batch": 32, "crop": 32, "augmentation": "randaugment",
        "pixels": "senclip", "batch_statistics": True, "hold_out": "none", "dtype": "float32",
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected


@pytest.mark.parametrize(("convolutional", "train", "rate"), [(False, "last-block", 1e-4), (True, "visual", 1e-5)])
def test_the_paper_and_our_own_train_a_resnet_whole_and_a_vits_last_block(convolutional, train, rate):
    for name in ("senclip-paper", "senbench"):
        made = recipes.named(name, convolutional=convolutional)
        assert (made.train, made.learning_rate) == ((train,), rate)
    paper = recipes.named("senclip-paper", convolutional=convolutional)
    assert (paper.learned_temperature, paper.decay_every, paper.epochs, paper.augmentation) == (False, 5, 20, "flips")


def test_our_own_differs_where_the_methods_page_says_so():
    own = recipes.named("senbench", convolutional=True)
    assert (own.queue_start, own.decay_all, own.batch_statistics) == ("table", False, False)
    assert (own.head, own.hold_out) == (False, "spatial:0.05")


def test_batch_statistics_of_a_resnet_keep_the_batch_whole():
    assert recipes.named("senclip-release", convolutional=True).micro_batches == 1
    assert recipes.named("senclip-release", convolutional=False).micro_batches == 2
    assert recipes.named("senbench", convolutional=True).micro_batches == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": 24}, "batch 24 does not divide the queue of 512"),
        ({"batch": 32, "micro_batches": 3}, "not cut evenly into 3"),
        ({"pool": "max"}, "pool"),
        ({"hold_out": "spatial:0.9"}, "share above 0"),
        ({"hold_out": "somewhere"}, "hold-out 'somewhere'"),
        ({"views": 17}, "views"),
        ({"epochs": 0}, "epochs"),
        ({"nonsense": 1}, "nonsense"),
        ({"negatives": "batch", "batch": 1, "micro_batches": 1}, "one tile"),
    ],
)
def test_what_is_not_allowed_is_one_line(changes, said):
    with pytest.raises(UsageError, match=said) as told:
        recipes.named("senbench", convolutional=False, **changes)
    assert "\n" not in str(told.value)


def test_an_unknown_recipe_is_told_with_those_there_are():
    with pytest.raises(UsageError, match="senclip-paper"):
        recipes.named("senclip", convolutional=False)


def test_a_batch_need_not_divide_a_queue_that_is_not_used():
    assert recipes.named("senbench", convolutional=False, negatives="batch", batch=24).batch == 24
