"""TorchGeo 0.8's classification datasets: facts known before TorchGeo is imported, held against it by tests.

A number of tiles is what TorchGeo's documentation or the split's paper states; 0 where neither does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from senbench.datasets.bigearthnet.corine import CLASSES_19
from senbench.datasets.catalog import BANDS, S2_BANDS
from senbench.datasets.radiometry import NATIVE, UNDECIDED
from senbench.schema.dataset import DatasetInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

RGB8 = ("B04", "B03", "B02")
_SPLITS_OF_PAPER = "train/val/test of arXiv:1911.06721"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


UCMERCED = _words(
    "agricultural airplane baseballdiamond beach buildings chaparral denseresidential forest freeway golfcourse harbor "
    "intersection mediumresidential mobilehomepark overpass parkinglot river runway sparseresidential storagetanks "
    "tenniscourt"
)
RESISC45 = _words(
    "airplane airport baseball_diamond basketball_court beach bridge chaparral church circular_farmland cloud "
    "commercial_area dense_residential desert forest freeway golf_course ground_track_field harbor industrial_area "
    "intersection island lake meadow medium_residential mobile_home_park mountain overpass palace parking_lot railway "
    "railway_station rectangular_farmland river roundabout runway sea_ice ship snowberg sparse_residential stadium "
    "storage_tank tennis_court terrace thermal_power_station wetland"
)
PATTERNNET = _words(
    "airplane baseball_field basketball_court beach bridge cemetery chaparral christmas_tree_farm closed_road "
    "coastal_mansion crosswalk dense_residential ferry_terminal football_field forest freeway golf_course harbor "
    "intersection mobile_home_park nursing_home oil_gas_field oil_well overpass parking_lot parking_space railway "
    "river runway runway_marking shipping_yard solar_panel sparse_residential storage_tank swimming_pool tennis_court "
    "transformer_station wastewater_treatment_plant"
)
FIRERISK = ("High", "Low", "Moderate", "Non-burnable", "Very_High", "Very_Low", "Water")
ADVANCE = (
    "airport",
    "beach",
    "bridge",
    "farmland",
    "forest",
    "grassland",
    "harbour",
    "lake",
    "orchard",
    "residential",
    "sparse shrub land",
    "sports land",
    "train station",
)
MILLIONAID = _words(
    "apartment apron bare_land baseball_field basketball_court beach bridge cemetery church commercial_area dam desert "
    "detached_house dry_field forest golf_course greenhouse ground_track_field helipad ice_land intersection island "
    "lake meadow mine mobile_home_park oil_field orchard paddy_field parking_lot pier quarry railway river road "
    "rock_land roundabout runway solar_power_plant sparse_shrub_land stadium storage_tank substation swimming_pool "
    "tennis_court terraced_field train_station viaduct wastewater_plant wind_turbine works"
)
"""TorchGeo's list has `bapsketball_court` for one of them; its labels are the names of the folders."""
MILLIONAID_GROUPS = _words(
    "agriculture_land airport_area arable_land commercial_land factory_area grassland highway_area industrial_land "
    "leisure_land mining_area port_area power_station public_service_land railway_area religious_land residential_land "
    "special_land sports_land transportation_land unutilized_land water_area woodland"
)
SO2SAT = (
    "Compact high rise",
    "Compact mid rise",
    "Compact low rise",
    "Open high rise",
    "Open mid rise",
    "Open low rise",
    "Lightweight low rise",
    "Large low rise",
    "Sparsely built",
    "Heavy industry",
    "Dense trees",
    "Scattered trees",
    "Bush, scrub",
    "Low plants",
    "Bare rock or paved",
    "Bare soil or sand",
    "Water",
)
TREESATAI = _words(
    "Abies Acer Alnus Betula Cleared Fagus Fraxinus Larix Picea Pinus Populus Prunus Pseudotsuga Quercus Tilia"
)

_BENCH_EUROSAT = _words(
    "AnnualCrop HerbaceousVegetation Industrial PermanentCrop River Forest Highway Pasture Residential SeaLake"
)

