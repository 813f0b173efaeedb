"""Hold the ratios of a run of the benchmarks against those that are kept for this machine; seconds are never judged.

    uv run pytest benchmarks --benchmark-json new.json
    uv run python benchmarks/compare.py new.json            exit code 1 where a ratio fell below 0.8 of the kept one
    uv run python benchmarks/compare.py new.json --again    measure what fell so far again, twice at most, before that
    uv run python benchmarks/compare.py a.json b.json --keep    keep medians: benchmarks/baselines/<machine>.json

A fall of more than 10 % is a warning. What was not run this time, or is not kept, is named and not judged. Noise of a
busy machine passes, a slower kernel does not: of several measurements the best is judged.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT = HERE / "baselines"
WARNS, FAILS = 0.9, 0.8
TIMES = 2
"""How often what fell too far is measured again."""


def ratios(data: dict[str, Any]) -> dict[str, float]:
    """Name of a benchmark -> its ratio, from pytest-benchmark's JSON; those without one are left out."""
    found = data["benchmarks"]
    return {f"{b['group']}: {b['name']}": b["extra_info"]["ratio"] for b in found if "ratio" in b["extra_info"]}


def machine(data: dict[str, Any]) -> str:
    """File name of the machine that a run was made on: its processor and threads."""
    told = data["machine_info"]["senbench"]
    return re.sub(r"[^a-z0-9]+", "-", f"{told['cpu']} {told['threads']} threads".lower()).strip("-")


def fallen(new: dict[str, float], kept: dict[str, float]) -> list[str]:
    """Names of what fell too far."""
    return [name for name in sorted(new.keys() & kept.keys()) if new[name] < FAILS * kept[name]]


def judged(new: dict[str, float], kept: dict[str, float]) -> list[str]:
    """A line for each benchmark."""
    lines = []
    for name in sorted(new.keys() | kept.keys()):
        if name not in new or name not in kept:
            lines.append(f"        {name}: {'not run' if name not in new else f'{new[name]:.2f}, nothing is kept'}")
            continue
        share = new[name] / kept[name]
        word = "FAILS" if share < FAILS else "warns" if share < WARNS else "ok"
        lines.append(f"{word:7} {name}: {new[name]:.2f}, kept {kept[name]:.2f}: {share:.2f} of it")
    return lines


def measured(tests: list[str]) -> dict[str, float]:
    """Ratios of these benchmarks, by their places (`test_text.py::test_mini`), measured now."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "again.json"
        command = [sys.executable, "-m", "pytest", *(str(HERE / test) for test in tests), "-m", ""]
        subprocess.run([*command, "--benchmark-json", str(file)], check=False, stdout=subprocess.DEVNULL)
        return ratios(json.loads(file.read_text())) if file.exists() and file.stat().st_size else {}


def places(data: dict[str, Any]) -> dict[str, str]:
    """Name of a benchmark -> where pytest finds it, from the folder of the benchmarks."""
    return {f"{b['group']}: {b['name']}": f"{b['fullname'].rpartition('/')[2]}" for b in data["benchmarks"]}


def main(words: list[str]) -> int:
    """Compare or keep; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", type=Path, nargs="+")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--baselines", type=Path, default=KEPT)
    options = parser.parse_args(words)
    runs = [json.loads(file.read_text()) for file in options.new]
    place = options.baselines / f"{machine(runs[0])}.json"
    every: dict[str, list[float]] = {}
    for run in runs:
        for name, ratio in ratios(run).items():
            every.setdefault(name, []).append(ratio)
    kept = json.loads(place.read_text()) if place.exists() else {}
    if options.keep:
        new = {name: round(statistics.median(found), 3) for name, found in every.items()}
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({**kept, **new}, indent=1, sort_keys=True) + "\n")
        print(f"kept {len(new)} ratios in {place.name}")
        return 0
    if not kept:
        print(f"nothing is kept for this machine ({place.name}): nothing is judged; --keep keeps these ratios")
        return 0
    new, where = {name: max(found) for name, found in every.items()}, places(runs[-1])
    for _ in range(TIMES if options.again else 0):
        if names := fallen(new, kept):
            print(f"measured again: {', '.join(names)}", flush=True)
            for name, ratio in measured([where[name] for name in names]).items():
                new[name] = max(new.get(name, 0.0), ratio)
    print("\n".join(judged(new, kept)))
    return 1 if fallen(new, kept) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
