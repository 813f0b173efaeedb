"""`senbench explain`: the difference of two results of one real run, by setting."""

from __future__ import annotations

import json

from outcomes import refused


def test_the_style_is_what_differs(senbench, mini_run):
    a, b = sorted(path.name for path in mini_run.results.glob("mini_*"))
    done = senbench("explain", a, b, "--results", mini_run.results, "--device", "cpu")
    assert done.code == 0, done.err
    assert done.out.startswith(f"A {a}\nB {b}\n")
    assert "setting that differs" in done.out
    assert "the same at both ends: split, image source" in done.out
    found = json.loads(senbench("explain", a, b, "--results", mini_run.results, "--json").out)
    assert [effect["switch"] for effect in found["metrics"][0]["effects"]] == ["prompts"]
    assert "together" in done.out


def test_an_unknown_result_is_one_line(senbench, mini_run):
    refused(senbench("explain", "x", "y", "--results", mini_run.results), 2, "x")
