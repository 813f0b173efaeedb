"""What costs seconds to import is not imported for a list or a help page."""

from __future__ import annotations

import subprocess
import sys

import pytest
from eurosat_files import jpegs, packed

HEAVY = ("torch", "torchvision", "open_clip", "torchgeo", "pandas", "sklearn", "datasets", "scipy")


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["run", "--help"],
        ["predict", "--help"],
        ["models"],
        ["models", "list", "--json"],
        ["models", "show", "senclip"],
        ["prompts", "list"],
        ["prompts", "show", "ground", "--dataset", "eurosat-rgb"],
        ["datasets", "list"],
        ["align", "--help"],
        ["align", "train", "--help"],
        ["run", "--model", "nonsense", "--prompts", "ground"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(words):
    code = f"""
import sys
sys.argv = ["senbench", *{words!r}]
from senbench.cli.main import main
try:
    main()
except SystemExit:
    pass
print("\\nHEAVY", sorted(set(sys.modules) & set({HEAVY!r})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_a_command_is_there_whether_all_are_built_or_it_alone():
    from typer.main import get_command

    from senbench.cli.main import COMMANDS, GROUPS, application

    whole = get_command(application())
    assert list(whole.commands) == [*COMMANDS, *GROUPS]
    for name, command in whole.commands.items():
        alone = get_command(application(name))
        assert list(alone.commands) == [name]
        assert [p.opts for p in alone.commands[name].params] == [p.opts for p in command.params]
    assert list(get_command(application("--version")).commands) == list(whole.commands)


COLD = """
import sys
data, out, prompts = sys.argv[1:]
what = ["--model", "mini", "--prompts", prompts, "--dataset", "eurosat-rgb", "--data-dir", data]
sys.argv = ["senbench", "run", *what, "--results", out]
from senbench.cli.main import main
try:
    main()
except SystemExit:
    pass
heavy = {"torch", "torchvision", "open_clip", "torchgeo", "transformers", "sklearn", "pandas", "PIL"}
print("HEAVY", sorted(set(sys.modules) & heavy))
"""


def test_a_run_imports_what_it_must_encode_with_and_no_more(tmp_path):
    """First torch alone, as the model is plain CLIP; with all kept nothing; with new prompts torch again."""
    from senbench.results import store

    data = packed(tmp_path / "EuroSAT.zip", jpegs(3)).parent
    found = []
    for name, prompts in (("first", "ground"), ("again", "ground"), ("new", "aerial")):
        words = [sys.executable, "-c", COLD, str(data), str(tmp_path / name), prompts]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert "leak" not in done.stderr  # as extensions of torch say of what is not collected at the end
        (result,) = store.load_all(tmp_path / name)
        found.append((done.stdout.splitlines()[-1], result))
    heavy, (first, again, new) = zip(*found, strict=True)
    assert heavy == ("HEAVY ['PIL', 'torch']", "HEAVY []", "HEAVY ['torch']")
    assert (again.run_id, again.metrics, again.model) == (first.run_id, first.metrics, first.model)
    assert again.timings.images_per_second is None
    assert again.timings.images_cached == again.dataset.n_evaluated == 30
    assert again.timings.texts_encoded == new.timings.images_encoded == 0
    assert new.timings.texts_encoded > 100
    assert new.model == first.model