ALIASES = {
    "EuroSAT": "eurosat",
    "EuroSATSpatial": "eurosat-spatial",
    "EuroSAT100": "eurosat-100",
    "BigEarthNet": "bigearthnet-v1",
    "BigEarthNetV2": "bigearthnet-v2",
}
"""Classes whose files senbench reads itself, tile by tile the same (tests), under its own ids and with positions."""

REFUSED = {
    "QuakeSet": "its tiles are pairs of radar images, of which no model here takes a band",
    "DigitalTyphoon": "its tiles are sequences of one infrared band of a weather satellite, 5 km a pixel",
    "CopernicusBenchEuroSATS1": "its tiles are radar images, of which no model here takes a band",
    "CopernicusBenchBigEarthNetS1": "its tiles are radar images, of which no model here takes a band",
    "CopernicusBenchLC100ClsS3": "its bands are those of Sentinel-3, 300 m a pixel, of which no model here takes one",
    "COWCCounting": "its labels are numbers of cars, not classes",
}
"""Classes of TorchGeo with labels that are not run, and why."""


@dataclass(frozen=True)
class KnownClass:
    """What is known of one of TorchGeo's classes.

    Attributes:
        facts: Fields of `DatasetInfo` that are its own.
        options: Its arguments that a name may give, the default first: `torchgeo:So2Sat?version=3_block`.
        channels: Bands of an image in its order, where TorchGeo makes the image of them; empty: files of RGB.
        gain: Digital numbers of one unit of its values.
        side: Height and width to which TorchGeo brings every image; None: as it is.
        arguments: What its constructor gets besides.
    """

    facts: Mapping[str, Any]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    gain: float = 1.0
    side: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def info(self, name: str, chosen: Mapping[str, str]) -> DatasetInfo:
        """Facts of the dataset.

        Args:
            name: Name of the class.
            chosen: Options that are not at their default.
        """
        suffix = "".join(f"?{key}={value}" for key, value in sorted(chosen.items()))
        common = {
            "id": f"torchgeo:{name}{suffix}",
            "title": name,
            "collection": name.lower(),
            "task": "single-label",
            "vocabulary": "",
            "bands": RGB8,
            "unit": "uint8",
            "tile_size": self.side,
            "radiometry": NATIVE,
            "licence": "as its authors state",
        }
        return DatasetInfo(**(common | dict(self.facts)))


def _published(train: int = 0, val: int = 0, test: int = 0) -> dict[str, Any]:
    return {"splits": {"train": train, "val": val, "test": test}, "default_split": "test"}


