"""The page of a map: scene, map, legend and shares of area side by side, and what such a map is and is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.report import html

if TYPE_CHECKING:
    from senbench.schema.map_facts import MapFacts


def render(facts: MapFacts, scene: bytes | None, picture: bytes) -> str:
    """One HTML document without script or external request; the same map gives the same bytes.

    Args:
        facts: What is known of the map.
        scene: Picture of the scene, WebP; None: it has no red, green and blue.
        picture: Picture of the map, WebP.
    """
    style = html.read("compare.css") + html.read("map.css") + _swatches(facts)
    return html.render(
        "map.html.j2",
        style=style,
        m=facts,
        scene=None if scene is None else html.picture(scene),
        picture=html.picture(picture),
        side=facts.window_pixels * facts.pixel_m,
        cell=facts.stride_pixels * facts.pixel_m,
        rows=sorted(enumerate(facts.classes), key=lambda one: -one[1].cells),
        total=sum(facts.windows.values()),
    )


def _swatches(facts: MapFacts) -> str:
    """Rules for the colours and bars of the legend: the policy of the page allows no style on elements."""
    rules, largest = [], max((one.share or 0 for one in facts.classes), default=0) or 1
    for k, one in enumerate(facts.classes):
        rules.append(
            f".c{k} {{ background: {one.colour}; }} .w{k} {{ width: {100 * (one.share or 0) / largest:.1f}%; }}"
        )
    return "\n".join(rules) + "\n"
