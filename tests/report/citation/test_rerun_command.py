"""The command that makes a result again."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize(
    ("block", "name", "given", "shown"),
    [
        ("spec", "data_dir", "/data/x y/EuroSAT.zip", "--data-dir '<EuroSAT.zip>'"),
        ("spec", "data_dir", "EuroSAT.zip", "--data-dir '<EuroSAT.zip>'"),
        ("spec", "data_dir", "~/x", "--data-dir '<x>'"),
        ("spec", "weights", "C:\\Users\\ada\\w.pt", "--weights '<w.pt>'"),
        ("spec", "class_names", "names.yaml", "--class-names '<names.yaml>'"),
        ("spec", "class_names", "senclip", "--class-names senclip"),
        ("spec", "split", "random-test", "--split random-test"),
        ("resolved", "model", "hf:owner/name", "--model hf:owner/name"),
        ("resolved", "model", "cards/mine.toml", "--model '<mine.toml>'"),
        ("resolved", "prompts", "mine.json", "--prompts '<mine.json>'"),
        ("resolved", "dataset", "folder:/home/ada/tiles", "--dataset 'folder:<tiles>'"),
    ],
)
def test_files_of_the_user_are_placeholders_with_their_names(block, name, given, shown):
    prompts = {k: [f"a {k.lower()}"] for k in stubs.CLASSES}
    found = senbench.evaluate(stubs.StubEncoder("stub"), stubs.tiles(), prompts, results=None)
    assert shown in command(changed(found, **{block: {name: given}}))


def test_a_list_of_tiles_is_a_placeholder():
    prompts = {k: [f"a {k.lower()}"] for k in stubs.CLASSES}
    found = senbench.evaluate(stubs.StubEncoder("stub"), stubs.tiles(), prompts, results=None)
    own = changed(found, spec={"split": "tiles"}, resolved={"split": "file:tiles"})
    assert "--split '<tiles>'" in command(own)
