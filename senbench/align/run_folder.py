"""The folder of an alignment: what it needs to go on, what it measured, and what it was made of.

`state.safetensors` is replaced as a whole, after everything else was written, so that a run killed at any moment goes
on from the last one and repeats what came after it, to the same bits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from senbench.errors import UnavailableError, UsageError, brief
from senbench.io.parquet import read_parquet
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

STATE, STEPS, RETRIEVAL, SETTINGS = "state.safetensors", "steps.parquet", "retrieval.json", "align.json"
PLACES = "places.npy"
"""Latitude and longitude of all tiles, float64 (2, N), for what an exported card says of contamination."""
COLUMNS = ("step", "epoch", "loss", "scale", "gradient_norm", "learning_rate", "images_per_s")


class RunFolder:
    """Files of one alignment.

    Attributes:
        path: The folder.
        steps: RowSource of `steps.parquet`, values of `COLUMNS`.
        epochs: Entries of `retrieval.json`, one an epoch.
    """

    def __init__(self, path: Path) -> None:
        """Files that are there are read by `begin`."""
        self.path = path
        self.steps: list[tuple[float, ...]] = []
        self.epochs: list[dict[str, Any]] = []

    def begin(self, settings: Mapping[str, Any], computed_with: Mapping[str, Any]) -> str | None:
        """Make the folder, or see that it holds a run of the same settings.

        Args:
            settings: All that decides the run, JSON-able.
            computed_with: What decides its last bits: device, threads, versions, code.

        Returns:
            What of `computed_with` is another than before; None: nothing.

        Raises:
            UsageError: It holds a run of other settings, or something else.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"--out {self.path}: it is a file; give a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        there = self.path / SETTINGS
        if there.is_file():
            before = self.settings()
            if (changed := _difference(before["settings"], parsing.from_json(json.dumps(settings)))) is not None:
                raise UsageError(
                    f"--out {self.path}: it holds an alignment with another {changed}; give another folder, or "
                    "the same settings to go on with it"
                )
            known = before.get("computed_with") or [{}]
            other = _difference(known[-1], parsing.from_json(json.dumps(computed_with)))
            if other is not None:
                self.note(computed_with=[*known, computed_with])
            return other
        if any(self.path.iterdir()):
            raise UsageError(f"--out {self.path}: it holds other files; give a folder of its own")
        self.note(settings=settings, computed_with=[computed_with])
        return None

    def settings(self) -> dict[str, Any]:
        """What `align.json` holds.

        Raises:
            UsageError: There is none, or it is damaged.
        """
        try:
            found: dict[str, Any] = parsing.from_json((self.path / SETTINGS).read_text(encoding="utf-8"))
            if not isinstance(found, dict) or not isinstance(found.get("settings"), dict):
                raise ValueError("it has no settings")
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.path}: {SETTINGS} cannot be read ({brief(error)}); give the folder of an alignment"
            ) from error
        return found

    def note(self, **blocks: Any) -> None:
        """Write blocks of `align.json`; others stay as they are."""
        there = self.path / SETTINGS
        before = self.settings() if there.is_file() else {"senbench_align": 1}
        text = json.dumps({**before, **blocks}, indent=1, ensure_ascii=False)
        _whole(there, lambda part: part.write_text(text + "\n", encoding="utf-8"))

    def keep_places(self, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> None:
        """Keep where the tiles lie, degrees (N,) each."""
        import numpy as np

        def write(part: Path) -> None:
            with part.open("wb") as stream:  # numpy adds a suffix to names
                np.save(stream, np.stack([latitude, longitude]))

        _whole(self.path / PLACES, write)

    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Latitude and longitude of the tiles, degrees (N,) each, NaN where they are not known.

        Raises:
            UnavailableError: They are not there, or damaged.
        """
        import numpy as np

        try:
            latitude, longitude = np.load(self.path / PLACES, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UnavailableError(f"{self.path}: {PLACES} cannot be read ({brief(error)}); train anew") from error
        return latitude, longitude

    def state(self) -> dict[str, torch.Tensor] | None:
        """The last state; rows and epochs after it are forgotten. None: no step was kept.

        Raises:
            UnavailableError: It is damaged.
        """
        from safetensors.torch import load_file

        place = self.path / STATE
        if not place.is_file():
            return None
        try:
            found: dict[str, torch.Tensor] = load_file(place)
            done = int(found["counts"][0])
            rows = read_parquet(self.path / STEPS).to_pydict()
            self.steps = [row for row in zip(*(rows[name] for name in COLUMNS), strict=True) if row[0] <= done]
            epochs = parsing.from_json((self.path / RETRIEVAL).read_text(encoding="utf-8"))
        except Exception as error:  # three formats, each with exceptions of its own
            raise UnavailableError(
                f"{self.path}: the state of this alignment is damaged ({brief(error)}); begin anew in another folder"
            ) from error
        self.epochs = [epoch for epoch in epochs if epoch["step"] <= done]
        return found

    def save(self, state: Mapping[str, torch.Tensor]) -> None:
        """Keep a state, and before it what was measured on the way there.

        Raises:
            OSError: The disk refuses; what was kept before is still there.
        """
        told = json.dumps(self.epochs, indent=1)
        _whole(self.path / RETRIEVAL, lambda part: part.write_text(told + "\n", encoding="utf-8"))
        _whole(self.path / STEPS, self._write_steps)
        _whole(self.path / STATE, lambda part: write_tensors(part, state))

    def _write_steps(self, part: Path) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        columns = zip(*self.steps, strict=True) if self.steps else ((),) * len(COLUMNS)
        kinds = [pa.int64(), pa.int64(), *[pa.float64()] * (len(COLUMNS) - 2)]
        arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
        parquet.write_table(pa.Table.from_arrays(arrays, list(COLUMNS)), part)


def digest(state: Mapping[str, torch.Tensor]) -> str:
    """sha256 of the names, shapes and bytes of all tensors of a state."""
    whole = hashlib.sha256()
    for name, value in sorted(state.items()):
        whole.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        whole.update(value.detach().cpu().contiguous().reshape(-1).numpy().tobytes())
    return whole.hexdigest()


def write_tensors(path: Path, state: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file.

    Raises:
        OSError: The system refuses, as where the disk is full; the library has an error of its own for that.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(dict(state), path)
    except SafetensorError as error:
        if (number := re.search(r"os error (\d+)", str(error))) is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _whole(place: Path, write: Callable[[Path], object]) -> None:
    """Write a file as a whole or not at all."""
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        write(part)
        part.replace(place)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def _difference(before: Any, now: Any, name: str = "") -> str | None:
    """First setting in which two blocks differ, with both values; None: they are the same."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            deeper = f"{name}.{key}" if name else key
            if (found := _difference(before.get(key), now.get(key), deeper)) is not None:
                return found
        return None
    return None if before == now else f"{name} ({before}, now {now})"
