"""The gate: compares results with the baseline and tests for drops. It never passes what it could not check."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from senbench.audit import admission
from senbench.errors import SenbenchError, UsageError
from senbench.gate import baseline, guarded_run
from senbench.report.numbers import interval, points
from senbench.results import store
from senbench.results.qualifications import labels, model_name
from senbench.results.settings_diff import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from senbench.gate.baseline import BaselineRun
    from senbench.gate.guarded_run import Guarded
    from senbench.scoring.comparison.paired import PairedDifference

Kind = Literal["missing", "incomplete", "images", "settings", "changed", "inferior", "unreadable"]
LISTED = 4
"""Most figures named in the message about a change."""


@dataclass(frozen=True)
class Problem:
    """A reason why the gate fails.

    Attributes:
        kind: Kind of problem; `unreadable` also for a baseline that cannot be used.
        message: One line with values and what to do.
        run: Name of the run; empty if it does not concern a single run.
    """

    kind: Kind
    message: str
    run: str = ""

    @property
    def line(self) -> str:
        """Return the message, preceded by the name of its run."""
        return f"{self.run}: {self.message}" if self.run else self.message


@dataclass(frozen=True)
class Row:
    """One run in the baseline and now.

    Attributes:
        run: Name of the run.
        metric: Its figure.
        before: Value in the baseline.
        after: Value now, or None.
        difference: Now minus before, paired; None if it cannot be computed.
        flipped: Number of images with another answer; None as above.
        n: Number of images in the baseline.
    """

    run: str
    metric: str
    before: float | None
    after: float | None = None
    difference: PairedDifference | None = None
    flipped: int | None = None
    n: int = 0


@dataclass(frozen=True)
class Verdict:
    """The outcome of the gate.

    Attributes:
        rows: One per guarded run.
        problems: Reasons to fail; empty if passed.
        notes: Observations that are no reason to fail.
        margin: Accepted drop, as a share.
    """

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    margin: float = 0.01

    @property
    def passed(self) -> bool:
        """Return whether every guarded run was checked without problems."""
        return bool(self.rows) and not self.problems


def check(file: Path, results: Path, *, margin: float = 0.01, tolerance: float | None = None) -> Verdict:
    """Compare results with a baseline.

    Args:
        file: Baseline.
        results: Folder of result folders.
        margin: Drop of the headline, as a share, that the paired interval must exclude.
        tolerance: Largest change of any figure (share) that is accepted as noise; None uses each run's numeric noise.

    Returns:
        The verdict; anything that could not be read or tested is a problem.
    """
    try:
        kept = baseline.read(file)
        if not 0 < margin <= 1:
            raise UsageError(f"--margin {100 * margin:g} points; expected more than 0 and at most 100")
        noise = max(run.noise for run in kept.runs)
        if tolerance is not None and not noise <= tolerance < margin:
            raise UsageError(
                f"--tolerance {tolerance:g} must be at least the numeric noise of the baseline, {noise:g}, and below "
                f"the margin, {margin:g}"
            )
        folders = store.folders(results)
    except SenbenchError as error:
        return Verdict(problems=[Problem("unreadable", _line(error))], margin=margin)
    guarded, problems = [], []
    for folder in folders:
        try:
            guarded.append(guarded_run.read(folder))
            admission.refuse(folder)  # compared nevertheless, so that the changes are named too
        except SenbenchError as error:
            problems.append(Problem("unreadable", _line(error)))
    rows, notes, used = [], [], set()
    for run in kept.runs:
        row = Row(run.name, run.metric, run.metrics[run.metric].value if run.metric in run.metrics else None, n=run.n)
        same = guarded_run.of_run(guarded, run.key, run.passed)
        if len(same) != 1:
            problems.append(Problem("missing", _missing(same), run.name))
        else:
            try:
                used.add(same[0].result.run_id)
                row, run_problems, run_notes = _held(
                    run, same[0], margin, run.noise if tolerance is None else tolerance, row
                )
                problems += run_problems
                notes += run_notes
            except SenbenchError as error:
                problems.append(Problem("unreadable", _line(error), run.name))
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # an unforeseen error must not pass
                problems.append(Problem("unreadable", f"{type(error).__name__}: {_line(error)[:120]}", run.name))
        rows.append(row)
    if blind := sum(not run.noise_measured for run in kept.runs):
        notes.append(
            f"the numeric noise of {blind} of {len(kept.runs)} runs was not measured (bless with --repeat DIR)"
        )
    notes += [f"{one.result.run_id} is not guarded" for one in guarded if one.result.run_id not in used]
    return Verdict(rows, problems, notes, margin)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _missing(same: Sequence[Guarded]) -> str:
    if not same:
        return "there is no readable result of this run: it was not run, failed, or is named above"
    ids = ", ".join(one.result.run_id for one in same)
    return f"{len(same)} results of this run ({ids}): check a folder that holds one of each"


def _held(
    run: BaselineRun, now: Guarded, margin: float, tolerance: float, row: Row
) -> tuple[Row, list[Problem], list[str]]:
    """Compare one run with its baseline."""
    result, problems, notes = now.result, [], []
    dataset = result.dataset
    if caveats := labels(result):
        notes.append(f"{run.name}, {model_name(result)}: {'; '.join(caveats)}")

    def fail(kind: Kind, message: str) -> None:
        problems.append(Problem(kind, message, run.name))

    if not result.complete or dataset.n_evaluated != dataset.n_expected:
        fail("incomplete", f"incomplete: {dataset.n_evaluated} of {dataset.n_expected} images evaluated")
    settings = baseline.settings_of(result)
    for path in dict.fromkeys((*run.settings, *settings)):
        a, b = run.settings.get(path), settings.get(path)
        if a == b:
            continue
        what = f"{path} changed: {shortened(str(a), 60)} -> {shortened(str(b), 60)}"
        if result.senbench_version == run.senbench_version:
            fail("settings", f"{what}, without a new version (senbench {run.senbench_version} both times)")
        else:
            notes.append(f"{run.name}: {what}, with senbench {run.senbench_version} -> {result.senbench_version}")
    paired = len(now.table.ids) == run.n and dataset.index_hash == run.index_hash
    if len(now.table.ids) != run.n:
        fail("images", f"n is {len(now.table.ids):,}, the baseline has {run.n:,}: these are not the same images")
    elif not paired:
        fail("images", f"other images or labels: index {dataset.index_hash[:12]}, was {run.index_hash[:12]}")
    elif now.clusters_hash() != run.clusters_hash:
        paired = False
        fail("images", "the images are in other clusters than before: no paired interval")
    after = result.metrics[run.metric].value if run.metric in result.metrics else None
    row = replace(row, after=after)
    if run.metric != now.metric:
        fail("images", f"the baseline guards {run.metric}, which the result does not have")
        paired = False
    if not paired:
        return row, problems, notes
    differ = guarded_run.moved(run, now)
    far = sorted(
        (one for one in differ if not one.size <= tolerance),
        key=lambda one: (one.name.split()[0] != run.metric, -one.size),
    )
    difference = now.difference(run)
    flipped = next((round(one.size * run.n) for one in differ if one.name.startswith("share of images")), 0)
    row = replace(row, difference=difference, flipped=flipped)
    still = difference.difference == 0 and not flipped  # nothing changed at all
    low = difference.ci[0] if difference.ci is not None else 0.0 if still else None
    inferior = not (low is not None and low > -margin)
    if far:
        listed = ", ".join(f"{one.name} {_number(one.before)} -> {_number(one.after)}" for one in far[:LISTED])
        more = f" and {len(far) - LISTED} more figures" if len(far) > LISTED else ""
        verdict = "" if inferior else ", and is not worse"
        fail(
            "changed",
            f"changed beyond the numeric noise ({tolerance:g}){verdict}: {listed}{more}; if it is meant, "
            "`senbench baseline bless --why ...`",
        )
    if inferior:
        what = f"difference {points(difference.difference)} points, 95 % {interval(difference.ci)}"
        untested = f"it cannot be tested: {difference.interval}"
        reason = untested if low is None else f"the lower end must be above -{100 * margin:g}"
        fail("inferior", f"not shown to be as good as before: {what}; {reason}")
    return row, problems, notes


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
