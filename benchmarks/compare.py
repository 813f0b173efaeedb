"""Hold the ratios of a run of the benchmarks against those that are kept for this machine; seconds are never judged.

    uv run pytest benchmarks --benchmark-json new.json
    uv run python benchmarks/compare.py new.json            exit code 1 where a ratio fell below 0.8 of the kept one
    uv run python benchmarks/compare.py new.json --keep     keep them: benchmarks/baselines/<machine>.json

A fall of more than 10 % is a warning. What was not run this time, or is not kept, is named and not judged.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "baselines"
WARNS, FAILS = 0.9, 0.8


def ratios(data: dict[str, Any]) -> dict[str, float]:
    """Name of a benchmark -> its ratio, from pytest-benchmark's JSON; those without one are left out."""
    found = data["benchmarks"]
    return {f"{b['group']}: {b['name']}": b["extra_info"]["ratio"] for b in found if "ratio" in b["extra_info"]}


def machine(data: dict[str, Any]) -> str:
    """File name of the machine that a run was made on: its processor and threads."""
    told = data["machine_info"]["senbench"]
    return re.sub(r"[^a-z0-9]+", "-", f"{told['cpu']} {told['threads']} threads".lower()).strip("-")


def judged(new: dict[str, float], kept: dict[str, float]) -> tuple[list[str], bool]:
    """A line for each benchmark, and whether none fell too far."""
    lines, sound = [], True
    for name in sorted(new.keys() | kept.keys()):
        if name not in new or name not in kept:
            lines.append(f"        {name}: {'not run' if name not in new else f'{new[name]:.2f}, nothing is kept'}")
            continue
        share = new[name] / kept[name]
        word = "FAILS" if share < FAILS else "warns" if share < WARNS else "ok"
        sound &= word != "FAILS"
        lines.append(f"{word:7} {name}: {new[name]:.2f}, kept {kept[name]:.2f}: {share:.2f} of it")
    return lines, sound


def main(words: list[str]) -> int:
    """Compare or keep; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("new", type=Path)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--baselines", type=Path, default=KEPT)
    options = parser.parse_args(words)
    data = json.loads(options.new.read_text())
    place = options.baselines / f"{machine(data)}.json"
    new, kept = ratios(data), json.loads(place.read_text()) if place.exists() else {}
    if options.keep:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({**kept, **new}, indent=1, sort_keys=True) + "\n")
        print(f"kept {len(new)} ratios in {place.name}")
        return 0
    if not kept:
        print(f"nothing is kept for this machine ({place.name}): nothing is judged; --keep keeps these ratios")
        return 0
    lines, sound = judged(new, kept)
    print("\n".join(lines))
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
