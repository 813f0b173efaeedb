"""The file of the comparisons of styles and models that one run made."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from senbench.errors import UsageError
from senbench.results.store import write_text
from senbench.schema.factorial import FACTORIAL_VERSION, Factorial

if TYPE_CHECKING:
    from pathlib import Path


def save(folder: Path, found: Factorial) -> Path:
    """Write `factorial-<hash>.json`, whole or not at all; the hash is of the results compared.

    Args:
        folder: Results folder.
        found: The comparisons.

    Returns:
        Path of the written file.

    Raises:
        UnavailableError: The disk refuses.
    """
    digest = hashlib.sha256(json.dumps(found.run_ids).encode()).hexdigest()[:10]
    text = json.dumps(found.model_dump(mode="json"), indent=1, ensure_ascii=False)
    return write_text(folder / f"factorial-{digest}.json", text, "--results")


def load(path: Path) -> Factorial:
    """Read one file.

    Raises:
        UsageError: It is no such file, or of another version.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"factorial {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"factorial {path} is not JSON: {error}") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != FACTORIAL_VERSION:
        raise UsageError(f"factorial {path} has version {version!r}, this senbench reads {FACTORIAL_VERSION}")
    try:
        return Factorial.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"factorial {path}: field {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def load_all(folder: Path) -> list[Factorial]:
    """All such files of a results folder, by name; empty where there are none."""
    return [load(path) for path in sorted(folder.glob("factorial-*.json"))]
