"""Results with one thing that qualifies each: tools of the tests of everything that shows results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from changed_results import changed

from senbench.schema.blocks import PixelFacts, Recorded

if TYPE_CHECKING:
    from senbench.schema.result import RunResult

RECORDED = Recorded(given="scores", source="Doe 2031", file="scores.npz", sha256="0" * 64, level=0)
FIELDS: dict[str, dict[str, Any]] = {
    "recorded-elsewhere": {"resolved": {"recorded": RECORDED}},
    "few-shot": {"resolved": {"recorded": RECORDED.model_copy(update={"shots": 4})}},
    "half-precision": {"resolved": {"recorded": RECORDED}, "environment": {"dtype": "float16"}},
    "unknown-origin": {"model": {"weights": {"sha256": "1" * 64}, "weights_sha256": "0" * 64}},
    "as-fetched": {"model": {"weights": {"repo": "a/b"}, "weights_revision": "c0ffee"}},
    "unverified-card": {"model": {"weights": {"sha256": "1" * 64}, "weights_sha256": "1" * 64, "verified": False}},
    "unknown-model": {},
    "synthetic-model": {"model": {"synthetic": True}},
    "contaminated": {"contamination": "images"},
    "incomplete": {"complete": False},
    "synthetic-tiles": {"dataset": {"synthetic": True}},
    "pixels-accepted": {"dataset": {"pixels": PixelFacts(implausible=("99 % saturated",))}},
    "clipped-values": {"dataset": {"below_offset_share": 0.2}},
    "prompts-selected": {"prompts": {"provenance": {"selected_on": {"dataset": "a", "split": "b"}}}},
    "prompts-cut": {"prompts": {"cut": 3}},
    "overrides": {"resolved": {"overrides": ("ensemble",)}},
    "precision": {"environment": {"dtype": "bfloat16"}},
    "level": {"access_level": 2},
    "at-chance": {"lines": {"chance": 0.999}},
    "iid": {"dataset": {"id": "eurosat-rgb"}},
    "clipped-ece": {},
    "ties": {"ties": 7},
}
UNRANKED = {"unknown-origin", "incomplete", "overrides", "precision", "contaminated"}


def qualified(result: RunResult, code: str) -> RunResult:
    """The result with what leads to a qualification.

    Args:
        result: Any.
        code: One of `FIELDS`.
    """
    result = changed(result, **FIELDS[code])
    told = {"iid": (result.headline, {"interval": "iid-bootstrap"}), "clipped-ece": ("ece", NOTE)}
    if code not in told:
        return result
    name, change = told[code]
    return changed(result, metrics={**result.metrics, name: result.metrics[name].model_copy(update=change)})


NOTE = {"note": "below zero, shown as 0"}
