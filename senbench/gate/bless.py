"""Accepts results as the new baseline, recording when, why, optionally who, and what it replaces."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import senbench
from senbench.audit import admission
from senbench.errors import UsageError
from senbench.gate import baseline, guarded_run
from senbench.results import store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from senbench.gate.baseline import Baseline, BaselineRun
    from senbench.gate.guarded_run import Guarded

MAX_WHY = 2000


def bless(
    results: Path,
    out: Path,
    why: str,
    repeat: Path | None = None,
    *,
    who: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Baseline:
    """Write the results of a folder as the baseline, continuing the history of an existing one.

    Args:
        results: Folder of result folders. All of them except trial runs become the guarded runs; others are removed.
        out: Baseline to write.
        why: Reason.
        repeat: Folder with the same runs under settings that should not matter (batch size, device); the largest
            change between the two is the numeric noise. None if not measured.
        who: Name to record; None records none, nothing is read from this machine.
        say: Called with a line that says how many results were left out, and why.

    Returns:
        The baseline as written.

    Raises:
        UsageError: There is no reason or no result; a result is incomplete, unreadable or contradicts itself; two have
            the same name; or the repeat is another run or differs by more than noise.
        UnavailableError: The baseline cannot be written.
    """
    why = " ".join(why.split())
    if not 0 < len(why) <= MAX_WHY:
        raise UsageError(f"--why has {len(why)} characters; say in 1 to {MAX_WHY} why these results are right")
    if repeat is not None and repeat.resolve() == results.resolve():
        raise UsageError(f"--repeat {repeat} is --results: run the same again with another --batch-size, into a folder")
    folders = store.folders(results)
    every = [guarded_run.read(folder) for folder in folders]
    again = [] if repeat is None else [guarded_run.read(folder) for folder in store.folders(repeat)]
    candidates = [one for one in every if not one.result.trial]
    if not candidates:
        raise UsageError(f"{results} holds trial runs (--limit) only: run without --limit what is to be guarded")
    for one, folder in zip(every, folders, strict=True):
        if not one.result.trial:
            admission.refuse(folder)
    if (n := len(every) - len(candidates)) and say is not None:
        say(f"{n} trial run{'s' * (n > 1)} (--limit) left out: incomplete, they cannot be a baseline")
    for one in candidates:
        if not one.result.complete:
            n, of = one.result.dataset.n_evaluated, one.result.dataset.n_expected
            raise UsageError(f"{one.result.run_id} is incomplete ({n} of {of} images): it cannot be a baseline")
    noises = (_noise(one, again, repeat) for one in candidates)
    runs = [one.kept(noise, measured=measured) for one, (noise, measured) in zip(candidates, noises, strict=True)]
    named: dict[str, BaselineRun] = {}
    for run in runs:
        if other := named.get(run.name):
            raise UsageError(f"{other.run_id} and {run.run_id} are the same run ({run.name}): keep one of them")
        named[run.name] = run
    old = baseline.read(out) if out.exists() else None
    before = {} if old is None else {run.name: run for run in old.runs}
    entry = baseline.Blessing(
        who=" ".join((who or "").split()) or None,
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        why=why,
        senbench_version=senbench.__version__,
        runs={
            **{name: _fate(run, before.get(name)) for name, run in named.items()},
            **{name: "removed" for name in before if name not in named},
        },
    )
    new = baseline.Baseline(runs=tuple(runs), history=(*(() if old is None else old.history), entry))
    store.write_text(out, store.as_json(new) + "\n", "--out")
    return new


def _noise(one: Guarded, again: Sequence[Guarded], repeat: Path | None) -> tuple[float, bool]:
    """Return the numeric noise of a run, and whether it was measured on all images, by `--noise` or a repeat."""
    measured_noise = one.result.noise
    floor = max(baseline.ROUNDING, 0.0 if measured_noise is None else measured_noise.floor)
    if floor > baseline.MAX_NOISE:
        raise UsageError(f"{one.result.run_id}: --noise measured {floor:g}, which is too large for numeric noise")
    if repeat is None:
        return floor, measured_noise is not None and measured_noise.whole
    key, passed = baseline.key_of(one.result), baseline.passed_of(one.result)
    same, name = guarded_run.of_run(again, key, passed), " ".join(key)
    if len(same) != 1:
        raise UsageError(f"--repeat {repeat} holds {len(same)} results of {name}; expected 1")
    other = same[0]
    if one.table.ids != other.table.ids or one.result.dataset.index_hash != other.result.dataset.index_hash:
        raise UsageError(f"--repeat: {name} saw other images there, so that it does not measure noise")
    differ = guarded_run.moved(one.kept(baseline.ROUNDING, measured=False), other)
    far = max(differ, key=lambda x: x.size, default=guarded_run.Moved("", 0.0, 0.0))
    if far.size > baseline.MAX_NOISE:
        what = f"{far.name} {far.before} and {far.after}"
        raise UsageError(f"--repeat: {name} differs by {far.size:g} ({what}), which is too large for numeric noise")
    return max(far.size, floor), True


def _fate(run: BaselineRun, before: BaselineRun | None) -> str:
    if before is None:
        return "added"
    ignored = {"run_id", "senbench_version"}
    return "unchanged" if run.model_dump(exclude=ignored) == before.model_dump(exclude=ignored) else "changed"
