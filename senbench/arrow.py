"""Parquet files read whole, in the calling thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_parquet(source: Any, columns: Sequence[str] | None = None) -> Any:
    """Read a table.

    `pyarrow.parquet.read_table` would go through Arrow's dataset engine, which imports pandas and whose threads
    abort now and then a process that ends soon after.

    Args:
        source: Path or pyarrow buffer.
        columns: Names; None: all.

    Returns:
        A `pyarrow.Table`.

    Raises:
        OSError: The file cannot be read.
        pyarrow.ArrowException: It is damaged.
        KeyError: A column is missing.
    """
    from pyarrow.parquet import ParquetFile

    with ParquetFile(source, memory_map=False) as file:
        table = file.read(columns=columns if columns is None else list(columns), use_threads=False)
    return table if columns is None else table.select(list(columns))  # reading leaves out what is missing
