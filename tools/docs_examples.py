"""Run the commands shown in the documentation; `python tools/docs_examples.py PAGE...` writes their outputs anew.

A fenced `console` block after a comment `<!-- run -->` is an example: lines that begin with `$ ` are commands, the
lines after them what they print to stdout (and to stderr, if they fail). The examples of a page run in order in one
folder that holds a copy of docs/tutorials/files/. `<!-- run: slow -->` marks those for the slow tests,
`<!-- run: shared -->` those that read real data; `$EUROSAT` is their folder.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "docs" / "tutorials" / "files"
BLOCK = re.compile(r"<!-- run(?:: (?P<kind>\w+))? -->\n```console\n(?P<body>.*?)^```$", re.M | re.S)
ENVIRONMENT = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb", "HF_HUB_OFFLINE": "1"}
LIKE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.DONT_ACCEPT_BLANKLINE


class Example(NamedTuple):
    """One command of a page."""

    command: str
    """As shown, continuation lines joined."""
    shown: str
    """Its output as shown; `...` stands for anything."""
    kind: str
    """`quick`, `slow` or `shared`."""


def examples(text: str) -> list[Example]:
    """The examples of a page, in order."""
    found = []
    for block in BLOCK.finditer(text):
        for part in re.split(r"(?m)^\$ ", block["body"])[1:]:
            command, _, shown = part.replace("\\\n", " ").partition("\n")
            found.append(Example(" ".join(command.split()), shown, block["kind"] or "quick"))
    return found


class Session:
    """Runs commands one after the other in a folder, `senbench` and `python FILE` in this process."""

    def __init__(self, folder: Path, eurosat: Path | None = None) -> None:
        shutil.copytree(FILES, folder, dirs_exist_ok=True)
        self.folder = folder
        self.eurosat = eurosat
        self.code = 0

    def _words(self, command: str) -> list[str]:
        found = []
        for word in shlex.split(command.replace("$EUROSAT", str(self.eurosat))):
            paths = sorted(self.folder.glob(word)) if "*" in word else []
            found.extend([str(path.relative_to(self.folder)) for path in paths] or [word])
        return found

    def run(self, command: str) -> str:
        """What a command prints to stdout; to stderr, too, if it fails."""
        if command == "echo $?":
            was, self.code = self.code, 0
            return f"{was}\n"
        words = self._words(command)
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        if words[0] in ("senbench", "python"):
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                self.code = _within(words)
        else:
            done = subprocess.run(command, shell=True, cwd=self.folder, capture_output=True, text=True, check=False)
            self.code = done.returncode
            out.write(done.stdout)
            err.write(done.stderr)
        text = "".join(_written(stream) for stream in ([out, err] if self.code else [out]))
        return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def _within(words: list[str]) -> int:
    from senbench.cli.main import main

    before = sys.argv
    sys.argv = words if words[0] == "senbench" else words[1:]
    try:
        if words[0] == "senbench":
            main()
        elif words[1] == "-c":
            exec(words[2], {"__name__": "__main__"})
        else:
            runpy.run_path(words[1], run_name="__main__")
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


def matches(shown: str, printed: str) -> bool:
    """Whether an output is the one shown, but for white space and what `...` stands for."""
    return doctest.OutputChecker().check_output(shown.strip() + "\n", printed.strip() + "\n", LIKE)


def renew(page: Path, session: Session) -> str:
    """The page's text with the outputs that no longer match replaced by what the commands print now."""
    text = page.read_text(encoding="utf-8")

    def block(match: re.Match[str]) -> str:
        if match["kind"] == "shared" and session.eurosat is None:
            return match[0]
        body = ""
        for part in re.split(r"(?m)^\$ ", match["body"])[1:]:
            ((command, shown, _),) = examples(f"<!-- run -->\n```console\n$ {part}```")
            printed = session.run(command)
            if session.code:
                print(f"{page.name}: {command}: exit code {session.code}", file=sys.stderr)
            head = part[: len(part) - len(shown)]
            body += f"$ {head}{shown if matches(shown, printed) else printed.strip(chr(10)) + chr(10)}"
        start = match.start("body") - match.start()
        return match[0][:start] + body + "```"

    return BLOCK.sub(block, text)


def main() -> None:
    """Renew the pages named as arguments."""
    shared = Path(os.environ.get("SENBENCH_SHARED", ROOT.parent / "shared" / "data")) / "eurosat"
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SENBENCH_HOME"] = str(Path(folder) / "home")
        for number, page in enumerate(map(Path, sys.argv[1:])):
            session = Session(Path(folder) / str(number), shared if shared.is_dir() else None)
            page.write_text(renew(page, session), encoding="utf-8")


if __name__ == "__main__":
    main()
