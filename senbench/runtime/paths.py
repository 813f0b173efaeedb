"""Locations of shipped data (checkout or wheel) and of the user's SENBENCH_HOME."""

from __future__ import annotations

import os
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_HOME_FOLDER = re.compile(r"~[^/\\]*|/root|(?:/[^/]+)*/(?:home|Users)/[^/]+|[A-Za-z]:[/\\]Users[/\\][^/\\]+")
"""Matches a user's home folder as operating systems name it."""


def shipped(name: str) -> Path:
    """Return the data folder `prompts` or `leaderboard`, from the wheel or the checkout.

    Args:
        name: Folder name.

    Returns:
        Absolute path of the folder.
    """
    inside = PACKAGE / "_data" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def home() -> Path:
    """Return SENBENCH_HOME, the folder of weights, data and cache; by default `senbench` in the user's cache folder."""
    if value := os.environ.get("SENBENCH_HOME"):
        return Path(value).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "senbench"


def weights_folder(model: str) -> Path:
    """Return the folder below SENBENCH_HOME for the files of one model.

    Args:
        model: Model id; `:` and `/` of ids such as `hf:owner/name` become `--`.
    """
    return home() / "weights" / model.replace(":", "--").replace("/", "--")


def base_name(path: str) -> str:
    """Return the last part of a path of any operating system, which is what a result records of it.

    Args:
        path: A path as passed; a name without separators is its own base name.

    Returns:
        The name without its folders; `~` for a home folder, which would reveal the user's name.
    """
    plain = path.rstrip("/\\") if len(path) > 1 else path
    if _HOME_FOLDER.fullmatch(plain):
        return "~"
    return re.split(r"[/\\]", plain)[-1] or "."
