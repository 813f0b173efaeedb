"""Tiles without labels: the images of a folder, however deep they lie, or of a zip."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.folder.images import SUFFIXES
from senbench.datasets.folder.own_files import OwnFiles, own_info
from senbench.datasets.readers.left_out import beside, left_out, natural
from senbench.datasets.readers.sources import Archive, NamedFiles, is_junk
from senbench.datasets.tiles import Tiles
from senbench.errors import UnavailableError, UsageError
from senbench.io.plain_text import name_fault
from senbench.runtime.paths import base_name

if TYPE_CHECKING:
    from senbench.schema.dataset import DatasetInfo

PREFIX = "tiles:"
"""Before the name of such a source, in its id."""


class Unlabelled:
    """Images that nobody labelled.

    Args:
        path: A folder or a zip; of a folder all files below it are taken, of a zip all members.

    Raises:
        UsageError: It holds no image, or a file's name is not UTF-8.
        UnavailableError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        name = base_name(str(path.resolve()))
        if path.is_dir():
            every = _below(path)
        else:
            archive = Archive(path, "give a whole one")
            every = list(archive.names)
        if fault := next((fault for one in every if (fault := name_fault(one))), None):
            raise UsageError(f"{name}: the name {fault}")
        images = sorted((one for one in every if PurePosixPath(one).suffix.lower() in SUFFIXES), key=natural)
        if not images:
            raise UsageError(f"{name}: holds no image ({', '.join(SUFFIXES)})")
        self.ids = tuple(images)
        self.left_out = left_out([one for one in every if one not in set(images) and not beside(one, images)])
        title = f"{name}/" if path.is_dir() else name
        source = NamedFiles(path, self.ids, title) if path.is_dir() else archive
        self._files = OwnFiles(source, self.ids, name)
        n = len(self.ids) + sum(one.n for one in self.left_out)
        self._info = own_info(PREFIX, name, (), {"all": n}).model_copy(
            update={"title": f"Tiles without labels ({name})"}
        )

    @property
    def info(self) -> DatasetInfo:
        """Facts of the tiles: bands, unit and level.

        Raises:
            UsageError: As of `OwnFiles.describe`.
        """
        return self._files.describe(self._info)

    def open(self, *, radiometry: str | None, dn_offset: str = "auto") -> Tiles:
        """The tiles, with their paths as ids, in natural order; labels are none.

        Args:
            radiometry: Of 8-bit images None or `native-jpeg`; of digital numbers a rendering, None: that of the level.
            dn_offset: Of digital numbers `0` or `1000`: what is subtracted; `auto`: what their metadata tell.

        Raises:
            UsageError: As of `OwnFiles.open`.
        """
        opened = self._files.open(self._info, None, None, radiometry=radiometry, dn_offset=dn_offset)
        facts = opened.facts
        if self.left_out:
            facts["pixels"]["left_out"] = [one.model_dump(mode="json") for one in self.left_out]
        return Tiles(
            info=opened.info,
            split="all",
            source=self._files.source.title,
            ids=self.ids,
            labels=np.zeros((len(self.ids), 0), bool),
            reader=opened.reader,
            n_expected=self._info.splits["all"],
            radiometry=opened.radiometry,
            facts_of_source=facts,
        )


def _below(folder: Path) -> list[str]:
    """Files below a folder, with forward slashes; what operating systems leave behind and hidden folders are not."""

    def refused(error: OSError) -> None:
        raise UnavailableError(f"{error.filename}: cannot be listed: {error.strerror}") from error

    found: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not is_junk(name)]
        inside = Path(parent).relative_to(folder).as_posix()
        found += [name if inside == "." else f"{inside}/{name}" for name in files if not is_junk(name)]
    return sorted(found)
