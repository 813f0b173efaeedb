"""Results with some fields changed: tools of the tests of what is made of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senbench.schema.blocks import ResultBlock

if TYPE_CHECKING:
    from senbench.schema.result import RunResult


def changed(result: RunResult, **change: Any) -> RunResult:
    """The result with other fields; of a block the fields that are given, the others stay."""
    update = {}
    for name, value in change.items():
        old = getattr(result, name)
        in_block = isinstance(old, ResultBlock) and isinstance(value, dict)
        update[name] = type(old).model_validate({**old.model_dump(), **value}) if in_block else value
    return result.model_copy(update=update)
