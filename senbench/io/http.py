"""Files at a direct https address; `senbench.io.download` fetches them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from senbench.errors import UnavailableError, UsageError
from senbench.io.download import Remote, Server, patience
from senbench.io.hub import stated

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
HOPS = 5
"""Most redirects followed."""
UNVERSIONED = "no ETag"
"""Revision of a file whose server states neither an ETag nor a commit."""


@dataclass(frozen=True)
class Address:
    """A direct address as the origin of a `download.Fetch`; no token is ever sent to it."""

    url: str
    """Address with https; http is allowed for this machine only."""

    @property
    def name(self) -> str:
        """Return the file name at the end of the address."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name or "download"

    @property
    def server(self) -> Server:
        """Return the host with explanations of its errors."""
        host = urlsplit(self.url).hostname or ""
        return Server(
            name=host,
            place=host,
            refused="the address needs a login or has moved; fetch the file by hand",
            missing={"": "no such file"},
            stale="the address may be out of date",
            advice="check the network",
        )

    def check(self, what: str) -> None:
        """Raise UsageError unless the address is secure."""
        if not secure(self.url):
            raise UsageError(
                f"{what}: {self.url} is not an https address; without https the bytes could be changed on their way"
            )

    def look(self, what: str) -> Remote:
        """Return size and final address of the file; every redirect must be secure."""
        from huggingface_hub import get_hf_file_metadata
        from huggingface_hub.errors import HfHubHTTPError

        url, etag, size, hashes = self.url, None, None, stated(None)
        for _ in range(HOPS):
            try:
                meta = get_hf_file_metadata(url, token=False, timeout=patience())
            except HfHubHTTPError as error:
                if error.response.status_code not in (405, 501):
                    raise
                break  # the server does not answer HEAD: the size comes with the file
            etag, size, asked, url = meta.etag, meta.size, url, urljoin(url, meta.location)
            if meta.commit_hash is not None:  # an address of the hub, whose ETag is a hash of the bytes
                hashes = stated(etag)
            if not secure(url):
                raise UnavailableError(
                    f"{what}: {self.server.name} redirects to {urlsplit(url).scheme}://{urlsplit(url).netloc}, which "
                    "is not an https address: refused"
                )
            if size is not None or url == asked:
                break
        tag = re.sub(r"[^0-9A-Za-z]", "", etag or "") or hashlib.sha256(f"{self.url} {size}".encode()).hexdigest()
        return Remote(url, size, tag[:16], {}, *hashes, revision=etag or UNVERSIONED)


def secure(url: str) -> bool:
    """Return True for https, and for http on this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in THIS_MACHINE)
    )
