"""The documentation says what the program does: its examples run, its command reference is complete."""

from __future__ import annotations

import importlib.util
import re
import sys

import eurosat_files
import pytest
import typer
from places import ROOT

from senbench.cli.main import application

DOCS = ROOT / "docs"
PAGES = sorted(p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md") if "<!-- run" in p.read_text("utf-8"))
QUICK = ["howto.md", "tutorials/prompts.md", "tutorials/tiles.md"]
"""Pages with examples that the default suite runs; all others are marked slow."""


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


docs_examples, docs_hooks = load("docs_examples"), load("docs_hooks")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """One home for all pages: what one has embedded the next finds."""
    return tmp_path_factory.mktemp("docs-home")


@pytest.fixture
def session(tmp_path, kept, monkeypatch, shared):
    for name, value in {**docs_examples.ENVIRONMENT, "SENBENCH_HOME": str(kept)}.items():
        monkeypatch.setenv(name, value)
    eurosat = shared / "eurosat"
    return docs_examples.Session(tmp_path / "work", eurosat if eurosat.is_dir() else None)


def follow(page: str, session, kinds: tuple[str, ...]) -> None:
    """Run a page's examples of some kinds, and hold what they print against what it shows."""
    chosen = [e for e in docs_examples.examples((DOCS / page).read_text(encoding="utf-8")) if e.kind in kinds]
    assert chosen, f"{page} has no example of kind {kinds}"
    for number, example in enumerate(chosen):
        printed = session.run(example.command)
        assert docs_examples.matches(example.shown, printed), (
            f"{page} shows another output for: {example.command}\n{printed}\n"
            f"`python tools/docs_examples.py docs/{page}` writes it anew"
        )
        following = chosen[number + 1].command if number + 1 < len(chosen) else ""
        assert session.code == 0 or following == "echo $?", f"{page}: {example.command} failed ({session.code})"


@pytest.mark.parametrize("page", QUICK)
def test_quick_examples_print_what_is_shown(page, session) -> None:
    follow(page, session, ("quick",))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_all_examples_print_what_is_shown(page, session) -> None:
    follow(page, session, ("quick", "slow"))


@pytest.mark.slow
@pytest.mark.shared
def test_examples_on_real_data_print_what_is_shown(session) -> None:
    follow("quickstart.md", session, ("shared",))


@pytest.mark.slow
def test_examples_on_real_data_print_what_is_shown_but_for_figures_on_few_tiles(session) -> None:
    session.eurosat = eurosat_files.REAL
    real = [
        e for e in docs_examples.examples((DOCS / "quickstart.md").read_text(encoding="utf-8")) if e.kind == "shared"
    ]
    assert real
    for example in real:
        printed = session.run(example.command)
        assert session.code == 0, printed
        shown, printed = (re.sub(r"\d[\d,.]*|─+", "#", text) for text in (example.shown, printed))
        assert docs_examples.matches(shown, printed), (
            f"quickstart.md shows another output for: {example.command}\n{printed}"
        )


def test_every_example_block_is_read() -> None:
    """A comment that is misspelt or not right above its block would switch an example off."""
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        blocks = list(docs_examples.BLOCK.finditer(text))
        assert len(blocks) == text.count("<!-- run"), page
        assert {b["kind"] or "quick" for b in blocks} <= {"quick", "slow", "shared"}, page
        assert all(b["body"].startswith("$ ") for b in blocks), page


def test_every_tutorial_has_examples() -> None:
    tutorials = {p.relative_to(DOCS).as_posix() for p in (DOCS / "tutorials").glob("*.md")}
    assert tutorials <= set(PAGES)


def test_examples_are_taken_apart() -> None:
    text = "<!-- run: slow -->\n```console\n$ senbench run \\\n    --json\na ... b\n\n$ ls\n```\n"
    assert docs_examples.examples(text) == [
        ("senbench run --json", "a ... b\n\n", "slow"),
        ("ls", "", "slow"),
    ]


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("top-1  98.5", "top-1 98.5\n", True),
        ("top-1 98.5", "top-1 98.4", False),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc\n", False),
        ("", "something", False),
    ],
)
def test_outputs_are_held_against_each_other(shown, printed, same) -> None:
    assert docs_examples.matches(shown, printed) is same


