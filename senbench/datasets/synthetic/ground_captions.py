"""Captions of the ground views: what a person standing there would write, in varied words.

A caption follows from what its view shows (covers, how green, which colours, the sky); of words for the same thing one
is drawn. No caption speaks of a view from above, and none is taken from the prompts that models are evaluated with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.datasets.synthetic.landcover import LandCover

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from senbench.datasets.synthetic.ground_views import GroundView

NAMES: dict[str, tuple[str, ...]] = {
    "AnnualCrop": ("annual crop land", "arable land", "farmland", "cropland", "an annual crop", "a field of crops"),
    "Forest": ("forest", "a forest", "woodland", "the woods", "a wood"),
    "HerbaceousVegetation": (
        "herbaceous vegetation land", "herbaceous vegetation", "natural grassland", "wild vegetation", "heath and moor",
        "brushland or shrubland",
    ),
    "Highway": ("highway or road", "a highway", "a road", "a motorway", "a main road", "a country road"),
    "Industrial": ("industrial buildings", "an industrial area", "a factory site", "a business park", "a works yard"),
    "Pasture": ("pasture land", "a pasture", "grazing land", "a meadow", "grassland for animals"),
    "PermanentCrop": ("permanent crop land", "a permanent crop", "an orchard", "a vineyard", "a plantation"),
    "Residential": ("residential buildings", "a residential area", "a village", "a suburb", "homes"),
    "River": ("river", "a river", "a stream", "a riverside", "running water"),
    "SeaLake": ("sea or lake", "a lake", "the sea", "open water", "a large lake"),
}  # fmt: skip
"""Class -> ways to name such land; the first ones are those of the published name sets."""

_FRAMES = (
    "{c}", "{c}", "{c}.", "a photo of {c}.", "a picture of {c}.", "an image of {c}.", "a ground photo of {c}.",
    "a ground view of {c}.", "a snapshot of {c}.", "a close picture of {c}.", "{c}, seen from the ground.",
    "{c} at eye level.", "an image at eye level: {c}.", "{c}, photographed on foot.", "{c}, as a walker sees it.",
    "looking {facing} over {c}.", "facing {facing}: {c}.", "standing before {c}.", "a landscape with {c}.",
    "{n}: {c}.", "{n} seen from the ground: {c}.", "a ground view of {n}: {c}.", "{c}, in a photo of {n}.",
    "{n} with {c}.", "this picture shows {c}.", "one can see {c} here.", "a photo of {n}.", "{n}",
)  # fmt: skip
"""What stands around the content `c` and the name `n` of a caption."""

_FIELDS = (
    "a field of {x}", "rows of {x}", "{x} in long rows",
    "a wide field with {x}", "a flat field of {x}", "{x} on a farm",
    "a plain of {x}", "farmland with {x}", "a farmer's field of {x}", "{x} as far as one can see",
)  # fmt: skip
_GREEN_CROPS = (
    "green maize", "tall corn", "leafy sugar beet", "potato plants", "dense green wheat", "young barley",
    "canola plants", "soybean plants", "sunflowers", "broad green leaves", "cabbages", "high green crops", "rye",
    "peas and beans", "tall maize with tassels", "green cereals",
)  # fmt: skip
_YOUNG_CROPS = (
    "young wheat", "seedlings in brown earth", "small plants in damp soil", "short winter wheat", "sprouting crops",
    "young maize plants", "tiny green plants", "carrots and onions", "winter barley just coming up", "flax",
)  # fmt: skip
_RIPE_CROPS = (
    "ripe wheat", "golden barley", "yellow stubble", "dry straw", "ripe grain with heavy ears", "cut wheat",
    "straw bales on stubble", "dry oats", "ripe rye bending in the wind", "grain ready for the combine harvester",
    "harvested cereals",
)  # fmt: skip
_BARE_FIELDS = (
    "bare soil", "ploughed earth", "freshly ploughed furrows", "brown clods of earth", "dusty bare earth",
    "dark moist soil", "an empty ploughed field", "turned earth", "soil prepared for sowing", "dry cracked soil",
)  # fmt: skip

_WOODS = (
    "{x}", "{x} close together", "tall {x}", "the trunks of {x}", "a path between {x}", "dim light between {x}",
    "old {x}", "ferns and moss below {x}", "dense {x}", "leaves on the ground under {x}", "sunbeams between {x}",
    "straight stems of {x}",
)  # fmt: skip
_CONIFERS = ("spruces", "pines", "firs", "dark conifers", "spruce trees", "pine trees", "larches", "needle trees")
_LEAFY = (
    "beech trees",
    "oaks",
    "leafy trees",
    "birches",
    "maples",
    "broad-leaved trees",
    "beeches",
    "poplars",
    "limes",
)

_ROUGH = (
    "{a} tall grass and shrubs", "{a} wild grass",
    "tufts of {a} grass", "{a} grass with stones and bushes", "{a} heath",
    "{a} moorland", "a {a} hillside with low bushes", "rough {a} grass between rocks", "{a} steppe", "{a} scrub",
    "bushes of broom and gorse in {a} grass", "heather and {a} grass", "thistles and {a} herbs", "{a} natural meadow",
    "uncut {a} grass with wild flowers", "{a} vegetation without any trees", "juniper bushes on {a} slopes",
)  # fmt: skip
_PASTURES = (
    "{a} short grass", "a {a} meadow", "{a} grass for cows", "a {a} pasture with a fence", "mown {a} grass",
    "cows grazing on {a} grass", "sheep on a {a} meadow", "an even {a} lawn of grass", "grazed {a} turf",
    "{a} grass between hedges", "hay on a {a} meadow", "a smooth {a} paddock", "horses in a {a} paddock",
)  # fmt: skip
_LUSH, _DULL, _DRY = ("lush", "green", "fresh green", "bright green"), ("dull green", "pale", "grey-green"), (
    "dry", "yellow", "brown", "parched", "withered", "straw-coloured",
)  # fmt: skip
_ORCHARDS = (
    "rows of {x}", "{x} in straight lines", "planted {x}", "an orchard of {x}", "{x} with grass between the rows",
    "{x} on bare soil", "a plantation of {x}", "low {x}", "pruned {x}", "{x} one behind the other", "a grove of {x}",
)  # fmt: skip
_PLANTS = (
    "grapevines", "vines on wires", "olive trees", "apple trees", "cherry trees", "fruit trees", "peach trees",
    "almond trees", "orange trees", "small trees", "vine stocks", "plum trees", "hops", "berry bushes",
)  # fmt: skip
_HOUSES = (
    "houses along a street", "houses with {x} roofs", "family homes with gardens", "a street between houses",
    "terraced houses", "white walls and {x} roofs",
    "a village street", "front doors and windows", "parked cars and houses",
    "detached houses with lawns", "homes with {x} roofs and gardens", "a quiet street of homes", "apartment houses",
    "windows of a brick house", "a garden fence before a house",
)  # fmt: skip
_HALLS = (
    "a factory hall", "large halls with metal walls",
    "a warehouse with gates", "an industrial yard", "lorries at a gate",
    "a loading ramp", "big flat-roofed buildings", "a paved yard between halls", "storage halls", "workshops and sheds",
    "a car park before a hall", "corrugated metal walls",
    "a distribution centre", "a concrete yard", "a plant with gates",
)  # fmt: skip
_ROADS = (
    "cars on a wide road", "grey asphalt", "a road to the horizon", "lanes with white lines", "traffic on a motorway",
    "a road through {x}", "lorries on a highway", "asphalt lanes and a verge", "a straight road past {x}",
    "a crash barrier beside a road", "a dual carriageway", "wide tarmac with white dashes", "a junction of roads",
    "an embankment beside a road",
)  # fmt: skip
_RIVERS = (
    "{x} water between banks", "a river with {x} water", "a slow river", "a bank with trees and {x} water",
    "a stream flowing past {y}", "the far bank of a river", "{x} water flowing past {y}", "a broad river in a valley",
    "reeds on the bank of a stream", "a riverbank", "a current of {x} water", "a river bend", "a bridge over a river",
)  # fmt: skip
_LAKES = (
    "{x} water to the horizon", "waves on {x} water", "a calm {x} lake", "the open sea", "ripples on a lake",
    "a wide {x} sea", "{x} waves", "a smooth surface of {x} water", "nothing but {x} water", "a lake without a shore",
    "the surface of a reservoir", "a sailing boat far out on {x} water", "salt water with small waves",
)  # fmt: skip

_ALSO: dict[LandCover, tuple[str, ...]] = {
    LandCover.TREES: ("trees behind", "a wood in the distance", "some trees", "a line of trees"),
    LandCover.SHRUB: ("a hedge", "bushes at the side", "a hedgerow"),
    LandCover.HOUSE: ("a house far away", "roofs in the distance", "a farmhouse"),
    LandCover.HALL: ("a big shed behind", "halls in the distance"),
    LandCover.ROAD: ("a road", "asphalt in front", "a lane"),
    LandCover.WATER: ("water in front", "some water"),
    LandCover.TRACK: ("a gravel track", "a dirt path", "a farm track"),
    LandCover.FIELD: ("fields behind", "a field beside it"),
    LandCover.GRASS: ("a strip of grass", "grass in front"),
}
_SHOWS: dict[str, tuple[LandCover, ...]] = {
    "AnnualCrop": (LandCover.FIELD,),
    "Forest": (LandCover.TREES,),
    "HerbaceousVegetation": (LandCover.ROUGH, LandCover.SHRUB),
    "Highway": (LandCover.ROAD,),
    "Industrial": (LandCover.HALL, LandCover.PAVED),
    "Pasture": (LandCover.GRASS,),
    "PermanentCrop": (LandCover.ORCHARD,),
    "Residential": (LandCover.HOUSE,),
    "River": (LandCover.WATER,),
    "SeaLake": (LandCover.WATER,),
}
"""Class -> covers that make a view one of it."""
_SEEN = 0.04
"""Share of the land in a view that these covers must have."""
_ALONE: dict[LandCover, str] = {
    LandCover.BARE: "HerbaceousVegetation",
    LandCover.FIELD: "AnnualCrop",
    LandCover.GRASS: "Pasture",
    LandCover.ROUGH: "HerbaceousVegetation",
    LandCover.SHRUB: "HerbaceousVegetation",
    LandCover.TREES: "Forest",
    LandCover.ORCHARD: "PermanentCrop",
    LandCover.HOUSE: "Residential",
    LandCover.HALL: "Industrial",
    LandCover.ROAD: "Highway",
    LandCover.PAVED: "Industrial",
    LandCover.TRACK: "AnnualCrop",
    LandCover.WATER: "SeaLake",
}
"""LandCover -> the class of words for a view that shows nothing of its scene's class."""
_OVERCAST = ("under a grey sky", "on a cloudy day", "beneath grey clouds", "in dull light")
_CLEAR = ("under a blue sky", "on a sunny day", "in bright sunshine", "in clear weather")


