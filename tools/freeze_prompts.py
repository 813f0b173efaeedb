"""Freeze the shipped prompt styles: write the hash of what each version renders to prompts/frozen.json.

    python tools/freeze_prompts.py

Adds styles and versions that are not there yet, with today's date, and to a version the vocabularies that have what it
needs since then. What is there stays: a style whose render changed under the same version is refused, so a change needs
a new version in the template's first line, and the template of before as `prompts/older/STYLE@VERSION.j2`, which must
render what it did.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.prompts import list_styles, load_prompts, load_vocabulary
from senbench.prompts.frozen import FILE
from senbench.prompts.versions import FOLDER

if TYPE_CHECKING:
    from senbench.schema.dataset import Vocabulary

PATH = Path(__file__).resolve().parents[1] / "prompts" / FILE
DATASETS = ("eurosat", "bigearthnet-v2", "bigearthnet-v1-43")
STATEMENT = (
    "On the date of each entry no score of released weights existed in this project: no machine of it had any. "
    "No prompt was written, chosen or left out by its score."
)


def hashes(style: str) -> dict[str, dict[str, str]]:
    """Vocabulary -> class-name set -> hash of all prompts; without vocabularies that lack what it needs."""
    found: dict[str, dict[str, str]] = {}
    for dataset in DATASETS:
        info = dataset_info(dataset)
        vocabulary = _vocabulary(info.vocabulary)
        for names in vocabulary.classes[0].names:
            try:
                prompts = load_prompts(style, info, vocabulary, names)
            except UsageError as error:
                if re.search(r" needs [^,]+, but class ", str(error)):
                    break
                raise
            found.setdefault(info.vocabulary, {})[names] = prompts.hash
    return found


@cache
def _vocabulary(name: str) -> Vocabulary:
    return load_vocabulary(name)


def freeze(styles: dict[str, list[dict[str, Any]]], style: str, version: int, today: str) -> str | None:
    """Add an entry where there is none; what is wrong, or None."""
    entries = styles.setdefault(style, [])
    rendered = hashes(style)
    if entries and entries[-1]["version"] == version:
        return _extended(entries[-1], rendered, f"{style}: version {version}", today)
    if entries and version != int(str(entries[-1]["version"])) + 1:
        return f"{style}: version {version} does not follow version {entries[-1]['version']}"
    for entry in entries:
        if problem := _changed(f"{style}@{entry['version']}", entry["hashes"]):
            return problem
    entries.append({"version": version, "date": today, "hashes": rendered})
    return None


def _extended(entry: dict[str, Any], rendered: dict[str, dict[str, str]], what: str, today: str) -> str | None:
    """Add the vocabularies that a frozen version could not be rendered for before; what is wrong, or None."""
    known = entry["hashes"]
    if known != {vocabulary: rendered.get(vocabulary) for vocabulary in known}:
        return f"{what} renders something else now; state version {int(entry['version']) + 1}"
    for vocabulary in rendered.keys() - known.keys():
        known[vocabulary] = rendered[vocabulary]
        if today != entry["date"]:
            entry.setdefault("added", {})[vocabulary] = today
    return None


def _changed(source: str, then: object) -> str | None:
    """What is wrong with an older version of a style, or None."""
    try:
        same = hashes(source) == then
    except UsageError as error:
        return f"{error}; keep the template of before as prompts/{FOLDER}/{source}.j2"
    return None if same else f"{source} renders something else than it did; mend prompts/{FOLDER}/{source}.j2"


def main() -> None:
    """Write the file, or say what is wrong and write nothing."""
    styles = json.loads(PATH.read_text(encoding="utf-8"))["styles"] if PATH.is_file() else {}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    wrong = []
    for summary in list_styles():
        if summary.version is None:
            wrong.append(f"{summary.style}: {summary.file} states no version in its first line")
        elif problem := freeze(styles, summary.style, summary.version, today):
            wrong.append(problem)
    if wrong:
        sys.exit("\n".join(wrong))
    text = json.dumps({"statement": STATEMENT, "styles": dict(sorted(styles.items()))}, indent=1)
    PATH.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