def commands(group, prefix: str) -> list[str]:
    found = []
    for name, command in group.commands.items():
        found.append(f"{prefix} {name}")
        if hasattr(command, "commands"):
            found += commands(command, f"{prefix} {name}")
    return found


def test_command_reference_has_every_command_and_its_options() -> None:
    reference = docs_hooks.command_reference()
    parts = {m[1]: m[2] for m in re.finditer(r"(?ms)^#+ `([^`\n]+)`\n(.*?)(?=^#|\Z)", reference)}
    root = typer.main.get_command(application())
    assert set(commands(root, "senbench")) == set(parts)
    assert "`--prompts <str>`" in parts["senbench run"]
    assert "* `check`: Fail (exit 1) unless every guarded run exists, is unchanged up to numeric noise" in reference


def test_documents_outside_docs_link_to_the_sites_pages() -> None:
    for source, page in docs_hooks.PAGES.items():
        text = docs_hooks.relink((ROOT / source).read_text(encoding="utf-8"), source)
        for target in re.findall(r"\]\(([^()\s#]+)", text):
            known = (DOCS / target).is_file() or target in docs_hooks.PAGES.values()
            assert "://" in target or known, f"{source} -> {page}: {target}"


def test_links_that_leave_the_site_become_text() -> None:
    text = "see [the pack](classes/eurosat.yaml) and [methods](../docs/methods.md#access-level)"
    assert docs_hooks.relink(text, "prompts/README.md") == "see the pack and [methods](methods.md#access-level)"


def test_every_command_of_help_is_in_the_reference(monkeypatch, capsys) -> None:
    from senbench.cli.main import main

    monkeypatch.setattr(sys, "argv", ["senbench", "--help"])
    with pytest.raises(SystemExit):
        main()
    told = re.findall(r"(?m)^  ([a-z-]+)  +\S", capsys.readouterr().out.split("Commands:")[1])
    assert len(told) > 10
    reference = docs_hooks.command_reference()
    assert [name for name in told if f"## `senbench {name}`" not in reference] == []


@pytest.mark.parametrize(
    "page",
    [
        "docs/design.md",
        "docs/methods.md",
        "docs/mini.md",
        "docs/pair.md",
        "docs/performance.md",
        "docs/performance_details.md",
        "CONTRIBUTING.md",
    ],
)
def test_every_module_that_a_page_names_is_there(page):
    named = set(re.findall(r"`([\w/]+/\w+\.py)", (ROOT / page).read_text(encoding="utf-8")))
    assert named
    assert [
        name for name in sorted(named) if not ((ROOT / name).is_file() or (ROOT / "senbench" / name).is_file())
    ] == []


DOCUMENTS = sorted(
    page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("**/*.md") if page.name != "ROADMAP.md"
)
PYTHON_FILE = re.compile(r"(?<![\w./-])(?:[\w-]+/)*[\w-]+\.py\b")


def missing_files(text: str) -> list[str]:
    """Return the Python files that a text names and that do not exist; a bare name may be in any folder."""
    folders = ("senbench", "benchmarks", "tools", "tests", "docs")
    return [
        name
        for name in sorted(set(PYTHON_FILE.findall(text)))
        if not ((ROOT / name).is_file() or (ROOT / "senbench" / name).is_file())
        and ("/" in name or not any(next((ROOT / folder).rglob(name), None) for folder in folders))
    ]


@pytest.mark.parametrize("page", DOCUMENTS)
def test_every_python_file_that_a_page_names_exists(page: str) -> None:
    assert missing_files((ROOT / page).read_text(encoding="utf-8")) == []


def test_a_missing_python_file_is_noticed() -> None:
    text = (
        "`scoring/nowhere.py`, `pytest tests/prompting/test_isolated.py`, `nobody.py`, `scoring/classifier.py`, loop.py"
    )
    assert missing_files(text) == ["nobody.py", "scoring/nowhere.py", "tests/prompting/test_isolated.py"]
