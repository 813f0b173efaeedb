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
        ["models"],
        ["models", "list", "--json"],
        ["models", "show", "senclip"],
        ["prompts", "list"],
        ["prompts", "show", "ground", "--dataset", "eurosat-rgb"],
        ["datasets", "list"],
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

    from senbench.cli.main import COMMANDS, GROUPS, app, application

    whole = get_command(app)
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
heavy = {"torch", "torchvision", "open_clip", "torchgeo", "transformers", "sklearn", "pandas"}
print("HEAVY", sorted(set(sys.modules) & heavy))
"""


def test_a_cached_run_imports_nothing_heavy_and_gives_the_same_result(tmp_path):
    from senbench.results import store

    data = packed(tmp_path / "EuroSAT.zip", jpegs(3)).parent
    found = []
    for name in ("first", "again"):
        words = [sys.executable, "-c", COLD, str(data), str(tmp_path / name), "ground"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        (result,) = store.load_all(tmp_path / name)
        found.append((done.stdout.splitlines()[-1], result))
    assert "torch" in found[0][0]
    assert found[1][0] == "HEAVY []"
    first, again = found[0][1], found[1][1]
    assert (again.run_id, again.metrics, again.model) == (first.run_id, first.metrics, first.model)
    assert again.timings["images_per_second"] is None
    assert again.timings["images_cached"] == again.dataset["n_evaluated"] == 30


def test_new_prompts_need_the_text_tower_in_torch_alone(tmp_path, monkeypatch):
    from senbench.results import store

    data = packed(tmp_path / "EuroSAT.zip", jpegs(3)).parent
    found = {}
    for name, home, prompts in (("first", "a", "ground"), ("new", "a", "aerial"), ("other", "b", "aerial")):
        monkeypatch.setenv("SENBENCH_HOME", str(tmp_path / home))
        words = [sys.executable, "-c", COLD, str(data), str(tmp_path / name), prompts]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        (result,) = store.load_all(tmp_path / name)
        found[name] = (done.stdout.splitlines()[-1], result)
    assert "open_clip" in found["first"][0]
    assert found["new"][0] == "HEAVY ['torch']"
    new, other = found["new"][1], found["other"][1]
    assert new.timings["texts_encoded"] == other.timings["texts_encoded"] > 100
    assert (new.timings["images_encoded"], other.timings["images_encoded"]) == (0, 30)
    assert (new.run_id, new.metrics, new.model) == (other.run_id, other.metrics, other.model)
