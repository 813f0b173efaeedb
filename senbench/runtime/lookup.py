"""Lazy lookup: `module:attr` targets and helpful errors for unknown names. Imports nothing heavy."""

from __future__ import annotations

import difflib
import importlib
import traceback
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError, brief

if TYPE_CHECKING:
    from collections.abc import Iterable


def resolve(target: str, what: str = "target") -> Any:
    """Import the attribute that a `module:attr` target names.

    Args:
        target: e.g. `senbench.models.openclip:OpenClipAdapter`.
        what: What the target is, for messages.

    Returns:
        The attribute.

    Raises:
        UsageError: The target is malformed, or the module or attribute does not exist.
    """
    module, _, attr = target.partition(":")
    if not module or not attr or module.startswith("."):
        raise UsageError(f"{what} {target!r} is not of the form module:attr")
    try:
        return getattr(importlib.import_module(module), attr)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # a third-party module may raise anything when it is imported
        raise UsageError(f"{what} {target!r} cannot be imported: {_import_failure(error)}") from error


def _import_failure(error: BaseException) -> str:
    """Describe an exception raised by an import, with file and line if it came from the imported code."""
    frames = traceback.extract_tb(error.__traceback__)
    plain = isinstance(error, ImportError | AttributeError) or not frames
    return (
        brief(error) if plain else f"{type(error).__name__}: {brief(error)} ({frames[-1].filename}:{frames[-1].lineno})"
    )


def unknown(kind: str, name: str, available: Iterable[str]) -> UsageError:
    """Return the error for a name that does not exist, with the closest match and all existing names.

    Args:
        kind: What the name should be, e.g. `model`.
        name: What was asked for.
        available: Names that exist.

    Returns:
        The error, to be raised by the caller.
    """
    names = sorted(available)
    return UsageError(f"unknown {kind} {name!r}.{closest(name, names)} Available: {', '.join(names)}.")


def closest(name: str, available: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` for an unknown name; empty if no existing name is similar.

    Args:
        name: What was asked for.
        available: Names that exist.
    """
    close = difflib.get_close_matches(name.lower(), sorted(available), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
