"""The baseline's file: whatever is wrong with it is said, never passed."""

from __future__ import annotations

import numpy as np
import pytest
from gates import edit, fails

from senbench.gate import baseline


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a baseline of senbench"),
        ("{}", "is not a baseline of senbench"),
        ('{"kind": "senbench-baseline", "version": 2}', "has version 2"),
        ('{"kind": "senbench-baseline", "version": 1, "runs": [], "history": []}', "malformed: field runs"),
    ],
)
def test_a_malformed_or_empty_baseline(place, text, message) -> None:
    (place / "base.json").write_text(text)
    fails(place, message)


def test_a_baseline_that_is_not_there_or_not_text(place) -> None:
    (place / "base.json").write_bytes(b"\xff\xfe\x00")
    fails(place, "is not JSON")
    (place / "base.json").unlink()
    fails(place, "No such file")
    (place / "base.json").mkdir()
    fails(place, "Is a directory")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run["metrics"]["top1"].update(value=float("nan")), "malformed: field runs.0.metrics.top1.value"),
        (lambda run: run["metrics"]["top1"].update(value=0.5), "its answers give top1 0.900000, it says 0.5"),
        (lambda run: run["metrics"].pop("top1"), "unreadable"),
        (lambda run: run.update(metrics={}), "malformed: field runs.0.metrics"),
        (lambda run: run.update(noise=0.0), "malformed: field runs.0.noise"),
        (lambda run: run.update(noise=0.5), "malformed: field runs.0.noise"),
        (lambda run: run.update(answers="AAAA"), "packed numbers"),
        (lambda run: run.update(answers=baseline.pack(np.zeros(5, np.uint16))), "packed numbers are not 600"),
        (lambda run: run.update(extra=1), "malformed: field runs.0.extra"),
        (lambda run: run.update(metric="map_macro"), "the baseline guards map_macro"),
    ],
)
def test_a_baseline_with_a_field_tampered_with(place, change, message) -> None:
    edit(place / "base.json", lambda data: change(data["runs"][0]))
    fails(place, message)


def test_packed_numbers_come_back() -> None:
    for values in (np.arange(5, dtype=np.uint16), np.linspace(-1, 1, 7, dtype=np.float32)):
        kind = f"{values.dtype.kind}{values.dtype.itemsize}"
        assert (baseline.unpack(baseline.pack(values), kind, len(values)) == values).all()
