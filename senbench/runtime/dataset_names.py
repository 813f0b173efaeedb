"""Names of datasets that carry options: `table:tiles.csv?label=COLUMN`, `torchgeo:So2Sat?version=3_block`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LOCAL = ("folder:", "table:")
"""Prefixes of dataset names that a path follows."""
HAVE_COLUMNS = ("table:", "hf:")
"""Prefixes of dataset names whose columns can be chosen, by the options `image` and `label`."""
_OPTIONS = re.compile(r"\?([a-z_]+=[^?]*)\Z")


def with_options(name: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A name without its options, and these.

    Args:
        name: A name or path, maybe with `?key=value&key=value` at its end.
        known: Keys that there are.

    Raises:
        UsageError: Another key.
    """
    if (found := _OPTIONS.search(name)) is None:
        return name, {}
    options = dict(parse_qsl(found[1], keep_blank_values=True))
    if foreign := [key for key in options if key not in known]:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise UsageError(f"dataset {name!r}: no option {foreign[0]!r}; {has}")
    return name[: found.start()], options


def add_options(name: str, options: Mapping[str, str]) -> str:
    """The name with further options at its end; those that it has already are replaced."""
    found = _OPTIONS.search(name)
    own = dict(parse_qsl(found[1], keep_blank_values=True)) if found else {}
    bare = name[: found.start()] if found else name
    merged = own | dict(options)
    return f"{bare}?{urlencode(merged, quote_via=quote)}" if merged else bare


def local_path(name: str) -> tuple[str, str, str] | None:
    """Prefix, path and options of a name that a path follows (`folder:DIR`, `table:FILE?label=x`); None for others."""
    for prefix in LOCAL:
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            found = _OPTIONS.search(rest)
            return (prefix, rest, "") if found is None else (prefix, rest[: found.start()], found[0])
    return None
