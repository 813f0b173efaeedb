"""Files from the Hugging Face hub: announced, resumed where they broke off, verified, and put in place whole.

huggingface_hub does the talking (addresses, tokens, retries, progress); the partial file is kept here,
because its own download drops what had arrived when a process ends.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from senbench.errors import SenbenchError, UnavailableError

RepoType = Literal["model", "dataset"]


def endpoint() -> str | None:
    """HF_ENDPOINT as it is now (huggingface_hub reads it only once, at import); None for the public hub."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def offline_by_environment() -> bool:
    """True if HF_HUB_OFFLINE asks for it."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def megabytes(n: int) -> str:
    """Size for people: `7.7 MB`, `2.07 GB`."""
    return f"{n / 1e9:.2f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB" if n >= 1e5 else f"{n / 1e3:.0f} kB"


def fetch(
    repo: str,
    file: str,
    *,
    repo_type: RepoType,
    revision: str | None,
    dest: Path,
    what: str,
    md5: str | None = None,
    sha256: str | None = None,
    size_hint: int | None = None,
    offline: bool = False,
    command: str | None = None,
) -> Path:
    """Path of a hub file under `dest`, fetched unless it is there already.

    The file appears under its name only when it is complete and its checksum fits. What arrived before an
    interruption stays beside it as `<file>.<etag>.partial` and the next call continues from there.

    Args:
        repo: `owner/name`.
        file: Path inside the repository; kept below `dest`.
        repo_type: `model` or `dataset`.
        revision: Commit; None for `main`.
        dest: Folder to put it in.
        what: What the file is, for messages.
        md5: Expected md5, hex.
        sha256: Expected sha256, hex.
        size_hint: Approximate size in bytes, for messages before the hub was asked.
        offline: Open no socket; so does HF_HUB_OFFLINE=1.
        command: The command that fetches it, for messages.

    Returns:
        `dest / file`.

    Raises:
        UnavailableError: Offline and not there, not on the hub, access refused, connection lost,
            checksum differs (the file is deleted), or no space.
    """
    target = dest / file
    if target.is_file():
        return target
    if offline or offline_by_environment():
        size = f" ({megabytes(size_hint)})" if size_hint else ""
        how = f"`{command}`" if command else "the same command without --offline"
        raise UnavailableError(
            f"{what}: {file}{size} is not in {dest}, and nothing is fetched offline; on a networked machine "
            f"run {how}, then copy the file there"
        )
    try:
        dest.mkdir(parents=True, exist_ok=True)
        return _fetch(repo, file, repo_type, revision or "main", target, what, md5, sha256)
    except SenbenchError:
        raise
    except Exception as error:  # whatever the HTTP stack of the day raises: a user must get one line
        raise _explained(error, f"{what}: {file} from {repo}", revision or "main", dest) from error


def list_dataset(repo: str) -> tuple[str, list[str]]:
    """Current commit and file names of a hub data set.

    Args:
        repo: `owner/name`.

    Returns:
        The commit and the sorted file names.

    Raises:
        UnavailableError: The repository cannot be listed.
    """
    try:
        from huggingface_hub import HfApi

        info = HfApi(endpoint=endpoint()).dataset_info(repo)
        return info.sha or "main", sorted(s.rfilename for s in info.siblings or ())
    except Exception as error:  # as above
        raise _explained(error, f"data set {repo}", "main", None) from error


def _fetch(
    repo: str,
    file: str,
    repo_type: RepoType,
    revision: str,
    target: Path,
    what: str,
    md5: str | None,
    sha256: str | None,
) -> Path:
    from filelock import FileLock
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url
    from huggingface_hub.file_download import http_get

    target.parent.mkdir(parents=True, exist_ok=True)
    url = hf_hub_url(repo, file, repo_type=repo_type, revision=revision, endpoint=endpoint())
    with FileLock(f"{target}.lock"):
        if target.is_file():  # another process was faster
            return target
        meta = get_hf_file_metadata(url, endpoint=endpoint())
        # the user's token is for the hub, not for the file servers it may send us to
        own = urlsplit(meta.location).netloc == urlsplit(url).netloc
        headers = {"authorization": f"Bearer {token}"} if own and (token := get_token()) else {}
        tag = re.sub(r"[^0-9A-Za-z]", "", meta.etag or revision)[:16]
        partial = target.with_name(f"{target.name}.{tag}.partial")
        have = partial.stat().st_size if partial.exists() else 0
        if meta.size is not None and have > meta.size:
            partial.unlink()
            have = 0
        _announce(what, file, repo, revision, target, meta.size, have)
        if meta.size is None or have < meta.size:
            with partial.open("ab") as stream:
                http_get(
                    meta.location,
                    stream,
                    resume_size=have,
                    headers=headers,
                    expected_size=meta.size,
                    displayed_filename=target.name,
                )
        for name, expected in (("md5", md5), ("sha256", sha256)):
            _verify(partial, name, expected, f"{what}: {file} from {repo}")
        partial.replace(target)
    Path(f"{target}.lock").unlink(missing_ok=True)
    return target


def _announce(what: str, file: str, repo: str, revision: str, target: Path, size: int | None, have: int) -> None:
    length = megabytes(size) if size else "size unknown"
    begun = f", {megabytes(have)} of it here already" if have else ""
    print(
        f"fetching {what}: {file} ({length}{begun}) from {repo} at {revision[:12]} into {target.parent}",
        file=sys.stderr,
        flush=True,
    )
    if size and (free := shutil.disk_usage(target.parent).free) < size - have:
        raise UnavailableError(
            f"{what}: {file} needs {megabytes(size - have)}, {target.parent} has {megabytes(free)} free; "
            "make room or set SENBENCH_HOME to another disk"
        )


def _verify(path: Path, algorithm: str, expected: str | None, what: str) -> None:
    if expected is None:
        return
    found = digest(path, algorithm)
    if found != expected:
        path.unlink()
        raise UnavailableError(
            f"{what}: {algorithm} is {found}, expected {expected}; the damaged file was deleted, run again"
        )


def digest(path: Path, algorithm: str) -> str:
    """Hex digest of a file by an algorithm of hashlib, e.g. `md5`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _explained(error: Exception, what: str, revision: str, dest: Path | None) -> UnavailableError:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    code = (getattr(response, "headers", None) or {}).get("X-Error-Code", "")
    if status in (401, 403):
        return UnavailableError(
            f"{what}: the hub refuses access (HTTP {status}): the repository is gated, private or does not "
            "exist; accept its terms on its page, log in with `hf auth login`, or check the name"
        )
    if status == 404:
        missing = {"RepoNotFound": "no such repository", "RevisionNotFound": f"no revision {revision}"}
        return UnavailableError(
            f"{what}: {missing.get(code, f'no such file at revision {revision}')} on the hub (HTTP 404); "
            "check HF_ENDPOINT if it is set"
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UnavailableError(f"{what}: the disk of {dest} is full; make room or set SENBENCH_HOME elsewhere")
    if isinstance(error, PermissionError):
        return UnavailableError(f"{what}: {error.filename or dest} is not writable; set SENBENCH_HOME elsewhere")
    reason = " ".join(str(error).split())[:160] or "no reason given"
    kept = " (what arrived is kept: run again to continue)" if dest and any(dest.rglob("*.partial")) else ""
    return UnavailableError(
        f"{what}: cannot be fetched from {endpoint() or 'the hub'}: {type(error).__name__}: {reason}{kept}; "
        "check the network and HF_ENDPOINT"
    )
