"""Files of the Hugging Face hub: addresses and tokens; `senbench.io.download` fetches them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from senbench.io.download import Remote, Server, explained, patience

RepoType = Literal["model", "dataset"]


def endpoint() -> str | None:
    """Return the present HF_ENDPOINT (huggingface_hub reads it once, at import); None for the public hub."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


@dataclass(frozen=True)
class RepoFile:
    """A file of a repository as the origin of a `download.Fetch`."""

    repo: str
    """`owner/name`."""
    name: str
    """Path inside the repository."""
    repo_type: RepoType = "model"
    revision: str | None = None
    """Commit; None for `main`."""

    @property
    def server(self) -> Server:
        """Return the hub with explanations of its errors."""
        revision = self.revision or "main"
        missing = "no such file" if revision == "main" else f"no such file at revision {revision}"
        return Server(
            name=endpoint() or "the hub",
            place=f"{self.repo} at {revision[:12]}",
            refused="the repository is gated, private or does not exist; accept its terms on its page, log in with "
            "`hf auth login`, or check the name",
            missing={"RepoNotFound": "no such repository", "RevisionNotFound": f"no revision {revision}", "": missing},
            stale="check HF_ENDPOINT if it is set",
            advice="check the network and HF_ENDPOINT",
        )

    def check(self, what: str) -> None:
        """Accept every address, since HF_ENDPOINT is the user's choice."""

    def look(self, what: str) -> Remote:
        """Ask the hub; the user's token is sent to the hub, not to the file servers it redirects to."""
        from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

        revision = self.revision or "main"
        url = hf_hub_url(self.repo, self.name, repo_type=self.repo_type, revision=revision, endpoint=endpoint())
        meta = get_hf_file_metadata(url, endpoint=endpoint(), timeout=patience())
        same_host = urlsplit(meta.location).netloc == urlsplit(url).netloc
        headers = {"authorization": f"Bearer {token}"} if same_host and (token := get_token()) else {}
        tag = re.sub(r"[^0-9A-Za-z]", "", meta.etag or revision)[:16]
        sha256, git_sha1 = stated(meta.etag)
        return Remote(meta.location, meta.size, tag, headers, sha256, git_sha1, meta.commit_hash or revision)


def stated(etag: str | None) -> tuple[str | None, str | None]:
    """Return the hash that an ETag of the hub contains.

    Args:
        etag: As the hub sent it.

    Returns:
        The sha256, which files in LFS have, and git's hash, which all others have; one of the two is None.
    """
    sha256, git_sha1 = (etag if etag and re.fullmatch(rf"[0-9a-f]{{{n}}}", etag) else None for n in (64, 40))
    return sha256, git_sha1


def list_repo(repo: str, *, repo_type: RepoType, revision: str | None = None) -> tuple[str, list[str]]:
    """Return commit and file names of a repository.

    Args:
        repo: `owner/name`.
        repo_type: `model` or `dataset`.
        revision: Branch, tag or commit; None: what is current.

    Returns:
        The commit and the sorted file names.

    Raises:
        UnavailableError: The repository cannot be listed.
    """
    kind = {"model": "model", "dataset": "dataset"}[repo_type]
    try:
        from huggingface_hub import HfApi

        api = HfApi(endpoint=endpoint())
        info = (api.model_info if repo_type == "model" else api.dataset_info)(
            repo, revision=revision, timeout=patience()
        )
        return info.sha or "main", sorted(s.rfilename for s in info.siblings or ())
    except Exception as error:  # the HTTP library may raise anything; the user gets one line
        raise explained(error, f"{kind} {repo}", RepoFile(repo, "", revision=revision).server) from error
