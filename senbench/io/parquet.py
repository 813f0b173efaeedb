"""Parquet without pandas: reads whole files in the calling thread, and makes columns from plain Python data.

`pyarrow.parquet.read_table`, `pa.array` and the scalars of `pyarrow.compute` import pandas, which takes seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


ROWS_PER_BYTE = 100
"""Most rows per byte of a file; a table with a name in each row has less than one."""


def read_parquet(source: Any, columns: Sequence[str] | None = None) -> Any:
    """Read a table.

    `pyarrow.parquet.read_table` would use Arrow's dataset engine, whose threads now and then abort a process that
    ends soon after.

    Args:
        source: Path or pyarrow buffer.
        columns: Names of the columns to read; None reads all.

    Returns:
        A `pyarrow.Table`.

    Raises:
        OSError: The file cannot be read, or states more rows than it can contain.
        pyarrow.ArrowException: It is damaged.
        KeyError: A column is missing.
    """
    from pyarrow.parquet import ParquetFile

    size = source.size() if hasattr(source, "size") else Path(source).stat().st_size
    with ParquetFile(source, memory_map=False) as file:
        if (rows := file.metadata.num_rows) > ROWS_PER_BYTE * size:
            raise OSError(f"it announces {rows:,} rows in {size:,} bytes")
        table = file.read(columns=columns if columns is None else list(columns), use_threads=False)
    return table if columns is None else table.select(list(columns))  # reading skips missing columns


def floats(values: NDArray[np.float32]) -> Any:
    """float32 (N,) as a pyarrow array."""
    import pyarrow as pa

    return pa.Array.from_buffers(pa.float32(), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def texts(values: Sequence[str | None]) -> Any:
    """Texts, None for null, as a pyarrow string array."""
    import pyarrow as pa

    return _variable(pa.string(), [None if v is None else v.encode() for v in values])


def blobs(values: Sequence[bytes]) -> Any:
    """Byte strings as a pyarrow binary array."""
    import pyarrow as pa

    return _variable(pa.binary(), values)


def lists(values: Sequence[Sequence[str]]) -> Any:
    """Lists of texts as a pyarrow list array."""
    import pyarrow as pa

    flat = texts([text for row in values for text in row])
    offsets = pa.py_buffer(_offsets(values))
    return pa.Array.from_buffers(pa.list_(pa.string()), len(values), [None, offsets], children=[flat])


def _variable(kind: Any, values: Sequence[bytes | None]) -> Any:
    import pyarrow as pa

    mask, data = None, [v for v in values if v is not None]
    if len(data) < len(values):
        mask = pa.py_buffer(np.packbits([v is not None for v in values], bitorder="little"))
        data = [v or b"" for v in values]
    return pa.Array.from_buffers(kind, len(data), [mask, pa.py_buffer(_offsets(data)), pa.py_buffer(b"".join(data))])


def _offsets(values: Sequence[Any]) -> NDArray[np.int32]:
    """Return the offset of each value in the concatenation, and the end of the last; int32 (N + 1,)."""
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=ends[1:])
    if ends[-1] > np.iinfo(np.int32).max:
        raise OverflowError("a column of more than 2 GiB")
    return ends.astype(np.int32)
