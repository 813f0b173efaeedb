"""Beside a fetched file: at which revision it was fetched, and the sha256 of what arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.io import checked_json

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, revision: str, sha256: str) -> None:
    """Note what was fetched; where the disk refuses, nothing is noted.

    Args:
        path: The file.
        revision: Commit of its repository, or ETag of its address (`http.UNVERSIONED` where it has none).
        sha256: Hash of its bytes, hex.
    """
    checked_json.write(_beside(path), {"revision": revision, "sha256": sha256})


def revision(path: Path, sha256: str) -> str | None:
    """The revision that a file was fetched at.

    Args:
        path: The file.
        sha256: Hash of its bytes as they are now, hex: a file that was replaced was not fetched.

    Returns:
        Commit or ETag; None: it was not fetched by this program, or is another file now.
    """
    noted = checked_json.read(_beside(path))
    same = isinstance(noted, dict) and noted.get("sha256") == sha256
    return str(noted["revision"]) if same and noted.get("revision") else None


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.fetched.json")
