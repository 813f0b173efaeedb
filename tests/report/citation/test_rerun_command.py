"""The command that makes a result again."""

from __future__ import annotations

import stubs
from changed_results import changed

import senbench
from senbench.report.citation.rerun_command import command

EVIL = "</script><img src=x onerror=alert(1)>"


def test_command_reproduces_the_spec():
    prompts = {k: [f"a {k.lower()}"] for k in stubs.CLASSES}
    found = senbench.evaluate(stubs.StubEncoder("stub"), stubs.tiles(), prompts, results=None)
    words = command(found)
    assert words.startswith("senbench run --model StubEncoder --prompts")
    hostile = changed(found, resolved={"model": EVIL})
    assert "'" in command(hostile)  # quoted for the shell
    exact = changed(found, spec={"exact": True, "dn_offset": "1000"})
    assert command(exact).endswith("--dn-offset 1000 --exact")
    for place, shown in (("/data/x", "DIR"), ("~/x", "DIR"), ("data/x", "data/x")):
        there = changed(found, spec={"data_dir": place, "weights": None})
        assert f"--data-dir {shown}" in command(there)
