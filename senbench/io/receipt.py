"""Records next to a downloaded file its revision and its sha256."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.io import checked_json

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, revision: str, sha256: str) -> None:
    """Record the revision of a downloaded file; errors of the disk are ignored.

    Args:
        path: The file.
        revision: Commit of its repository, or ETag of its address (`http.UNVERSIONED` where it has none).
        sha256: Hash of its bytes, hex.
    """
    checked_json.write(_beside(path), {"revision": revision, "sha256": sha256})


def revision(path: Path, sha256: str) -> str | None:
    """Return the revision at which a file was downloaded.

    Args:
        path: The file.
        sha256: Hash of its present bytes, hex; it tells whether the file was replaced since.

    Returns:
        Commit or ETag; None if this program did not download the file, or it was replaced since.
    """
    noted = checked_json.read(_beside(path))
    same = isinstance(noted, dict) and noted.get("sha256") == sha256
    return str(noted["revision"]) if same and noted.get("revision") else None


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.fetched.json")
