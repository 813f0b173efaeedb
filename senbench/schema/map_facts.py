"""What is known of a map: how it was made, how much of it has which class, and how it agrees with another map."""

from pydantic import Field

from senbench.schema.record import Record
from senbench.schema.terms import Level, Task


class ClassShare(Record):
    """One class of a map."""

    key: str
    """Class key."""
    name: str
    """Class name as prompted."""
    colour: str
    """Its colour, `#rrggbb`."""
    cells: int
    """Cells of the class; with several labels a cell, those that have it."""
    share: float | None
    """Share of the classified cells, 0..1; None where none is."""
    km2: float
    """Their area."""


class Figure95(Record):
    """A figure with its interval."""

    value: float | None
    """The figure; None where it is undefined."""
    ci: tuple[float, float] | None = None
    """95 % interval; None where none can be given."""
    interval: str = ""
    """How it was made, or why there is none."""


class TruthClass(Record):
    """One class held against a land-cover map."""

    key: str
    """Class key."""
    truth: int
    """Cells that the land-cover map has of it."""
    mapped: int
    """Cells that the map has of it, among those that both have."""
    recall: Figure95
    """Share of the former that the map has too (producer's accuracy)."""
    precision: Figure95
    """Share of the latter that the land-cover map has too (user's accuracy)."""
    f1: Figure95
    """Harmonic mean of both."""
    share_truth: Figure95
    """Share of area by the land-cover map."""
    share_mapped: Figure95
    """Share of area by the map."""


class MapTruth(Record):
    """A map held against a land-cover map."""

    source: str
    """File of the land-cover map."""
    cells: int
    """Cells that both have a class of."""
    unknown: int
    """Classified cells of which the land-cover map knows too little, or other classes than the table names."""
    blocks: int
    """Blocks of 5 km that the intervals are made by."""
    agreement: Figure95
    """Share of cells on which both agree."""
    balanced: Figure95
    """Mean recall over the classes that the land-cover map has."""
    f1_macro: Figure95
    """Mean F1."""
    purity: float
    """Mean share of a cell that its class of the land-cover map covers, 0..1: above it no patch-wise map can come
    pixel by pixel."""
    classes: tuple[TruthClass, ...]
    """By class."""
    confusion: tuple[tuple[int, ...], ...]
    """Cells, rows by the land-cover map, columns by the map."""


class MapFacts(Record):
    """Everything about a map but its cells."""

    senbench: str
    """Version that made it."""
    run: str
    """Run whose settings were applied."""
    model: str
    """Title of its model."""
    weights_sha256: str
    """Of the weights."""
    prompts: str
    """Its prompts."""
    prompts_sha256: str
    """Their hash."""
    dataset: str
    """Title of the dataset that the run classified."""
    headline: str
    """The run's headline figure in words; on its own tiles, not on this scene."""
    task: Task
    """One class a cell, or several labels."""
    scene: str
    """Name of the scene."""
    level: Level | None
    """Its processing level."""
    radiometry: str
    """How the model saw its values."""
    crs: str
    """Its projection."""
    pixel_m: float
    """Side of its pixels in metres."""
    scene_pixels: tuple[int, int]
    """Its height and width."""
    window_pixels: int
    """Side of a window in pixels."""
    ground_known: bool
    """Whether windows have the ground size of the run's tiles; False: their size in pixels, or an asked one."""
    stride_pixels: int
    """Pixels between two windows: the side of a cell."""
    cells: tuple[int, int]
    """Rows and columns of the map."""
    classified: int
    """Cells with a class."""
    windows: dict[str, int]
    """What became of the windows: `classified`, `no data`, `cloud`, `impossible values`, `incomplete at the edge`."""
    clouds: str
    """What was done about clouds."""
    marks: tuple[str, ...]
    """What a reader must know, the run's qualifications first."""
    classes: tuple[ClassShare, ...]
    """By class, in label order."""
    truth: MapTruth | None = None
    """Agreement with a land-cover map; None: none was given."""
    seconds: float = Field(ge=0)
    """Wall time of this call; of a continued map that of its last part."""
