"""Static facts of a dataset: its classes, their names and cues, its splits, bands and licence."""

from pydantic import Field

from senbench.schema.record import Record
from senbench.schema.terms import Level, Task, Unit


class ClassEntry(Record):
    """One class of a dataset: its key on disk, its published names, what one sees of it."""

    key: str
    """Canonical key: the folder name in the dataset."""
    names: dict[str, str]
    """Class name in each class-name set, e.g. `{"senclip": "Sea or Lake", ...}`."""
    ground: tuple[str, ...] = ()
    """Cues as seen from the ground."""
    aerial: tuple[str, ...] = ()
    """Cues as seen from above, matched pairwise to `ground`."""
    ground_short: tuple[str, ...] = ()
    """Cues of at most eight words, as seen from the ground."""
    aerial_short: tuple[str, ...] = ()
    """The same as seen from above, matched pairwise to `ground_short`."""
    hypernym: str = ""
    """What the class is a kind of, e.g. `farmland`; empty: not stated."""
    synonyms: tuple[str, ...] = ()
    """Other names that a caption might use."""
    translations: dict[str, str] = Field(default={})
    """Language (ISO 639-1) -> class name in it."""
    source: str = ""
    """Nomenclature that says what the class covers, and where its cues are from."""


class Vocabulary(Record):
    """Class names and cues of a dataset, read from `prompts/classes/<id>.yaml`."""

    id: str
    """Dataset vocabulary id, e.g. `eurosat`."""
    title: str
    """Name for people."""
    default_names: str
    """Class-name set used when none is asked for."""
    classes: tuple[ClassEntry, ...]
    """Classes in label order."""


class DatasetInfo(Record):
    """Static facts of one dataset."""

    id: str
    """Name on the command line, e.g. `eurosat-rgb`."""
    title: str
    """Name for people."""
    collection: str
    """What the images are taken from, whatever the split or the file format: `eurosat`, `bigearthnet`, ..."""
    task: Task
    """Single-label or multi-label."""
    classes: tuple[str, ...]
    """Class keys in label order."""
    vocabulary: str
    """Vocabulary id under `prompts/classes/`, or a path to a YAML file."""
    splits: dict[str, int]
    """Split name -> number of tiles it must have."""
    default_split: str
    """Split used by the `standard` protocol."""
    bands: tuple[str, ...]
    """Bands a tile has, by name."""
    unit: Unit
    """`uint8` RGB or `dn`."""
    level: Level | None = None
    """Processing level of the digital numbers; None for `uint8`, or where it is not known."""
    tile_size: int | None
    """Side of a tile in pixels; None where sizes vary."""
    radiometry: str
    """Default rendering of DN to uint8; `native-jpeg` where tiles are uint8 already."""
    licence: str
    """Licence of the data."""
    citation: str
    """Short reference."""
    synthetic: bool = False
    """True for generated scenes: labelled everywhere."""
