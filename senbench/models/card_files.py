"""Model cards in TOML files: the shipped ones, one file per family, and the format of a user's."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from senbench.errors import ContractError, UsageError, brief
from senbench.io.plain_text import decode
from senbench.runtime import parsing
from senbench.runtime.paths import PACKAGE
from senbench.schema.model_card import ModelCard

CARDS = PACKAGE / "models" / "cards"


@cache
def shipped() -> dict[str, ModelCard]:
    """Return all shipped cards by id, in file order.

    Raises:
        ContractError: A card is malformed, or two share a name.
    """
    by_id: dict[str, ModelCard] = {}
    names: set[str] = set()
    for path in sorted(CARDS.glob("*.toml")):
        for card in read_cards(path):
            for name in (card.id, *card.aliases):
                if name in names:
                    raise ContractError(f"{path.name}: the model name {name!r} is used twice")
                names.add(name)
            by_id[card.id] = card
    return by_id


def shipped_as(name: str) -> ModelCard | None:
    """Return the shipped card of a name, or None; only files that contain the name are parsed.

    Args:
        name: Id or alias, case-insensitive.
    """
    for path in sorted(CARDS.glob("*.toml")):
        if f'"{name.lower()}"' in path.read_text(encoding="utf-8"):
            for card in read_cards(path):
                if name.lower() in (card.id, *card.aliases):
                    return card
    return None


def read_cards(path: Path) -> list[ModelCard]:
    """Read the cards of one TOML file (tables `[[model]]`).

    Args:
        path: The file.

    Returns:
        Its cards, in order.

    Raises:
        ContractError: The TOML or a card is malformed; the message names file, card and field.
    """
    try:
        tables: list[dict[str, Any]] = parsing.from_toml(decode(path.read_bytes(), path.name))["model"]
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise KeyError("a card is a table [[model]]")
    except UsageError as error:
        raise ContractError(f"card file {error}") from error
    except (ValueError, KeyError, OSError) as error:
        raise ContractError(f"card file {path.name} cannot be read: {brief(error)}") from error
    cards = []
    for table in tables:
        # TOML has no null: an absent bias means that there is none
        table.setdefault("logit_bias", None)
        try:
            cards.append(ModelCard.model_validate(table))
        except ValidationError as error:
            raise ContractError(f"{path.name}, card {table.get('id', '?')!r}: {_faults(error)}") from error
    return cards


def _faults(error: ValidationError) -> str:
    """Describe all faults of a card in one line, the missing fields together."""
    named = [(".".join(str(part) for part in fault["loc"]), fault) for fault in error.errors()]
    missing = [where for where, fault in named if fault["type"] == "missing"]
    others = [f"{where}: {fault['msg']}" for where, fault in named if fault["type"] != "missing"]
    return "; ".join([f"missing {', '.join(missing)}"] * bool(missing) + others)


def portable(card: ModelCard) -> dict[str, Any]:
    """Return the card as recorded in results: plain values for JSON, with local files by name only.

    Args:
        card: The card.
    """
    fields: dict[str, Any] = card.model_dump(mode="json")
    fields["architecture"] = Path(card.architecture).name
    repo = card.tokenizer.removeprefix("hf:")
    if not card.tokenizer.startswith("hf:") or Path(repo).is_absolute():
        fields["tokenizer"] = "hf:" * card.tokenizer.startswith("hf:") + Path(repo).name
    for companion in fields["companions"]:
        if Path(companion["repo"]).is_absolute():
            companion["repo"] = Path(companion["repo"]).name
    if card.weights.path is not None:
        fields["weights"]["path"] = Path(card.weights.path).name
    return fields


def bless(card: ModelCard, digest: str, fingerprint: tuple[float, ...], name: str) -> Path:
    """Write hash and fingerprint of the real file into the card's TOML file, keeping comments and order.

    Args:
        card: The card, shipped or of a user's file.
        digest: sha256 of the checkpoint.
        fingerprint: Its golden fingerprint.
        name: The model as passed; a path for a user's card.

    Returns:
        The file that was changed.

    Raises:
        UsageError: The card is in no file, or the file cannot be written.
    """
    import tomlkit

    candidates = [Path(name)] if name.endswith(".toml") else sorted(CARDS.glob("*.toml"))
    for path in candidates:
        document = tomlkit.parse(path.read_text(encoding="utf-8"))
        for table in document["model"]:
            if table["id"] == card.id:
                table["fingerprint"] = list(fingerprint)
                table["verified"] = True
                if digest not in card.weights.also_sha256:
                    table["weights"]["sha256"] = digest
                try:
                    path.write_text(tomlkit.dumps(document), encoding="utf-8")
                except OSError as error:
                    raise UsageError(f"--bless: {path.name} cannot be written: {error.strerror}") from error
                return path
    raise UsageError(f"--bless: the card of {card.id} is in no TOML file")
