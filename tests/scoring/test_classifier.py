"""Ensembling rules against naive loops, and the mistakes they must not make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.scoring import classifier as z
from senbench.scoring.postprocess import Scoring

RULES = ("norm-mean-norm", "mean-norm", "logit-mean", "prob-mean", "max", "dap")
COUNTS = (3, 3, 3, 3)


def embeddings(seed: int = 0, n: int = 40, d: int = 8, counts: tuple[int, ...] = COUNTS):
    rng = np.random.default_rng(seed)
    text_class = np.repeat(np.arange(len(counts)), counts)
    images = rng.normal(size=(n, d)) + 0.5
    texts = rng.normal(size=(len(text_class), d)) * rng.uniform(0.2, 5, (len(text_class), 1)) + 0.5
    return images, texts, text_class


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def norm(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def naive(rule: str, images: np.ndarray, texts: np.ndarray, text_class: np.ndarray, scale: float) -> np.ndarray:
    x, t, classes = norm(images), norm(texts), np.unique(text_class)
    of = [np.flatnonzero(text_class == c) for c in classes]
    if rule == "norm-mean-norm":
        return np.stack([x @ norm(t[i].mean(0)) for i in of], 1)
    if rule == "mean-norm":
        return np.stack([x @ norm(texts[i].mean(0)) for i in of], 1)
    if rule == "logit-mean":
        return np.stack([(x @ t[i].T).mean(1) for i in of], 1)
    if rule == "max":
        return np.stack([(x @ t[i].T).max(1) for i in of], 1)
    if rule == "prob-mean":
        per_template = [softmax(scale * x @ t[[i[j] for i in of]].T) for j in range(len(of[0]))]
        return np.mean(per_template, 0)
    p = softmax(scale * x @ t.T)
    ratio = np.log(p) - np.log(p.mean(0))
    return np.stack([ratio[:, i].sum(1) for i in of], 1)


@pytest.mark.parametrize("rule", RULES)
def test_rule_equals_naive_loop(rule: str) -> None:
    images, texts, text_class = embeddings()
    got = z.class_scores(images, texts, text_class, 4, rule, logit_scale=20.0, template_aligned=True)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, naive(rule, images, texts, text_class, 20.0), atol=2e-5)


@pytest.mark.parametrize("rule", RULES)
def test_prompts_in_any_order(rule: str) -> None:
    images, texts, text_class = embeddings()
    # Interleaved: prompt j of every class stays in its place within the class.
    order = np.argsort(np.tile(np.arange(3), 4), kind="stable")
    args = {"logit_scale": 20.0, "template_aligned": True}
    a = z.class_scores(images, texts, text_class, 4, rule, **args)
    b = z.class_scores(images, texts[order], text_class[order], 4, rule, **args)
    np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_small_chunks_change_nothing(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images, texts, text_class = embeddings()
    args = {"logit_scale": 20.0, "template_aligned": True}
    whole = z.class_scores(images, texts, text_class, 4, rule, **args)
    monkeypatch.setattr(z, "CHUNK_CELLS", 70)
    np.testing.assert_allclose(z.class_scores(images, texts, text_class, 4, rule, **args), whole, atol=1e-5)


def test_linear_and_prior_rules_take_ragged_packs() -> None:
    images, texts, text_class = embeddings(counts=(1, 4, 2))
    for rule in ("norm-mean-norm", "mean-norm", "logit-mean", "dap"):
        got = z.class_scores(images, texts, text_class, 3, rule, logit_scale=20.0)
        np.testing.assert_allclose(got, naive(rule, images, texts, text_class, 20.0), atol=2e-5)


def test_the_four_averages_differ() -> None:
    """A rule that silently falls back to another one is caught here."""
    images, texts, text_class = embeddings()
    args = {"logit_scale": 20.0, "template_aligned": True}
    scores = {r: z.class_scores(images, texts, text_class, 4, r, **args) for r in RULES}
    for a in RULES:
        for b in RULES:
            assert a == b or not np.allclose(scores[a], scores[b], atol=1e-3), (a, b)


def test_mean_norm_lets_long_prompts_decide() -> None:
    """One prompt of length 100 owns the raw mean, and is one voice among equals after normalising."""
    images = np.array([[1.0, 0.0]])
    texts = np.array([[0.0, 100.0], [1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    text_class = np.array([0, 0, 0, 1])
    assert z.class_scores(images, texts, text_class, 2, "norm-mean-norm").argmax() == 0
    assert z.class_scores(images, texts, text_class, 2, "mean-norm").argmax() == 1


def test_prob_mean_refuses_packs_that_are_not_aligned() -> None:
    images, texts, text_class = embeddings()
    with pytest.raises(UsageError, match="template"):
        z.class_scores(images, texts, text_class, 4, "prob-mean", logit_scale=20.0)
    images, texts, text_class = embeddings(counts=(2, 3))
    with pytest.raises(UsageError, match="template"):
        z.class_scores(images, texts, text_class, 2, "prob-mean", logit_scale=20.0, template_aligned=True)


@pytest.mark.parametrize("rule", ["prob-mean", "dap"])
def test_softmax_rules_need_a_scale(rule: str) -> None:
    with pytest.raises(UsageError, match="logit_scale"):
        z.class_scores(*embeddings(), 4, rule, template_aligned=True)


def test_max_refuses_ragged_packs() -> None:
    with pytest.raises(UsageError, match=r"1\.\.3"):
        z.class_scores(*embeddings(counts=(1, 3)), 2, "max")


def test_unknown_rule_lists_the_known() -> None:
    with pytest.raises(UsageError, match=r"'mean'.*norm-mean-norm"):
        z.class_scores(*embeddings(), 4, "mean")


def test_class_without_prompt_is_named() -> None:
    images, texts, text_class = embeddings(counts=(2, 2))
    with pytest.raises(UsageError, match="class 2 has no prompt"):
        z.class_scores(images, texts, text_class, 3)
    with pytest.raises(UsageError, match=r"0\.\.1.*0\.\.0"):
        z.class_scores(images, texts, text_class, 1)


def test_opposite_prompts_have_no_mean_direction() -> None:
    with pytest.raises(UsageError, match="mean prompt per class: row 0 is zero"):
        z.class_scores(np.ones((1, 2)), np.array([[1.0, 0], [-1, 0], [0, 1]]), np.array([0, 0, 1]), 2)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "not finite"), (np.inf, "not finite"), (0.0, "zero")])
def test_unit_names_the_bad_row_across_chunks(value: float, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(z, "CHUNK_CELLS", 6)
    rows = np.ones((7, 3), np.float32)
    rows[5] = value
    with pytest.raises(UsageError, match=f"row 5 is {word}"):
        z.unit(rows)
    with pytest.raises(UsageError, match="images: row 5"):
        z.class_scores(rows, np.ones((2, 3)), np.array([0, 1]), 2)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_unit_survives_extreme_lengths(size: float) -> None:
    rows = np.array([[3.0, 4.0]]) * size
    np.testing.assert_allclose(z.unit(rows), [[0.6, 0.8]], rtol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-6, 1e6), st.sampled_from(RULES))
def test_image_length_and_order_do_not_matter(seed: int, factor: float, rule: str) -> None:
    images, texts, text_class = embeddings(seed)
    args = {"logit_scale": 20.0, "template_aligned": True}
    base = z.class_scores(images, texts, text_class, 4, rule, **args)
    order = np.random.default_rng(seed).permutation(len(images))
    other = z.class_scores(images[order] * factor, texts, text_class, 4, rule, **args)
    np.testing.assert_allclose(other, base[order], atol=3e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([r for r in RULES if r != "mean-norm"]))
def test_prompt_lengths_do_not_matter_but_to_mean_norm(seed: int, rule: str) -> None:
    images, texts, text_class = embeddings(seed)
    args = {"logit_scale": 20.0, "template_aligned": True}
    lengths = np.random.default_rng(seed).uniform(0.1, 10, (len(texts), 1))
    base = z.class_scores(images, texts, text_class, 4, rule, **args)
    np.testing.assert_allclose(z.class_scores(images, texts * lengths, text_class, 4, rule, **args), base, atol=3e-5)


def test_a_classifier_scores_any_images_as_the_function_on_arrays_does() -> None:
    images, texts, text_class = embeddings()
    order = np.random.default_rng(0).permutation(len(texts))
    for rule in RULES:
        scoring = Scoring(rule, logit_scale=20.0)
        made = z.Classifier.of(texts[order], text_class[order], 4, scoring, names="abcd", template_aligned=True)
        assert (made.counts.tolist(), made.starts.tolist(), made.names) == ([3] * 4, [0, 3, 6, 9], tuple("abcd"))
        for part in (images, images[:7]):
            args = {"logit_scale": 20.0, "template_aligned": True}
            want = z.class_scores(part, texts[order], text_class[order], 4, rule, **args)
            np.testing.assert_array_equal(made.scores(part), want)


def test_a_classifier_keeps_the_order_of_prompts_within_a_class() -> None:
    texts = np.arange(1.0, 11.0).reshape(5, 2)
    made = z.Classifier.of(texts, np.array([1, 0, 1, 0, 1]), 2)
    np.testing.assert_array_equal(made.texts, texts[[1, 3, 0, 2, 4]])
    np.testing.assert_allclose(np.linalg.norm(made.rows, axis=1), 1, rtol=1e-6)
    assert made.ragged
    assert made.starts.tolist() == [0, 2]


def test_posteriors_over_prompts_sum_to_one() -> None:
    images, texts, text_class = embeddings()
    made = z.Classifier.of(texts, text_class, 4, Scoring("dap", logit_scale=20.0))
    blocks = list(made.log_posteriors(images))
    total = np.concatenate([np.exp(log_p).sum(axis=1) for _, log_p in blocks])
    np.testing.assert_allclose(total, np.ones(len(images)))
    with pytest.raises(UsageError, match="logit_scale"):
        next(z.Classifier.of(texts, text_class, 4).log_posteriors(images))


def test_wrong_shapes_are_one_clear_line() -> None:
    images, texts, text_class = embeddings()
    with pytest.raises(UsageError, match="11 entries in text_class"):
        z.class_scores(images, texts, text_class[1:], 4)
    with pytest.raises(UsageError, match=r"images \(40, 7\) and texts \(12, 8\)"):
        z.class_scores(images[:, 1:], texts, text_class, 4)
