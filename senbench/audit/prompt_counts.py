"""Is a file of what single prompts get right one of the results beside it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import UsageError
from senbench.results import single_prompts_file, store

if TYPE_CHECKING:
    from pathlib import Path


def findings(path: Path) -> list[str]:
    """Everything in a `single-prompts-<hash>.json` that does not go with the results beside it, one line each.

    The counts need the embeddings and cannot be made again: they are bound by the name of the file.

    Args:
        path: The file, among the folders of its results.
    """
    try:
        found = single_prompts_file.load(path)
        results = {name: store.load(path.parent / name) for name in found.right}
    except UsageError as error:
        return [str(error)]
    lines = []
    if path.name != (own := single_prompts_file.name(found)):
        lines.append(f"{path.name} is not named by what it holds, {own}")
    for name, counts in found.right.items():
        data = results[name].dataset
        stated = found.dataset, found.split, found.index_hash, found.n
        if stated != (data.id, data.split, data.index_hash, data.n_evaluated):
            lines.append(f"{name} is a result on other images")
        if len(counts) != len(found.prompts):
            lines.append(f"{name} has {len(counts)} counts for {len(found.prompts)} prompts")
        if counts and not 0 <= min(counts) <= max(counts) <= found.n:
            lines.append(f"{name} has counts from {min(counts)} to {max(counts)} of {found.n} images")
    return lines
