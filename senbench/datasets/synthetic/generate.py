"""Generated datasets, made once below SENBENCH_HOME and complete whenever they are there."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.errors import UnavailableError
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def once(name: str, sources: Sequence[str], write: Callable[[Path], object]) -> Path:
    """Folder of a generated dataset, made on the first call.

    Args:
        name: Beginning of its name below `SENBENCH_HOME/data`.
        sources: Modules below `senbench/datasets/`, without suffix, that determine it; after a change of one it is made
            anew.
        write: Writes it into a folder.

    Returns:
        The folder.

    Raises:
        UnavailableError: It cannot be written.
    """
    here = Path(__file__).resolve().parents[1]
    made_by = hashlib.sha256(b"".join((here / f"{module}.py").read_bytes() for module in sources)).hexdigest()[:8]
    root = home() / "data" / f"{name}-{made_by}"
    if not root.is_dir():
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            making = root.with_name(f".making-{secrets.token_hex(4)}")
            making.mkdir()  # readable as the umask says
            try:
                write(making)
                making.replace(root)
            finally:
                shutil.rmtree(making, ignore_errors=True)
        except OSError as error:
            if not root.is_dir():  # otherwise another process was faster
                raise UnavailableError(
                    f"scenes cannot be written to {root}: {error.strerror or error}; set SENBENCH_HOME"
                ) from error
    return root
