"""Stand-ins of what `senbench doctor` looks at in processes of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from senbench.studies import installation

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GOOD = (json.dumps({"torch": "2.9", "build": None, "cuda": False, "names": [], "mps": False}), "pair")
"""What a process prints that imports torch and torchvision."""


def sound(monkeypatch: pytest.MonkeyPatch, plugins: tuple[list[str], str] = (["{}"], "")) -> None:
    """Start no processes: torch and torchvision are sound; plug-ins are as told."""
    monkeypatch.setattr(installation, "_child", lambda code: (list(GOOD), "") if "torch" in code.split() else plugins)


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let a package be missing."""
    have = installation.versions()
    monkeypatch.setattr(installation, "versions", lambda: {name: v for name, v in have.items() if name != package})


def fake(folder: Path, name: str, text: str) -> None:
    """Write a package whose import runs a text."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