def caption(class_key: str, view: GroundView, rng: np.random.Generator) -> str:
    """One caption of a view.

    Args:
        class_key: The class of the view's scene. It is written about only where the view shows it: a photo from a river
            bank that faces away from the water is a photo of trees.
        view: What the photo shows.
        rng: Source of the choice of words.

    Returns:
        One line of at most some 25 words.
    """
    about = subject(class_key, view)
    content = _content(about, view, rng)
    main = int(view.shares.argmax())
    also = [c for c in _ALSO if c != main and c not in _SHOWS[about] and view.shares[c] > 0.04]
    if also and rng.random() < 0.35:
        content += f" and {_one(_ALSO[also[int(rng.integers(len(also)))]], rng)}"
    if rng.random() < 0.3:
        content += f" {_one(_OVERCAST if view.overcast else _CLEAR, rng)}"
    return _one(_FRAMES, rng).format(c=content, n=_one(NAMES[about], rng), facing=view.facing)


def subject(class_key: str, view: GroundView) -> str:
    """The class that a photo would be said to show: the scene's where it is seen, otherwise that of most pixels."""
    if view.shares[list(_SHOWS[class_key])].sum() >= _SEEN:
        return class_key
    return _ALONE[LandCover(int(view.shares.argmax()))]


def _one(words: Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _content(about: str, view: GroundView, rng: np.random.Generator) -> str:
    """Noun phrase of what the view is about."""
    if about == "AnnualCrop":
        return _one(_FIELDS, rng).format(x=_one(_crops(view), rng))
    if about == "Forest":
        return _one(_WOODS, rng).format(x=_one(_trees(view), rng))
    if about == "Pasture":
        return _one(_PASTURES, rng).format(a=_one(_grass(view, LandCover.GRASS), rng))
    if about == "HerbaceousVegetation":
        return _one(_ROUGH, rng).format(a=_one(_grass(view, LandCover.ROUGH), rng))
    if about == "PermanentCrop":
        return _one(_ORCHARDS, rng).format(x=_one(_PLANTS, rng))
    if about == "Residential":
        return _one(_HOUSES, rng).format(x=_one(_roofs(view), rng))
    if about == "Industrial":
        return _one(_HALLS, rng)
    if about == "Highway":
        return _one(_ROADS, rng).format(x=_one(_surroundings(view), rng))
    if about == "River":
        return _one(_RIVERS, rng).format(x=_one(_water(view), rng), y=_one(_surroundings(view), rng))
    return _one(_LAKES, rng).format(x=_one(_water(view), rng))


def _crops(view: GroundView) -> Sequence[str]:
    green, red = view.greenness[LandCover.FIELD], view.tone[LandCover.FIELD, 0]
    if green > 0.55:
        return _GREEN_CROPS
    if green > 0.35:
        return _YOUNG_CROPS
    return _RIPE_CROPS if red > 0.14 and green > 0.18 else _BARE_FIELDS


def _trees(view: GroundView) -> Sequence[str]:
    return _LEAFY if view.tone[LandCover.TREES, 1] > 0.038 else _CONIFERS


def _grass(view: GroundView, cover: LandCover) -> Sequence[str]:
    green = view.greenness[cover]
    return _LUSH if green > 0.62 else _DULL if green > 0.45 else _DRY


def _roofs(view: GroundView) -> Sequence[str]:
    red, _, blue = view.tone[LandCover.HOUSE]
    return ("red", "tiled", "orange") if red > 1.3 * blue else ("grey", "dark", "slate")


def _water(view: GroundView) -> Sequence[str]:
    red, green, blue = view.tone[LandCover.WATER]
    if red > 0.045:
        return ("brown", "muddy", "murky")
    if green > blue:
        return ("green", "greenish", "deep green")
    return ("blue", "clear blue", "dark", "deep blue")


def _surroundings(view: GroundView) -> Sequence[str]:
    """Words for the widest cover beside roads and water."""
    kinds = {
        LandCover.FIELD: ("fields", "farmland", "crops"),
        LandCover.GRASS: ("meadows", "grass", "green land"),
        LandCover.ROUGH: ("wild grass", "scrub", "open country"),
        LandCover.SHRUB: ("bushes", "hedges"),
        LandCover.TREES: ("trees", "a wood", "woodland"),
        LandCover.HOUSE: ("houses", "a village"),
        LandCover.HALL: ("halls", "factories"),
        LandCover.PAVED: ("yards", "paved ground"),
    }
    return kinds[max(kinds, key=lambda cover: float(view.shares[cover]))]
