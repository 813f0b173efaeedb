"""Settings of scores, and the steps after scoring: post-processing, prediction, probabilities, access level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from senbench.errors import UsageError
from senbench.schema.terms import Ensemble, PostProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index

ENSEMBLES: tuple[str, ...] = get_args(Ensemble)
POSTPROCESSES: tuple[str, ...] = get_args(PostProcess)
LARGEST_SCALE = 1e6
"""Largest accepted multiplier of a cosine; trained ones lie between 10 and 120."""
COLUMN_MEAN_EPS = np.float32(1e-6)
"""Constant that the SenCLIP release adds to every column mean."""


@dataclass(frozen=True)
class Scoring:
    """How class scores are computed from cosines and post-processed.

    Attributes:
        rule: Ensembling rule, one of `ENSEMBLES`.
        postprocess: One of `POSTPROCESSES`.
        logit_scale: Native multiplier of the cosine, or None.
        logit_bias: Bias of a sigmoid model, the same for every class, or None.
    """

    rule: str = "norm-mean-norm"
    postprocess: str = "none"
    logit_scale: float | None = None
    logit_bias: float | None = None

    def __post_init__(self) -> None:
        """Check the names and the scale.

        Raises:
            UsageError: A name is unknown or the scale is impossible; the message lists the names, or states the scale.
        """
        if self.logit_scale is not None and not 0 < self.logit_scale <= LARGEST_SCALE:
            raise UsageError(
                f"logit_scale is {self.logit_scale:g}; expected the multiplier of the cosine, above 0 and at most "
                f"{LARGEST_SCALE:,.0f} (trained ones lie between 10 and 120)"
            )
        if self.rule not in ENSEMBLES:
            raise UsageError(f"unknown ensembling rule {self.rule!r}; available: {', '.join(ENSEMBLES)}")
        if self.postprocess not in POSTPROCESSES:
            raise UsageError(f"unknown post-processing {self.postprocess!r}; available: {', '.join(POSTPROCESSES)}")
        if self.postprocess == "transclip" and self.rule in ("prob-mean", "dap"):
            raise UsageError(f"transclip starts from cosines, which {self.rule} does not give; use norm-mean-norm")

    @property
    def access_level(self) -> int:
        """Return the access level, as `access_level`."""
        return access_level(self.rule, self.postprocess)

    def finish(self, scores: Float, class_keys: Sequence[str]) -> tuple[Float, list[str]]:
        """Post-process scores (N, C); return them with warnings.

        Raises:
            UsageError: As `column_mean`; or for `transclip`, which needs embeddings (`Transduction.predict`).
        """
        if self.postprocess == "transclip":
            raise UsageError("transclip compares images with one another and needs their embeddings, not scores alone")
        return column_mean(scores, class_keys) if self.postprocess == "column-mean" else (scores, [])


DEFAULT = Scoring()


def access_level(rule: str, postprocess: str = "none") -> int:
    """Return the access level: 2 (the evaluated images, unlabelled) with `dap` or any post-processing, else 0."""
    return 2 if rule == "dap" or postprocess != "none" else 0


def column_mean(scores: Float, class_keys: Sequence[str]) -> tuple[Float, list[str]]:
    """The SenCLIP release's post-processing: scores / (column mean over the evaluated set + 1e-6).

    The mean is accumulated in float64 and rounded to float32, then everything is float32, as in the
    release. It makes every prediction depend on all images (access level 2).

    Args:
        scores: (N, C) float32.
        class_keys: Names for messages, C.

    Returns:
        Divided scores, float32 (N, C), and warnings on columns whose mean is below its standard error.

    Raises:
        UsageError: A column mean is zero or negative, so that the division would reverse the order.
    """
    mean = scores.mean(axis=0, dtype=np.float64)
    if np.any(mean <= 0):
        c = int(np.argmin(mean))
        raise UsageError(
            f"column-mean would reverse the order: mean score of class {class_keys[c]!r} is {mean[c]:.3g}, not"
            " above zero; use --postprocess none"
        )
    error = scores.std(axis=0, dtype=np.float64) / np.sqrt(len(scores))
    warnings = [
        f"column-mean: mean score of class {key!r}, {mean[c]:.3g}, is below its standard error {error[c]:.3g}"
        for c, key in enumerate(class_keys)
        if mean[c] < error[c]
    ]
    return scores / (mean.astype(np.float32) + COLUMN_MEAN_EPS), warnings


def log_softmax(logits: NDArray[Any]) -> Array:
    """Log-probabilities along the last axis, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.asarray(shifted)


def probabilities(scores: Float, logit_scale: float, logit_bias: float | None = None) -> Array:
    """Probabilities at the model's native scale.

    Args:
        scores: Cosines, (N, C).
        logit_scale: Multiplier of the cosine.
        logit_bias: With a bias, sigmoid(scale x cosine + bias) per label, as SigLIP is trained;
            without, softmax(scale x cosine) over classes.

    Returns:
        float64 (N, C), 0..1.
    """
    logits = np.float64(logit_scale) * scores
    if logit_bias is None:
        return np.asarray(np.exp(log_softmax(logits)))
    return np.asarray(0.5 * (1 + np.tanh(0.5 * (logits + logit_bias))))


def predict(scores: Float) -> tuple[Index, int]:
    """Best class per image, ties broken by class order, and the number of images whose best score was tied.

    Args:
        scores: (N, C), finite.

    Returns:
        Class indices, int64 (N,), and the count of ties.
    """
    best = scores.max(axis=1, keepdims=True)
    return scores.argmax(axis=1), int(((scores == best).sum(axis=1) > 1).sum())
