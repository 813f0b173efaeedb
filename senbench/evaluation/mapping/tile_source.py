"""Opens tiles as a run saw its own: a dataset by name, a folder, a zip, a packed store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from senbench.datasets import open as datasets
from senbench.datasets.folder.unlabelled import Unlabelled
from senbench.datasets.packed.format import is_store
from senbench.errors import UsageError
from senbench.results import places

if TYPE_CHECKING:
    from collections.abc import Callable

    from senbench.datasets.tiles import Tiles
    from senbench.evaluation.mapping.settled import Settled


class TileSource(NamedTuple):
    """Tiles as a user names them."""

    name: str
    """A dataset by name, or the path of a folder, a zip or a packed store."""
    split: str | None = None
    """Split of a dataset; None: the run's, where it is the run's dataset, else its default."""
    data_dir: str | None = None
    """Folder of a dataset's data; None: below SENBENCH_HOME."""
    dn_offset: str = "auto"
    """DN to subtract from digital numbers of a user's own; `auto`: what their metadata tell."""

    def open(self, settled: Settled, say: Callable[[str], None], *, offline: bool) -> Tiles:
        """The tiles as the run's model takes them; their labels are not looked at.

        Args:
            settled: The run.
            say: Shows a line.
            offline: Fetch nothing.

        Raises:
            UsageError: There is no such source, or the run's model cannot see its tiles as it saw the run's.
            UnavailableError: Data missing or damaged.
        """
        path = Path(self.name).expanduser()
        if path.exists():
            if self.data_dir is not None:
                raise UsageError(f"--data-dir {self.data_dir} is for a dataset by name; {self.name} is a path")
            if not is_store(path):
                return self._unlabelled(settled, path)
        name = f"folder:{self.name}" if path.exists() else self.name
        if not path.exists() and _is_path(name):
            raise UsageError(f"{name}: no such folder or file, and no dataset has this name")
        info = datasets.dataset_info(name, data_dir=self.data_dir, offline=offline)
        tiles = datasets.open_dataset(
            name,
            split=self.split or _split_of(settled, info.id),
            data_dir=self.data_dir,
            radiometry=settled.rendering(info),
            dn_offset=self.dn_offset,
            offline=offline,
            say=say,
        )
        return settled.as_seen(tiles)

    def _unlabelled(self, settled: Settled, path: Path) -> Tiles:
        if self.split is not None:
            raise UsageError(f"--split {self.split} is for a dataset by name; all tiles of {self.name} are classified")
        found = Unlabelled(path)
        info = found.info
        if self.dn_offset != "auto" and info.unit != "dn":
            raise UsageError(f"--dn-offset {self.dn_offset} is for digital numbers; {self.name} holds 8-bit pictures")
        return settled.as_seen(found.open(radiometry=settled.rendering(info), dn_offset=self.dn_offset))


def _is_path(name: str) -> bool:
    """Whether a name that nothing is found under was meant as a path."""
    return ":" not in name and ("/" in name or name.startswith(("~", ".")) or name.lower().endswith(".zip"))


def _split_of(settled: Settled, dataset: str) -> str | None:
    """The split that the run evaluated, where a dataset is its own."""
    if settled.result.dataset.id != dataset:
        return None
    split = settled.result.resolved.split
    return places.spec_here(settled.result).split if split.startswith("file:") else split
