from __future__ import annotations

import json

from eurosat_files import REAL
from outcomes import refused

TILES = [sorted((REAL / "2750" / key).glob("*.jpg"))[0] for key in ("River", "Forest")]


def test_try_shows_first_classes_and_margins(senbench):
    words = ("prompts", "try", "a photo of {}", "--tile", TILES[0], "--tile", TILES[1], "--offline")
    done = senbench(*words)
    assert done.code == 0 and len(done.out.splitlines()) == 3 and "%" in done.out
    found = json.loads(senbench(*words, "--json").out)
    assert [len(one["ranked"]) for one in found] == [10, 10]
    assert f"{found[0]['margin']:.3f}" in done.out.splitlines()[1]
    two = json.loads(senbench("prompts", "try", "a river", "a forest", "--tile", TILES[0], "--json").out)
    assert {one["name"] for one in two[0]["ranked"]} == {"a river", "a forest"}
    refused(senbench("prompts", "try", "a river", "--tile", TILES[0]), 2, "give a template with {}")
