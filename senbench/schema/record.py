"""The base of every record that is written to a file or passed between rooms."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Frozen record; a misspelt field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
