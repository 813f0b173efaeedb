"""Locates and downloads checkpoints, hashes them, and checks that they are those of the card."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.io import download, http, hub, magic, receipt
from senbench.io.download import Fetch
from senbench.models import card_files
from senbench.models.checkpoints import container, hashes
from senbench.runtime.paths import PACKAGE, weights_folder
from senbench.schema.model_card import SOURCES, WeightsSource

if TYPE_CHECKING:
    from senbench.models.checkpoints.hashes import HashedFile
    from senbench.runtime.access import Access
    from senbench.schema.model_card import HubFile, ModelCard

SHIPPED = PACKAGE / "models" / "weights"


def locate(card: ModelCard, access: Access) -> Path:
    """Return the path of the checkpoint, downloading it and the card's companions if they are missing.

    The user's file has priority, then a file named by the card, the shipped one, that on the hub, that at an address.

    Args:
        card: The model.
        access: The user's `weights`, and `offline`.

    Raises:
        UsageError: The user's file does not exist.
        UnavailableError: A file is missing and cannot be downloaded.
    """
    weights, named = access.weights, card.weights.path
    path = _place(card) if weights is None else Path(weights).expanduser()
    if weights is not None and path is not None and not path.is_file():
        raise UsageError(f"--weights {weights}: no such file; give the checkpoint of {card.id}")
    if weights is None and named is not None and not Path(named).is_file():
        raise UsageError(f"model {card.id}: no file {named}, which its card names; correct weights.path")
    for one in card.companions:
        if Path(one.repo).is_absolute():
            continue
        what = f"companion file that {card.id} needs beside its weights"
        place = _below(companions(card, one.repo), one.file, card)
        _fetch(card, WeightsSource(**one.model_dump()), place, what, access)
    if path is None:
        raise UnavailableError(f"model {card.id}: no released address is known; give the file with --weights FILE")
    if weights is None and named is None and card.weights.package is None:
        what = f"weights of {card.id} (or give a local file with --weights FILE)"
        _fetch(card, card.weights, path, what, access)
    return path


def _fetch(card: ModelCard, source: WeightsSource, path: Path, what: str, access: Access) -> None:
    """Download a file of a card unless it exists."""
    absent = not path.is_file()
    download.fetch(_order(card, source, path, what), offline=access.offline)
    if absent and source.sha256 is not None:
        hashes.verified(path, source.sha256)  # it was already read for the comparison with the pinned hash


def _order(card: ModelCard, source: WeightsSource, path: Path, what: str) -> Fetch:
    """Return the order for downloading a file of a card."""
    weights = source is card.weights
    origin: download.Origin = http.Address(str(source.url))
    if source.repo is not None and source.file is not None:
        origin = hub.RepoFile(source.repo, source.file, revision=source.revision)
    known = card.id in card_files.shipped() or card.id.startswith(SOURCES)  # a user's card is in another folder
    return Fetch(
        origin,
        path,
        what=what,
        sha256=source.sha256,
        member=source.member,
        size_hint=int(source.size_mb * 1e6) if source.size_mb else None,
        command=f"senbench models fetch {card.id}" if known else None,
        notice=licence_notice(card) if weights else None,
        fault=container.fault if weights else magic.foreign,
        receipt=weights,
    )


def origin(card: ModelCard, path: Path, digest: str, *, offline: bool = False) -> str:
    """Describe the revision of a released file; the server is asked if none was recorded, as by earlier versions.

    Args:
        card: The model.
        path: Its file, from `locate`.
        digest: sha256 of the file.
        offline: Never open a socket.

    Returns:
        The revision, with what is not confirmed.

    Raises:
        UnavailableError: The server cannot be reached.
    """
    source = card.weights
    released = source.path is None and source.package is None
    if noted := receipt.revision(path, digest):
        return noted
    named = source.revision or ("main" if source.repo else "-")
    if not released or pinned(card, digest):
        return named
    order = _order(card, source, path, f"weights of {card.id}")
    asked = None if offline or download.offline_by_environment() else download.confirm(order)
    if asked:
        return str(receipt.revision(path, digest))
    why = "which has another file now" if asked is False else "which was not asked or states no hash"
    return f"{named}, not confirmed by {order.origin.server.place}, {why}: delete the file and fetch it again"


def present(card: ModelCard) -> Path | None:
    """Return the existing file of a card, or None; nothing is downloaded or read.

    Args:
        card: The model.
    """
    path = _place(card)
    return path if path is not None and path.is_file() else None


def _place(card: ModelCard) -> Path | None:
    """Return the path for the file of a card: named by the card, shipped, or released; None without an address."""
    source = card.weights
    if source.path is not None:
        return Path(source.path)
    if source.package is not None:
        return SHIPPED / source.package
    if source.repo is not None and source.file is not None:
        name = source.file
    elif source.url is not None:
        name = PurePosixPath(source.member or http.Address(source.url).name).name
    else:
        return None
    return _below(released_folder(card), name, card)


def pinned(card: ModelCard, digest: str) -> bool:
    """Return whether a hash is one of those that the card states for its release.

    Args:
        card: The model.
        digest: sha256 of a file.
    """
    return digest in (card.weights.sha256, *card.weights.also_sha256)


def known_standing(card: ModelCard, path: Path) -> tuple[str, bool]:
    """Return what is known about a file from its record, size and times, without reading it.

    Args:
        card: The model.
        path: Its file.

    Returns:
        A description, and whether a run would or might refuse the file.
    """
    if card.weights.package is not None:
        return "shipped, verified by every run", False
    was = hashes.recorded(path)
    if was is None:
        return "not yet verified: the first run does", False
    if not hashes.unchanged(path, was):
        return f"changed since it was recorded (sha256 was {was.sha256[:12]})", True
    if pinned(card, was.sha256):
        return "verified, the pinned release", False
    if card.weights.sha256 is not None:
        return f"not the release that the card pins (sha256 {was.sha256[:12]})", True
    return f"recorded, sha256 {was.sha256[:12]}; the card pins none", False


def companions(card: ModelCard, repo: str) -> Path:
    """Return the folder of a card's companion files from one repository.

    Args:
        card: The model.
        repo: `owner/name` as in `card.companions`, or the path of a local folder.
    """
    if Path(repo).is_absolute():  # a local folder that describes its model
        return Path(repo)
    folder = weights_folder(card.id) / "companions" / repo.replace("/", "--")
    pinned = sorted({c.revision for c in card.companions if c.repo == repo and c.revision is not None})
    # a card with a new commit must not use the files of the old one
    return folder / "-".join(revision[:12].replace("/", "-") for revision in pinned) if pinned else folder


def companion_files(card: ModelCard) -> dict[HubFile, Path]:
    """Return the companion files of a card with their paths.

    Args:
        card: The model.

    Returns:
        Companion -> its path, in the card's order.

    Raises:
        UnavailableError: One is missing; the message says where it belongs.
    """
    paths = {one: companions(card, one.repo) / one.file for one in card.companions}
    for one, path in paths.items():
        if not path.is_file():
            raise UnavailableError(
                f"model {card.id}: {one.file} of {one.repo}, needed beside the weights, is not in {path.parent}; run "
                f"`senbench models fetch {card.id}` or copy it there"
            )
    return paths


def companion_hashes(card: ModelCard) -> dict[str, str]:
    """Return the sha256 of every companion file of a card, as recorded in results; `identify` checks them.

    Args:
        card: The model.

    Returns:
        `owner/name/file` -> sha256, hex.

    Raises:
        UnavailableError: One is missing or cannot be read.
    """
    return {
        f"{_portable_repo(one.repo)}/{one.file}": hashes.compare(path)[1].sha256
        for one, path in companion_files(card).items()
    }


def _portable_repo(repo: str) -> str:
    """Return a repository as named in results: a local folder without its path."""
    return Path(repo).name if Path(repo).is_absolute() else repo


def released_folder(card: ModelCard) -> Path:
    """Return the folder of a released file, named by its source and not by its card.

    Cards of one file share it, and a card whose source changed does not use the old file.

    Args:
        card: A model with a released address.
    """
    source = card.weights
    if card.id.startswith(SOURCES):  # such an id is itself the source
        return weights_folder(card.id)
    if source.repo is not None:
        return weights_folder(source.repo) / (source.revision or "main")[:12].replace("/", "-")
    key = hashlib.sha256(str(source.url).encode()).hexdigest()[:8]
    return weights_folder(f"{urlsplit(str(source.url)).hostname}--{key}")


def licence_notice(card: ModelCard) -> str | None:
    """Return a notice about the licence to show before a download; None if commercial use is allowed.

    Args:
        card: The model.
    """
    if card.commercial_use == "allowed":
        return None
    if card.commercial_use == "forbidden":
        return f"licence of {card.id}: {card.licence}, which forbids commercial use"
    if card.licence == "none stated":
        return f"licence of {card.id}: none stated by the authors; ask them before commercial use"
    return f"licence of {card.id}: {card.licence}, commercial use not stated; ask the authors before it"


def sha256(path: Path) -> str:
    """Return the sha256 of a file, hex, regardless of its record.

    Raises:
        UnavailableError: The file cannot be read.
    """
    return hashes.measure(path).sha256


def identify(card: ModelCard, path: Path, *, accept_new: bool = False) -> str:
    """Check that a file may be used with a card, and return its sha256.

    A file is hashed once and recorded with size, times and inode. Later hashes must equal the first, also for the
    card's companions.

    Args:
        card: The model.
        path: Its file.
        accept_new: Accept a file that changed since it was first used, or that is not the pinned release.

    Returns:
        The hash, hex.

    Raises:
        ContractError: The file is another model's, not the release that the card pins, or changed since it
            was first used.
        UnavailableError: The file cannot be read, or the shipped file is damaged.
    """
    for companion in card.companions:
        beside = companions(card, companion.repo) / companion.file
        if beside.is_file():
            measured, what = hashes.compare(beside), f"companion file {companion.file} of {card.id}"
            _accept(
                what, beside, measured, companion.sha256, accept=accept_new or measured[1].sha256 == companion.sha256
            )
    shipped = card.weights.package is not None and path == SHIPPED / card.weights.package
    # a shipped file is not recorded, since the next version of senbench may have another
    measured = (None, hashes.measure(path)) if shipped else hashes.compare(path, afresh=accept_new)
    digest = measured[1].sha256
    check_identity(card, digest, path)
    if not shipped:
        accept = accept_new or pinned(card, digest)
        _accept(f"weights {path.name} of {card.id}", path, measured, card.weights.sha256, accept=accept)
    return digest


def standing(card: ModelCard, path: Path, digest: str) -> str:
    """Return with what an accepted file will be compared: `pinned`, `recorded`, or `not recorded`.

    Args:
        card: The model.
        path: Its file.
        digest: sha256 of the file.
    """
    if pinned(card, digest):
        return "pinned"
    return "recorded" if hashes.recorded(path) else "not recorded (SENBENCH_HOME cannot be written)"


def check_identity(card: ModelCard, digest: str, path: Path) -> None:
    """Raise an error for a file whose hash belongs to another card, or for damaged shipped weights.

    Args:
        card: The requested card.
        digest: sha256 of the file.
        path: The file.

    Raises:
        ContractError: The file is another model's.
        UnavailableError: The file shipped inside senbench is damaged.
    """
    if pinned(card, digest):
        return
    for other in card_files.shipped().values():
        if pinned(other, digest) and not _same_source(card, other):
            raise ContractError(
                f"weights {path.name} are those of {other.id} (sha256 {digest[:12]}), not of {card.id}; "
                f"run with --model {other.id}"
            )
    if path == SHIPPED / str(card.weights.package):
        raise UnavailableError(f"shipped weights {path.name} are damaged (sha256 {digest[:12]}); reinstall senbench")


def _accept(
    what: str, path: Path, measured: tuple[HashedFile | None, HashedFile], pin: str | None, *, accept: bool
) -> None:
    """Record a file or raise an error; `measured` is its earlier record and its present state."""
    was, now = measured
    if not accept:
        if pin is not None:
            downloaded = not path.resolve().is_relative_to(weights_folder("x").parent.resolve())
            do = (
                "give a checkpoint of yours a card of its own (`senbench models new`)"
                if downloaded
                else f"delete {path} and fetch it again"
            )
            raise ContractError(
                f"{what} is not the release the card pins: sha256 is {now.sha256[:12]}, the card has {pin[:12]}; "
                f"{do}, or use it anyway with --accept-new-weights"
            )
        if was is not None and was.sha256 != now.sha256:
            raise ContractError(
                f"{what} changed since it was first used: sha256 was {was.sha256[:12]}, is {now.sha256[:12]} "
                f"({path}); if that is meant, run with --accept-new-weights"
            )
    if now != was:
        hashes.record(path, now)


def _same_source(card: ModelCard, other: ModelCard) -> bool:
    """Return whether two cards describe one released file, e.g. with two activations."""
    a, b = card.weights, other.weights
    released = (a.repo, a.file) != (None, None) or a.url is not None
    return released and (a.repo, a.file, a.url, a.member) == (b.repo, b.file, b.url, b.member)


def _below(folder: Path, name: str, card: ModelCard) -> Path:
    """Return `folder / name`, and refuse names with which an untrusted card would write elsewhere."""
    if not name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise UsageError(f"model {card.id}: {name!r} in its card is not a file name below {folder}")
    return folder / name
