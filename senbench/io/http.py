"""Files at a direct https address; `senbench.io.download` does the rest."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from senbench.errors import UnavailableError, UsageError
from senbench.io.download import Order, Remote, Server, obtain, patience

if TYPE_CHECKING:
    from pathlib import Path

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
HOPS = 5
"""Redirects that are followed."""


def fetch(
    url: str,
    target: Path,
    *,
    what: str,
    member: str | None = None,
    md5: str | None = None,
    sha256: str | None = None,
    size_hint: int | None = None,
    offline: bool = False,
    command: str | None = None,
    notice: str | None = None,
) -> Path:
    """Path of a file from a direct address, fetched unless it is there already (see `download.obtain`).

    Args:
        url: https address; http only for this machine. No token is sent to it.
        target: Where to put the file.
        what: What the file is, for messages.
        member: The file is this member of a zip at `url`; only it is kept.
        md5: Expected md5 of the file, hex.
        sha256: Expected sha256 of the file, hex.
        size_hint: Approximate bytes to fetch, for messages before the server was asked.
        offline: Open no socket; so does HF_HUB_OFFLINE=1.
        command: The command that fetches it, for messages.
        notice: A line shown when something is really fetched.

    Returns:
        `target`.

    Raises:
        UsageError: The address is not https.
        UnavailableError: As `download.obtain`.
    """
    if not secure(url):
        raise UsageError(f"{what}: {url} is no https address; without it the bytes could be changed on their way")
    host = urlsplit(url).hostname or ""
    order = Order(
        look=lambda: _look(url, what),
        server=Server(
            name=host,
            refused="the address needs a login or has moved; fetch the file by hand",
            missing={"": "no such file"},
            stale="the address may be out of date",
            advice="check the network",
        ),
        what=what,
        file=name_of(url),
        origin=host,
        member=member,
        md5=md5,
        sha256=sha256,
        size_hint=size_hint,
        command=command,
        notice=notice,
    )
    return obtain(order, target, offline=offline)


def name_of(url: str) -> str:
    """File name at the end of an address."""
    return PurePosixPath(unquote(urlsplit(url).path)).name or "download"


def secure(url: str) -> bool:
    """True for https, and for http on this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in THIS_MACHINE)
    )


def _look(url: str, what: str) -> Remote:
    """Size and place of the file, after redirects; every hop must be secure."""
    from huggingface_hub import get_hf_file_metadata
    from huggingface_hub.errors import HfHubHTTPError

    first = url
    etag, size = None, None
    for _ in range(HOPS):
        try:
            meta = get_hf_file_metadata(url, token=False, timeout=patience())
        except HfHubHTTPError as error:
            if error.response.status_code not in (405, 501):
                raise
            break  # it does not answer HEAD: the size comes with the file
        etag, size, moved = meta.etag, meta.size, urljoin(url, meta.location)
        if not secure(moved):
            raise UnavailableError(
                f"{what}: {urlsplit(first).hostname} redirects to {urlsplit(moved).scheme}://{urlsplit(moved).netloc}, "
                "which is no https address: refused"
            )
        if size is not None or moved == url:
            url = moved
            break
        url = moved
    tag = re.sub(r"[^0-9A-Za-z]", "", etag or "") or hashlib.sha256(f"{first} {size}".encode()).hexdigest()
    return Remote(url, size, tag[:16])
