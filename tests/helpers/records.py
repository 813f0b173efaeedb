"""What a record says to a value that does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

if TYPE_CHECKING:
    from senbench.schema.record import Record


def refusals(record: Record, **change: Any) -> dict[str, str]:
    """Field -> message, for a record that was read again with a change; a value `...` leaves the field out."""
    facts = {**record.model_dump(), **change}
    with pytest.raises(ValidationError) as refused:
        type(record).model_validate({name: value for name, value in facts.items() if value is not ...})
    return {".".join(map(str, error["loc"])): error["msg"] for error in refused.value.errors()}


def accepted(record: Record, **change: Any) -> Record:
    """A record that was read again with a change."""
    return type(record).model_validate({**record.model_dump(), **change})


def required(record: Record) -> set[str]:
    """Fields without a default."""
    return {name for name, field in type(record).model_fields.items() if field.is_required()}
