"""Files of what single prompts get right: written whole, read back, and refused where they are something else."""

from __future__ import annotations

import json

import pytest

from senbench.errors import UsageError
from senbench.results import single_prompts_file
from senbench.schema.single_prompts import SinglePrompts

FOUND = SinglePrompts(dataset="zoo", split="all", index_hash="a", n=3, prompts=("a CLASS.",), right={"run": (2,)})


def test_what_is_written_is_read_and_named_by_its_content(tmp_path):
    path = single_prompts_file.save(tmp_path, FOUND)
    assert single_prompts_file.load_all(tmp_path) == [FOUND]
    other = single_prompts_file.save(tmp_path, FOUND.model_copy(update={"right": {"run": (3,)}}))
    assert path != other and len(single_prompts_file.load_all(tmp_path)) == 2


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"n": 0}, {"right": {"run": ["two"]}}])
def test_another_layout_is_refused(tmp_path, change):
    path = single_prompts_file.save(tmp_path, FOUND)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match="single prompts"):
        single_prompts_file.load(path)
