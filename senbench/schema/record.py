"""The base of every record that is written to a file or passed between rooms."""

from pydantic import BaseModel, ConfigDict, ValidationError


class Record(BaseModel):
    """Frozen record; a misspelt field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def first_error(error: ValidationError, prefix: str = "") -> str:
    """The first thing that is wrong with a record, in one line: `field metrics.top1: <what pydantic says>`.

    Args:
        error: What validating it raised.
        prefix: What stands before the field's name, such as `spec.`.
    """
    first = error.errors()[0]
    return f"field {prefix}{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
