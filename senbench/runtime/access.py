"""What a run may read, write and download, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from senbench.runtime.paths import home

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.run_spec import RunSpec
    from senbench.schema.terms import Dtype, KernelChoice


@dataclass(frozen=True)
class Access:
    """What a run may read, write and download, and where its files are.

    Attributes:
        offline: Never open a socket.
        data_dir: Folder of the data; None: below SENBENCH_HOME.
        weights: Local checkpoint file; None: the released file.
        accept_new_weights: Accept a checkpoint that changed since it was first used.
        cache: Folder of the embedding cache; None: no cache.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        dtype: Precision of the encoders.
        kernels: Kernels for matrix products on a CPU.
    """

    offline: bool = False
    data_dir: str | None = None
    weights: str | None = None
    accept_new_weights: bool = False
    cache: Path | None = None
    device: str = "auto"
    dtype: Dtype = "float32"
    kernels: KernelChoice = "auto"

    @classmethod
    def of(cls, spec: RunSpec) -> Access:
        """Return what the settings of a run state about access."""
        return cls(
            offline=spec.offline,
            data_dir=spec.data_dir,
            weights=spec.weights,
            accept_new_weights=spec.accept_new_weights,
            cache=home() / "cache" if spec.cache else None,
            device=spec.device,
            dtype=spec.dtype,
            kernels="torch" if spec.exact else spec.kernels,
        )
