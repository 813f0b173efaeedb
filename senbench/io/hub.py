"""Files of the Hugging Face hub: addresses and tokens; `senbench.io.download` does the rest."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from senbench.io.download import (
    Order,
    Remote,
    Server,
    digest,
    explained,
    megabytes,
    obtain,
    offline_by_environment,
    patience,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["digest", "endpoint", "fetch", "list_dataset", "list_repo", "megabytes", "offline_by_environment"]

RepoType = Literal["model", "dataset"]


def endpoint() -> str | None:
    """HF_ENDPOINT as it is now (huggingface_hub reads it only once, at import); None for the public hub."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


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
    notice: str | None = None,
) -> Path:
    """Path of a hub file under `dest`, fetched unless it is there already (see `download.obtain`).

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
        notice: A line shown when something is really fetched.

    Returns:
        `dest / file`.

    Raises:
        UnavailableError: Offline and not there, not on the hub, access refused, connection lost,
            checksum differs (the file is deleted), or no space.
    """
    order = Order(
        look=lambda: _look(repo, file, repo_type, revision or "main"),
        server=_server(revision or "main"),
        what=what,
        file=file,
        origin=f"{repo} at {(revision or 'main')[:12]}",
        md5=md5,
        sha256=sha256,
        size_hint=size_hint,
        command=command,
        notice=notice,
    )
    return obtain(order, dest / file, offline=offline)


def list_repo(repo: str, *, repo_type: RepoType) -> tuple[str, list[str]]:
    """Current commit and file names of a repository.

    Args:
        repo: `owner/name`.
        repo_type: `model` or `dataset`.

    Returns:
        The commit and the sorted file names.

    Raises:
        UnavailableError: The repository cannot be listed.
    """
    kind = {"model": "model", "dataset": "data set"}[repo_type]
    try:
        from huggingface_hub import HfApi

        api = HfApi(endpoint=endpoint())
        info = (api.model_info if repo_type == "model" else api.dataset_info)(repo, timeout=patience())
        return info.sha or "main", sorted(s.rfilename for s in info.siblings or ())
    except Exception as error:  # whatever the HTTP stack of the day raises: a user must get one line
        raise explained(error, f"{kind} {repo}", _server("main")) from error


def list_dataset(repo: str) -> tuple[str, list[str]]:
    """`list_repo` of a data set."""
    return list_repo(repo, repo_type="dataset")


def _look(repo: str, file: str, repo_type: RepoType, revision: str) -> Remote:
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

    url = hf_hub_url(repo, file, repo_type=repo_type, revision=revision, endpoint=endpoint())
    meta = get_hf_file_metadata(url, endpoint=endpoint(), timeout=patience())
    # the user's token is for the hub, not for the file servers it may send us to
    own = urlsplit(meta.location).netloc == urlsplit(url).netloc
    headers = {"authorization": f"Bearer {token}"} if own and (token := get_token()) else {}
    return Remote(meta.location, meta.size, re.sub(r"[^0-9A-Za-z]", "", meta.etag or revision)[:16], headers)


def _server(revision: str) -> Server:
    missing = "no such file" if revision == "main" else f"no such file at revision {revision}"
    return Server(
        name=endpoint() or "the hub",
        refused="the repository is gated, private or does not exist; accept its terms on its page, log in with "
        "`hf auth login`, or check the name",
        missing={"RepoNotFound": "no such repository", "RevisionNotFound": f"no revision {revision}", "": missing},
        stale="check HF_ENDPOINT if it is set",
        advice="check the network and HF_ENDPOINT",
    )
