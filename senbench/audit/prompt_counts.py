"""Checks a file of single prompts' correct answers against the results next to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import UsageError
from senbench.results import single_prompts_file, store

if TYPE_CHECKING:
    from pathlib import Path


def findings(path: Path) -> list[str]:
    """Return every contradiction between a `single-prompts-<hash>.json` and the results next to it, one line each.

    The counts need the embeddings and cannot be recomputed; they are bound by the hash in the file's name.

    Args:
        path: The file, among the folders of its results.
    """
    try:
        counts_file = single_prompts_file.load(path)
        results = {name: store.load(path.parent / name) for name in counts_file.right}
    except UsageError as error:
        return [str(error)]
    lines = []
    if path.name != (expected_name := single_prompts_file.name(counts_file)):
        lines.append(f"{path.name} is not named by what it holds, {expected_name}")
    for name, counts in counts_file.right.items():
        data = results[name].dataset
        stated = counts_file.dataset, counts_file.split, counts_file.index_hash, counts_file.n
        if stated != (data.id, data.split, data.index_hash, data.n_evaluated):
            lines.append(f"{name} is a result on other images")
        if len(counts) != len(counts_file.prompts):
            lines.append(f"{name} has {len(counts)} counts for {len(counts_file.prompts)} prompts")
        if counts and not 0 <= min(counts) <= max(counts) <= counts_file.n:
            lines.append(f"{name} has counts from {min(counts)} to {max(counts)} of {counts_file.n} images")
    return lines
