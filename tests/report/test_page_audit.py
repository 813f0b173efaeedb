"""Pages and sites whose figures are not those of the results are found out, leaf by leaf."""

from __future__ import annotations

import json
import shutil

import nudges
import pytest
import runs
from typer.testing import CliRunner

from senbench.audit.leaves import differences, leaves
from senbench.cli.main import application
from senbench.report import page_audit
from senbench.report.leaderboard import page, site


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Results of two models, their page, their site and a page that compares them."""
    root = tmp_path_factory.mktemp("pages")
    (root / "results").mkdir()
    ids = [runs.run(root / "results", name, share, runs.in_blocks()).run_id for name, share in (("a", 0.1), ("b", 0.4))]
    page.write(root / "results", root / "index.html")
    site.publish(root / "results", root / "site")
    words = ["compare", *ids, "--results", str(root / "results"), "--html", str(root / "flips.html")]
    assert CliRunner().invoke(application(), words).exit_code == 0
    return root


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made, tmp_path / "x")
    return tmp_path / "x"


@pytest.mark.parametrize("name", ["index.html", "site", "flips.html"])
def test_what_was_made_from_the_results_passes(made, name):
    assert page_audit.findings(made / name, made / "results") == []


def test_every_leaf_of_the_data_of_a_leaderboard_is_noticed(place):
    file = place / "index.html"
    text = file.read_text()
    before = page_audit.DATA.search(text)[1]
    data, n = json.loads(before), 0
    held = {key: value for key, value in data.items() if key != "published"}  # 7,000 leaves that come with senbench
    held["published"] = {"rows": data["published"]["rows"][:1]}
    for path, value in leaves(held):
        n += 1
        other = nudges.put(held, path, nudges.nudged(value))
        assert list(differences(other, held, page_audit.EXACT)), path
    assert n > 400
    file.write_text(text.replace(before, page.html.script_json({**data, "boards": []})))
    assert page_audit.findings(file, place / "results")[0].startswith("data.boards has 0 entries, expected 1")


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("index.html", "use strict", "use nothing", "line "),
        ("flips.html", " points</strong>", "9 points</strong>", "line "),
        ("flips.html", "Top-1 accuracy", "Top-5 accuracy", "line "),
        ("site/index.html", '"split":"all"', '"split":"test"', "index.html: data."),
        ("site/api/boards.json", '"status": "', '"status": "not ', "api/boards.json: 0.runs.0.status is"),
        ("site/api/index.json", '"value": 0.', '"value": 0.9', "api/index.json: runs.0.value is"),
    ],
)
def test_what_was_edited_is_found(place, name, old, new, found):
    file = place / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    (first, *_) = page_audit.findings(place / name.split("/")[0], place / "results")
    assert first.startswith(found), first


def test_every_file_of_a_site_is_looked_at(place):
    for file in sorted(path for path in (place / "site").rglob("*") if path.is_file() and path.name != site.MANIFEST):
        kept = file.read_bytes()
        file.write_bytes(kept + b" ")
        assert page_audit.findings(place / "site", place / "results"), file
        file.unlink()
        assert any("is missing" in line for line in page_audit.findings(place / "site", place / "results")), file
        file.write_bytes(kept)
    assert page_audit.findings(place / "site", place / "results") == []


def test_what_is_no_page_and_a_page_of_another_version(place):
    (place / "matrix.html").write_text('<script type="application/json" id="data">{"classes": []}</script>')
    assert "measured on embeddings" in page_audit.findings(place / "matrix.html", place / "results")[0]
    (place / "index.html").write_text((place / "index.html").read_text().replace('"senbench":"', '"senbench":"9'))
    assert "make it again" in page_audit.findings(place / "index.html", place / "results")[0]
    assert page_audit.findings(place / "none.html", place / "results") == [
        "none.html cannot be read: No such file or directory"
    ]


def test_the_command_takes_pages_and_sites(place):
    def call(name):
        words = ["results", "validate", str(place / name), "--results", str(place / "results")]
        return CliRunner().invoke(application(), words)

    for name in ("index.html", "site", "flips.html"):
        assert call(name).exit_code == 0, call(name).output
    (place / "site" / "api" / "boards.json").write_text("[]")
    assert call("site").exit_code
    assert "api/boards.json" in call("site").output