S2_OF_SO2SAT = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
_SO2SAT = KnownClass(
    {
        "title": "So2Sat LCZ42",
        "classes": SO2SAT,
        "splits": {"train": 0, "validation": 0, "test": 0},
        "default_split": "test",
        "bands": S2_OF_SO2SAT,
        "unit": "dn",
        "tile_size": 32,
        "radiometry": UNDECIDED,
        "citation": "Zhu et al. 2020, doi:10.1109/MGRS.2020.2964708",
    },
    {"version": ("2", "3_random", "3_block", "3_culture_10")},
    channels=S2_OF_SO2SAT,
    gain=10_000.0,
    arguments={"bands": tuple(f"S2_{band}" for band in S2_OF_SO2SAT)},
)
S2_OF_TREESATAI = ("B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12", "B01", "B09")
_TREESATAI: dict[str, Any] = {
    "title": "TreeSatAI",
    "task": "multi-label",
    "classes": TREESATAI,
    "splits": {"train": 0, "test": 0},
    "default_split": "test",
    "tile_size": None,
    "licence": "CC-BY-4.0",
    "citation": "Ahlswede et al. 2023, doi:10.5194/essd-15-681-2023",
}
CLASSES: dict[str, KnownClass] = {
    "UCMerced": KnownClass(
        {
            "title": "UC Merced Land Use",
            "classes": UCMERCED,
            **_published(1260, 420, 420),
            "citation": f"Yang and Newsam 2010, doi:10.1145/1869790.1869829; {_SPLITS_OF_PAPER}",
        },
        side=256,
    ),
    "RESISC45": KnownClass(
        {
            "title": "NWPU-RESISC45",
            "classes": RESISC45,
            **_published(18900, 6300, 6300),
            "citation": f"Cheng et al. 2017, doi:10.1109/JPROC.2017.2675998; {_SPLITS_OF_PAPER}",
        }
    ),
    "PatternNet": KnownClass(
        {
            "classes": PATTERNNET,
            "splits": {"all": 30400},
            "default_split": "all",
            "citation": "Zhou et al. 2018, doi:10.1016/j.isprsjprs.2018.01.004",
        }
    ),
    "FireRisk": KnownClass(
        {
            "classes": FIRERISK,
            "splits": {"train": 70331, "val": 21541},
            "default_split": "val",
            "citation": "Shen et al. 2023, arXiv:2303.07035",
        }
    ),
    "MillionAID": KnownClass(
        {
            "title": "Million-AID",
            "classes": MILLIONAID,
            "splits": {"train": 0, "test": 0},
            "default_split": "test",
            "citation": "Long et al. 2021, doi:10.1109/JSTARS.2021.3070368",
        },
        {"task": ("multi-class", "multi-label")},
    ),
    "ADVANCE": KnownClass(
        {
            "classes": ADVANCE,
            "splits": {"all": 5075},
            "default_split": "all",
            "citation": "Hu et al. 2020, doi:10.1007/978-3-030-58586-0_5",
        }
    ),
    "COWCDetection": KnownClass(
        {
            "title": "Cars Overhead With Context",
            "classes": ("no car", "car"),
            "splits": {"train": 0, "test": 0},
            "default_split": "test",
            "citation": "Mundhenk et al. 2016, doi:10.1007/978-3-319-46487-9_48",
        }
    ),
    "So2Sat": _SO2SAT,
    "TreeSatAI": KnownClass(
        _TREESATAI,
        {"sensors": ("aerial", "s2")},
        channels=("NIR", "B03", "B02", "B04"),
    ),
}
_BENCH: dict[str, Any] = {"unit": "dn", **_published(), "citation": "Wang et al. 2025, arXiv:2503.11849"}
CLASSES |= {
    "CopernicusBenchEuroSATS2": KnownClass(
        {
            **_BENCH,
            "title": "Copernicus-Bench EuroSAT-S2",
            "collection": "eurosat",
            "classes": _BENCH_EUROSAT,
            "vocabulary": "eurosat",
            "bands": BANDS,
            "level": "L1C",
            "radiometry": "eurosat-jpeg",
            "tile_size": 64,
        },
        channels=BANDS,
    ),
    "CopernicusBenchBigEarthNetS2": KnownClass(
        {
            **_BENCH,
            "title": "Copernicus-Bench BigEarthNet-S2",
            "collection": "bigearthnet",
            "task": "multi-label",
            "classes": CLASSES_19,
            "vocabulary": "bigearthnet",
            "bands": S2_BANDS,
            "level": "L2A",
            "radiometry": "dn2000",
            "tile_size": 120,
        },
        channels=S2_BANDS,
    ),
    "CopernicusBenchLCZS2": KnownClass(
        {
            **_BENCH,
            "title": "Copernicus-Bench LCZ-S2",
            "collection": "so2sat",
            "classes": SO2SAT,
            "bands": S2_OF_SO2SAT,
            "radiometry": UNDECIDED,
            "tile_size": 32,
        },
        channels=S2_OF_SO2SAT,
        gain=10_000.0,
    ),
}
_TREES_S2 = KnownClass(
    _TREESATAI | {"bands": S2_OF_TREESATAI, "unit": "dn", "radiometry": UNDECIDED},
    CLASSES["TreeSatAI"].options,
    channels=S2_OF_TREESATAI,
)
_MULTI_LABEL = KnownClass(
    {
        **CLASSES["MillionAID"].facts,
        "task": "multi-label",
        "classes": tuple(sorted((*MILLIONAID, *MILLIONAID_GROUPS))),
    },
    CLASSES["MillionAID"].options,
)
VARIANTS = {("TreeSatAI", "sensors", "s2"): _TREES_S2, ("MillionAID", "task", "multi-label"): _MULTI_LABEL}
"""(Class, option, value) -> what is known where that option is chosen."""
