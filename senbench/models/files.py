"""Weights on disk: where a checkpoint is, what its hash is, and whether it is the one the card means."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import zoo
from senbench.paths import PACKAGE, home

if TYPE_CHECKING:
    from senbench.spec import ModelCard

SHIPPED = PACKAGE / "models" / "weights"


def locate(card: ModelCard, file: str | None, *, offline: bool) -> Path:
    """Path of the checkpoint: the user's file, the shipped one, or the hub's, fetched if need be.

    Args:
        card: The model.
        file: The user's `--weights`, or None.
        offline: Never open a socket.

    Raises:
        UsageError: The user's file does not exist.
        UnavailableError: The file is not here and cannot be fetched.
    """
    if file is not None:
        path = Path(file).expanduser()
        if not path.is_file():
            raise UsageError(f"--weights {file}: no such file; give the checkpoint of {card.id}")
        return path
    source = card.weights
    if source.package is not None:
        return SHIPPED / source.package
    if source.repo is None or source.file is None:
        raise UnavailableError(f"model {card.id}: no released address is known; give the file with --weights FILE")
    from senbench import hub

    return hub.fetch(
        source.repo,
        source.file,
        repo_type="model",
        revision=source.revision,
        dest=home() / "weights" / card.id,
        sha256=source.sha256,
        size_hint=int(source.size_mb * 1e6) if source.size_mb else None,
        offline=offline,
        what=f"weights of {card.id} (or give a local file with --weights FILE)",
    )


def sha256(path: Path) -> str:
    """sha256 of a file, hex."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UnavailableError(f"weights {path.name} cannot be read: {error.strerror}") from error


def check_identity(card: ModelCard, digest: str, path: Path) -> None:
    """Refuse a file whose hash is known to belong to another card, or shipped bytes that changed.

    Args:
        card: The card asked for.
        digest: sha256 of the file.
        path: The file.

    Raises:
        ContractError: The file is another model's.
        UnavailableError: The file shipped inside senbench is damaged.
    """
    own = {card.weights.sha256, *card.weights.also_sha256}
    if digest in own:
        return
    for other in zoo.cards().values():
        if digest in (other.weights.sha256, *other.weights.also_sha256):
            raise ContractError(
                f"weights {path.name} are those of {other.id} (sha256 {digest[:12]}), not of {card.id}; "
                f"run with --model {other.id}"
            )
    if path == SHIPPED / str(card.weights.package):
        raise UnavailableError(f"shipped weights {path.name} are damaged (sha256 {digest[:12]}); reinstall senbench")


def identify(card: ModelCard, path: Path, *, accept_new: bool = False) -> str:
    """sha256 of a model's file, once it is known to be a file this card may have.

    Args:
        card: The model.
        path: Its file.
        accept_new: Accept a file that changed since it was first used.

    Returns:
        The hash, hex.

    Raises:
        ContractError: The file is another model's, or changed since it was first used.
        UnavailableError: The file cannot be read, or the shipped file is damaged.
    """
    digest = sha256(path)
    check_identity(card, digest, path)
    return digest


def companions(card: ModelCard, repo: str) -> Path:
    """Folder that holds the companion files of a card that come from one repository.

    Args:
        card: The model.
        repo: `owner/name` as in `card.companions`.
    """
    return home() / "weights" / card.id / "companions" / repo.replace("/", "--")
