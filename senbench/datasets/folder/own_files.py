"""A user's own files, however they are listed: their facts, and the reader that fits what their headers tell."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.datasets import radiometry as radiometries
from senbench.datasets.folder import headers, sentinel2
from senbench.datasets.folder.headers import TileHeader
from senbench.datasets.folder.sentinel2 import DigitalReader
from senbench.datasets.radiometry import NATIVE, UNDECIDED
from senbench.datasets.readers import pixel_rules
from senbench.datasets.readers.image import IN_ORDER, PictureReader
from senbench.datasets.readers.pixel_rules import SIDECAR
from senbench.errors import UsageError
from senbench.schema.dataset import DatasetInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from senbench.datasets.folder.headers import Look
    from senbench.datasets.readers.sources import Archive, Folder, Places
    from senbench.datasets.tiles import Reader
    from senbench.schema.terms import Task


class Opened(NamedTuple):
    """A user's files as they are read."""

    info: DatasetInfo
    reader: Reader
    radiometry: str
    facts: dict[str, Any]
    """What a result tells of the values."""


class OwnFiles(NamedTuple):
    """A user's files.

    Attributes:
        source: Where they lie.
        names: All files that are read, by their names in the source.
        title: The dataset as passed, for messages.
    """

    source: Folder | Archive
    names: tuple[str, ...]
    title: str

    def describe(self, info: DatasetInfo) -> DatasetInfo:
        """Facts of the dataset with what the headers tell.

        Args:
            info: Those of 8-bit images.

        Raises:
            UsageError: Values of another kind, bands or a scale that cannot be told, or tiles that disagree.
        """
        seen = headers.look(self.source, self.names, self.title)
        return sentinel2.describe(info, seen) if seen.digital else info

    def open(
        self,
        info: DatasetInfo,
        rows: Sequence[int] | None,
        places: Places | None,
        *,
        radiometry: str | None,
        dn_offset: str,
    ) -> Opened:
        """The reader of some of the files.

        Args:
            info: Facts of the dataset as if it were of 8-bit images.
            rows: Positions in `names`; None: all.
            places: Clusters of these files, where something else than the files tells them.
            radiometry: Of 8-bit images None or `native-jpeg`; of digital numbers a rendering, None: that of the level.
            dn_offset: As of `DigitalReader`.

        Raises:
            UsageError: As `describe`, a radiometry of 8-bit images, or an offset that is not told.
        """
        seen, names = headers.look(self.source, self.names, self.title), self.names
        if not seen.digital:
            if radiometry not in (None, NATIVE):
                raise UsageError(f"{self.title}: radiometry {radiometry!r} does not apply to 8-bit images")
        else:
            info = sentinel2.describe(info, seen)
        if rows is not None:
            names = tuple(names[i] for i in rows)
            seen = seen._replace(headers=tuple(seen.headers[i] for i in rows))
        if not seen.digital:
            pictures = PictureReader(self.source, names, seen.order, places=places)
            return Opened(info, pictures, NATIVE, _facts(pictures, seen))
        policy = info.radiometry if radiometry is None else radiometries.check(radiometry)
        if info.radiometry == UNDECIDED:
            info = info.model_copy(update={"radiometry": policy})
        reader = DigitalReader(self.source, names, seen, dn_offset, policy, places)
        return Opened(info, reader, policy, dict(reader.facts()))


def own_info(
    prefix: str, name: str, classes: Iterable[str], splits: Mapping[str, int], task: Task = "single-label"
) -> DatasetInfo:
    """Facts of a user's 8-bit images.

    Args:
        prefix: What the dataset's name begins with, `folder:` or `table:`.
        name: Base name of the folder or table.
        classes: Class keys in label order.
        splits: Split name -> number of tiles; the default is `test`, or `all` where there is none.
        task: Single-label or multi-label.
    """
    return DatasetInfo(
        id=f"{prefix}{name}",
        title=f"Own images ({name})",
        collection="user",
        task=task,
        classes=tuple(unicodedata.normalize("NFC", key) for key in classes),  # macOS writes accents apart
        vocabulary="",
        splits=dict(splits),
        default_split="test" if "test" in splits else "all",
        bands=("B04", "B03", "B02"),
        unit="uint8",
        tile_size=None,
        radiometry=NATIVE,
        licence="the user's",
        citation="the user's images",
    )


def check_distinct(classes: Iterable[str], what: str) -> None:
    """Refuse classes that differ in marks or case alone: classes go by letters and digits.

    Args:
        classes: Class keys.
        what: The dataset and what its classes are, for messages: `folder:tiles: class folders`.

    Raises:
        UsageError: Two are alike.
    """
    same: dict[str, str] = {}
    for key in classes:
        plain = "".join(c for c in unicodedata.normalize("NFC", key).casefold() if c.isalnum())
        if (other := same.setdefault(plain, key)) != key:
            raise UsageError(
                f"{what} {other!r} and {key!r} differ in marks or case alone, and classes go by letters and digits: "
                "rename one of them"
            )


def _facts(reader: PictureReader, seen: Look) -> dict[str, Any]:
    """What a result tells of 8-bit images, with what their headers tell of the bands."""
    rasters = [header for header in seen.headers if isinstance(header, TileHeader)]
    sources = {pixel_rules.picture_places(header.pixels, seen.order)[1] for header in rasters}
    if len(rasters) < len(seen.headers):
        sources.add(SIDECAR if seen.order else IN_ORDER)
    return reader.facts("; ".join(sorted(sources)))
