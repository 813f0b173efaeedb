"""`senbench prompts lint`: formats, exit codes, and what hostile files can make it print."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.cli.prompts_lint import _annotation
from senbench.errors import UsageError
from senbench.prompts.lint.findings import LintFinding
from senbench.prompts.lint.lint import Report

HOSTILE = "x\n::error::owned %0A::set-output name=a::b\r::warning::c {y}, {z}:"


def call(*arguments):
    result = CliRunner().invoke(application(), ["prompts", "lint", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def hostile(tmp_path):
    path = tmp_path / "mine.json"
    names = ("AnnualCrop", "Forest", "Industrial", "Pasture", "River", HOSTILE)
    path.write_text(json.dumps({name: [HOSTILE, "\x1b[31mred", "an aerial photo"] for name in names}), encoding="utf-8")
    return path


def test_a_clean_style_is_two_words_and_zero():
    assert call("ground") == (0, "520 prompts, style ground: 0 errors, 0 warnings\n")


def test_warnings_alone_are_zero_and_errors_one(tmp_path):
    path = tmp_path / "mine.j2"
    path.write_text("{{ cls.name }}\na place")
    code, said = call(path)
    assert code == 0 and f"{path}: warning P201 AnnualCrop, prompt 2: 'a place' is the same" in said
    assert "20 prompts: 0 errors, 1 warning\n" in said
    assert "  P201 prompt that never mentions the class: 1 of 20" in said
    path.write_text("{{ cls.name }}\n{{ nothing }}\n{cls.name}")
    code, said = call(path)
    assert code == 1 and f"{path}:2: error P101 'nothing' is undefined" in said and "error P102" in said


def test_model_and_dataset_are_those_asked_for(tmp_path):
    path = tmp_path / "mine.j2"
    path.write_text("{{ cls.name }}" + " far" * 70)
    assert "P207" not in call(path)[1]
    path.write_text("{{ cls.name }}" + " far" * 76)
    code, said = call(path, "--dataset", "bigearthnet-v2")
    assert code == 0 and "P207 longer than the model reads: 19 of 19" in said and "clip-vit-b-32 reads 77" in said
    assert "mini reads" in call(path, "--model", "mini")[1]
    for wrong in (("--model", "nomodel"), ("--dataset", "nodata"), ("--class-names", "noset")):
        with pytest.raises(UsageError):
            call(path, *wrong)


def test_json(hostile):
    code, said = call(hostile, "--format", "json", "--style", "ground")
    report = json.loads(said)
    assert code == 1 and report["style"] == "ground" and report["dataset"] == "eurosat" and report["n"] == 15
    assert report["errors"] + report["warnings"] == len(report["findings"])
    assert set(report["findings"][0]) == {"code", "severity", "class", "prompt", "line", "message"}
    assert {f["code"] for f in report["findings"]} >= {"P102", "P104", "P105", "P206", "P209"}


def test_hostile_files_cannot_command_a_workflow(hostile):
    code, said = call(hostile, "--format", "github", "--style", "ground")
    lines = said.splitlines()
    assert code == 1 and len(lines) > 10 and said.isascii() and "\x1b" not in said
    assert all(line.startswith((f"::error file={hostile},", f"::warning file={hostile},")) for line in lines)
    assert all(line.count("::") >= 2 and "\r" not in line for line in lines)
    report = json.loads(call(hostile, "--format", "json", "--style", "ground")[1])
    assert len(lines) == len(report["findings"])


@settings(max_examples=100, deadline=None)
@example("a,b:c%2C.json", "\r\nx%0A", "%\n::error::owned\r%25")
@given(st.text(), st.text(), st.text())
def test_annotations_read_back_as_written(source, cls, message):
    line = _annotation(Report(source, "custom", 1, ()), LintFinding("P102", message, cls, 1, 7))
    assert "\n" not in line and "\r" not in line
    head, _, body = line.removeprefix("::error ").partition("::")
    properties = dict(pair.split("=", 1) for pair in head.split(","))
    assert set(properties) == {"file", "title", "line"}

    def back(text: str) -> str:
        for code, c in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(code, c)
        return text

    assert back(properties["file"]) == source and back(body) == f"{cls}, prompt 1: {message}"


def test_terminal_escapes_are_not_printed(hostile, tmp_path):
    assert "\x1b" not in call(hostile)[1]
    path = tmp_path / "mine.j2"
    path.write_text("{{ cls['\\x1b[31m'] }}{{ '\\x1b]0;x' | missing }}")
    assert "\x1b" not in call(path)[1]


def test_the_command_needs_no_torch(tmp_path):
    code = (
        "import sys; sys.argv[1:] = ['prompts', 'lint', 'ground']\n"
        "from senbench.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print({'torch', 'open_clip', 'transformers', 'pandas', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")
