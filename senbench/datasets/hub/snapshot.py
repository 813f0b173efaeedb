"""The files of a hub dataset at one commit, fetched once and kept below SENBENCH_HOME."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from senbench.errors import UnavailableError, UsageError
from senbench.io import checked_json, download, hub
from senbench.runtime.dataset_names import add_options, with_options
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "hf:"
OPTIONS = ("image", "label", "bands")
"""What may follow a name: `hf:OWNER/NAME?image=COLUMN&label=COLUMN&bands=B04,B03,B02`."""
_NAME = re.compile(r"(\w[\w.-]*/\w[\w.-]*?)(?:@(\w[\w.-]*))?(?:/(\w[\w.-]*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NO_DATA = re.compile(r".*\.(?:py|ipynb|gitattributes|gitignore)|\.git.*", re.IGNORECASE)
"""Files that hold no data; code of a repository is never fetched."""


class Named(NamedTuple):
    """What a name says."""

    repo: str
    revision: str | None
    """Branch, tag or commit; None: the one that was pinned, else what is current."""
    config: str | None
    options: dict[str, str]

    def at(self, commit: str) -> str:
        """The same name, pinned."""
        config = f"/{self.config}" if self.config else ""
        return add_options(f"{self.repo}@{commit}{config}", self.options)


def parse(where: str) -> Named:
    """What follows `hf:`.

    Raises:
        UsageError: No `OWNER/NAME[@REVISION][/CONFIG]`, or an option that there is not.
    """
    bare, options = with_options(where, OPTIONS)
    if (found := _NAME.fullmatch(bare)) is None:
        raise UsageError(f"dataset {PREFIX}{where}: expected {PREFIX}OWNER/NAME[@REVISION][/CONFIG]")
    return Named(found[1], found[2], found[3], options)


def pin(where: str, *, offline: bool = False) -> str:
    """The name with the commit that it stands for, which is remembered: without a revision, the first one used.

    Args:
        where: What follows `hf:`.
        offline: Open no socket.

    Raises:
        UsageError: As `parse`.
        UnavailableError: The commit is not known and cannot be asked for.
    """
    named = parse(where)
    if named.revision is not None and _COMMIT.fullmatch(named.revision):
        return named.at(named.revision)
    if (commit := _pins(named.repo).get(named.revision or "")) is not None and (named.revision is None or offline):
        return named.at(commit)
    _stay(named, offline=offline)
    commit, names = hub.list_repo(named.repo, repo_type="dataset", revision=named.revision)
    if _COMMIT.fullmatch(commit) is None:
        raise UnavailableError(f"dataset {PREFIX}{named.repo}: the hub tells no commit, but {commit!r:.60}")
    checked_json.write(_folder(named.repo) / "pins.json", _pins(named.repo) | {named.revision or "": commit})
    checked_json.write(_folder(named.repo) / f"{commit}.json", names)
    return named.at(commit)


def fetched(repo: str, commit: str, *, offline: bool = False) -> Path:
    """Folder with all files of a repository at a commit.

    Args:
        repo: `OWNER/NAME`.
        commit: The commit.
        offline: Open no socket.

    Raises:
        UnavailableError: A file is not here and cannot be fetched, or a name leaves the folder.
    """
    dest, listing = _folder(repo) / commit, _folder(repo) / f"{commit}.json"
    if (names := checked_json.read(listing)) is None:
        _stay(Named(repo, commit, None, {}), offline=offline)
        _, names = hub.list_repo(repo, repo_type="dataset", revision=commit)
        checked_json.write(listing, names)
    data = [name for name in names if _NO_DATA.fullmatch(name) is None]
    if unsafe := [name for name in data if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name)]:
        raise UnavailableError(f"dataset {PREFIX}{repo}: refused, file {unsafe[0]!r} lies outside the repository")
    for name in data:
        origin = hub.RepoFile(repo, name, "dataset", commit)
        command = f"senbench datasets fetch {PREFIX}{repo}@{commit}"
        download.fetch(download.Fetch(origin, dest / name, what=f"dataset {repo}", command=command), offline=offline)
    return dest


def _folder(repo: str) -> Path:
    return home() / "data" / "hub" / repo.replace("/", "--")


def _pins(repo: str) -> dict[str, str]:
    """Revision as it was asked for, empty for none -> commit."""
    return dict(checked_json.read(_folder(repo) / "pins.json") or {})


def _stay(named: Named, *, offline: bool) -> None:
    if offline or download.offline_by_environment():
        asked = f"@{named.revision}" if named.revision else ""
        raise UnavailableError(
            f"dataset {PREFIX}{named.repo}{asked}: not fetched yet, and nothing is fetched offline; run `senbench "
            f"datasets fetch {PREFIX}{named.repo}{asked}` where there is a network"
        )
