"""Compares two nested values: numbers within a tolerance, ends of intervals within a share of the width."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str, ...]
"""Location of a leaf: keys and positions from the outside in."""
ROUNDING = 1e-6
"""Largest difference of a recomputed figure, relative for figures above 1."""


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
SPREADS = ("design_effect", "error")
"""Figures that describe uncertainty, to which the tolerance of the ends of intervals applies."""
LABEL_EXACT = 0.005
"""Tolerance of the ends up to which numbers in the description of an interval must be equal."""


class Unknown:
    """Marks a part of an expected value for which any stated value is accepted."""


UNKNOWN: Any = Unknown()
"""The only one."""


class Tolerance(NamedTuple):
    """How far a recomputed figure may be from the stated one."""

    figure: float = ROUNDING
    """For figures: absolute below 1 and relative above."""
    ends: float = 0.01
    """For ends of intervals: as a share of the interval's width."""

    def of(self, path: Path) -> float:
        """Return the tolerance of a figure; that of the ends if the figure comes from the same resamples."""
        return self.ends if path and path[-1] in SPREADS and self.ends > LABEL_EXACT else self.figure


class Difference(NamedTuple):
    """A leaf that differs from the expected value."""

    path: Path
    """Where."""
    message: str
    """The stated and the expected value."""

    @property
    def line(self) -> str:
        """Return path and difference in one line."""
        return f"{dotted(self.path)} {self.message}"


def dotted(path: Path) -> str:
    """Return a path in dotted form."""
    return ".".join(path)


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every leaf of nested mappings and sequences with its path; empty ones are leaves."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list | tuple) and value:
        for i, inner in enumerate(value):
            yield from leaves(inner, (*path, str(i)))
    else:
        yield path, value


def matches(path: Path, pattern: str) -> bool:
    """Return whether a path matches a dotted pattern: `*` for any key or position, `**` at the end for all below."""
    parts = pattern.split(".")
    if parts[-1] == "**":
        parts = parts[:-1]
        path = path[: len(parts)]
    return len(path) == len(parts) and all(map(fnmatchcase, path, parts))


def differences(stated: Any, expected: Any, tolerance: Tolerance, path: Path = ()) -> Iterator[Difference]:
    """Yield every place where a stated value differs from the expected one.

    Args:
        stated: Parsed JSON.
        expected: The derived value; `UNKNOWN` where any value is accepted.
        tolerance: How far numbers may differ.
        path: Path of both values.
    """
    if expected is UNKNOWN:
        return
    if isinstance(expected, dict) and isinstance(stated, dict):
        for key in dict.fromkeys((*expected, *stated)):
            here = (*path, str(key))
            if key in stated and key in expected:
                yield from differences(stated[key], expected[key], tolerance, here)
            elif key in stated:
                yield Difference(here, f"is {brief(stated[key])}, and nothing is expected there")
            elif expected[key] is not UNKNOWN:
                yield Difference(here, f"is missing, expected {brief(expected[key])}")
    elif isinstance(expected, list | tuple) and isinstance(stated, list | tuple):
        if len(expected) != len(stated):
            yield Difference(path, f"has {len(stated):,} entries, expected {len(expected):,}: {brief(expected)}")
        elif _ends(stated) and _ends(expected):
            share = max(ROUNDING, tolerance.ends * abs(expected[1] - expected[0]))
            if any(abs(a - b) > share for a, b in zip(stated, expected, strict=True)):
                yield Difference(path, f"is {brief(stated)}, expected {brief(expected)}")
        else:
            for i, (one, other) in enumerate(zip(stated, expected, strict=True)):
                yield from differences(one, other, tolerance, (*path, str(i)))
    elif path and path[-1].endswith("interval") and isinstance(stated, str) and isinstance(expected, str):
        if not _labels_agree(stated, expected, tolerance.ends):
            yield Difference(path, f"is {brief(stated)}, expected {brief(expected)}")
    elif not same(stated, expected, tolerance.of(path)):
        yield Difference(path, f"is {brief(stated)}, expected {brief(expected)}")


def same(stated: Any, expected: Any, within: float) -> bool:
    """Return whether two leaves agree: numbers within a tolerance, everything else exactly."""
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (stated, expected))
    if numbers and (isinstance(stated, float) or isinstance(expected, float)):
        return bool(abs(stated - expected) <= within * max(1.0, abs(expected)))
    return type(stated) is type(expected) and bool(stated == expected)


def _labels_agree(stated: str, expected: str, share: float) -> bool:
    """Return whether two descriptions of an interval agree, up to rounding or a share in their numbers."""
    if NUMBER.sub("", stated) != NUMBER.sub("", expected):
        return False
    pairs = zip(NUMBER.findall(stated), NUMBER.findall(expected), strict=True)
    numbers = [(float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs]
    rounded = share > LABEL_EXACT
    return all(abs(a - b) <= (share * abs(b) + 0.011 if rounded else 0.0) for a, b in numbers)


def _ends(value: Any) -> bool:
    """Return whether a value is the two ends of an interval."""
    return len(value) == 2 and all(isinstance(v, float) or v in (0, 1) for v in value)


def brief(value: Any) -> str:
    """Format a value in at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
