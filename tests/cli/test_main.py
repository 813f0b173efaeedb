"""How the process of `senbench` ends: what it said is out, and the shell gets its exit code."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

OFFLINE = ["models", "verify", "senclip", "--offline"]
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110


def ended(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more):
    """Exit code, standard output and standard error of a Python; buffered, as for users."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run([sys.executable, *words], stdout=stdout, stderr=stderr, text=True, env=env, **more)
    return done.returncode, done.stdout, done.stderr


def senbench(*words, **where):
    return ended(["-m", "senbench", *words], **where)


def scripted(lines, **where):
    """`program` around some lines in place of `main`."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    start = "import atexit, os, sys, threading, time\nfrom senbench.cli import main as cli\n"
    return ended(["-c", f"{start}def main():\n{body}cli.main = main\ncli.program()\n"], **where)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--version"], 0, ""),
        (["models", "show", "nope"], 2, "senbench: unknown model 'nope'"),
        (["models", "--nope"], 2, "senbench: no such option: --nope; see `python -m senbench models --help`"),
        (OFFLINE, 3, "senbench: weights of senclip"),
    ],
    ids=["0", "2", "2 of typer", "3"],
)
def test_the_exit_code_reaches_the_shell(words, code, told):
    found = senbench(*words)
    assert found[0] == code
    assert told in found[2]
    assert "Traceback" not in found[2]
    if told.startswith("senbench:"):
        assert found[2].count("\n") == 1


def test_all_output_reaches_a_pipe_and_a_file(tmp_path):
    code, piped, _ = senbench("models", "list", "--json")
    assert code == 0
    assert len(json.loads(piped)) > 20  # longer than the buffers, and whole
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        assert senbench("models", "list", "--json", stdout=out, stderr=err)[0] == 0
    assert (tmp_path / "out").read_text() == piped
    assert (tmp_path / "err").read_text() == ""


@pytest.mark.parametrize(("lines", "code"), [("", 0), ("sys.exit()", 0), ("sys.exit(130)", 130)])
def test_what_is_in_the_buffers_is_out_before_the_end(lines, code):
    said = "sys.stdout.write('a' * 100)\nsys.stderr.write('b' * 100)\natexit.register(print, 'asked for')\n"
    assert scripted(said + lines) == (code, "a" * 100 + "asked for\n", "b" * 100)


def test_threads_are_waited_for():
    said = "threading.Thread(target=lambda: (time.sleep(0.3), print('b'))).start()\nprint('a')\nsys.exit(2)"
    assert scripted(said) == (2, "a\nb\n", "")


def test_what_is_in_memory_is_not_taken_apart():
    said = "class Kept:\n    def __del__(self):\n        print('taken apart')\nsys.kept = Kept()\nprint('a')"
    assert scripted(said) == (0, "a\n", "")


def test_a_failure_that_nobody_expected_has_its_traceback():
    code, out, err = scripted("print('a')\nraise ValueError('b')")
    assert (code, out) == (1, "a\n")
    assert err.startswith("Traceback")
    assert err.endswith("ValueError: b\n")
    assert scripted("sys.exit('a word')") == (1, "", "a word\n")


def left():
    """A pipe that nobody reads any more, as that to `head -1` after a line."""
    source, sink = os.pipe()
    os.close(source)
    return os.fdopen(sink, "w")


def test_a_reader_that_leaves_gets_no_traceback():
    with left() as pipe:
        assert senbench("--version", stdout=pipe) == (1, None, "")
        assert senbench("models", "list", "--json", stdout=pipe) == (1, None, "")


def test_a_reader_that_left_before_the_end_gets_no_traceback():
    with left() as pipe:
        assert scripted("sys.stdout.write('a')", stdout=pipe) == (1, None, "")
        assert scripted("sys.stdout.write('a')\nsys.exit(3)", stdout=pipe) == (3, None, "")


@needs_full
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        assert senbench("--version", stdout=full) == (3, None, "senbench: no space left on the device\n")


@needs_full
def test_a_disk_that_is_full_at_the_end_is_one_line():
    line = "senbench: no space left on the device\n"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        assert scripted("sys.stdout.write('a')", stdout=full) == (3, None, line)
        assert scripted("sys.stdout.write('a')\nsys.exit(2)", stdout=full) == (2, None, "")


@needs_full
def test_a_log_on_a_full_disk_leaves_the_exit_code():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        assert senbench("models", "show", "nope", stderr=full) == (2, "", None)
        assert senbench("models", "--nope", stderr=full)[0] == 2


@pytest.mark.parametrize("closed", [1, 2], ids=["stdout", "stderr"])
def test_a_stream_that_was_never_open_is_no_failure(closed):
    shell = f'"{sys.executable}" -m senbench --version {closed}>&-'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("senbench") == (closed == 2)


def test_a_full_disk_names_the_file():
    said = """
import sys
from senbench.cli import main as cli
def fail(**how):
    raise OSError(int(sys.argv[1]), "told", "/a/file")
cli.application = lambda first=None: fail
cli.program()
"""
    assert ended(["-c", said, str(errno.ENOSPC)]) == (3, "", "senbench: no space left on the device for /a/file\n")
    code, _, told = ended(["-c", said, str(errno.EIO)])  # nothing that was expected
    assert code == 1
    assert told.startswith("Traceback")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_or_share_of_it_is_one_line(monkeypatch, capsys, number):
    from senbench.cli import main as module

    def full(**how):
        raise OSError(number, os.strerror(number), "results/x")

    monkeypatch.setattr(module, "application", lambda *_: full)
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 3
    assert capsys.readouterr().err == "senbench: no space left on the device for results/x\n"


def test_a_place_that_may_not_be_entered_is_one_line(monkeypatch, capsys, isolated_home):
    from senbench.cli import main as module

    def closed(**how):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/shared/senbench/cache")

    monkeypatch.setattr(module, "application", lambda *_: closed)
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 3
    assert capsys.readouterr().err == (
        "senbench: /shared/senbench/cache: permission denied; make it accessible to this user, or use another; "
        f"SENBENCH_HOME is {isolated_home}\n"
    )


ACTING = "\x1b]0;owned\x07"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "--limit", "x"], "invalid value for '--limit': 'x' is not a valid int range; see"),
        (["run", "--nope"], "no such option: --nope (Possible options: --no-cache, --noise, --tune); see"),
        (["run"], "missing option '--model'; see"),
        (["compare"], "missing argument 'A'; see `python -m senbench compare --help`"),
        (["nope"], "no such command 'nope'; see"),
        (["run", "--limit"], "option '--limit' requires an argument"),
    ],
)
def test_a_wrong_command_line_is_one_line(words, told):
    code, out, err = senbench(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"senbench: {told}")
    assert err.count("\n") == 1


def test_a_value_that_acts_on_a_terminal_is_not_repeated(tmp_path):
    (tmp_path / ACTING).touch()  # the name of a file may hold it
    for word in (ACTING, "\x1b[31mx"):
        for words in (["run", "--limit", word], ["run", f"--nope={word}"], ["run", word], [word]):
            code, out, err = senbench(*words, cwd=tmp_path)
            assert code == 2
            assert err.startswith("senbench: ") and err.count("\n") == 1
            assert not {"\x1b", "\x07"} & {*out, *err}


def test_no_command_at_all_is_told_what_there_is():
    code, out, err = senbench()
    assert code == 2
    assert "Usage:" in out + err and "--version" in out + err and "compare" in out + err


def test_nothing_that_acts_on_a_terminal_is_printed(tmp_path):
    npz = tmp_path / "e.npz"
    np.savez(
        npz,
        images=np.eye(3),
        labels=[0, 1, 2],
        texts=np.eye(3),
        text_class=[0, 1, 2],
        class_names=[f"a{ACTING}", "b", "c"],
        **{f"array{ACTING}": 1},
    )
    prompts = tmp_path / f"p{ACTING}.json"
    prompts.write_text(json.dumps({f"Forest{ACTING}": ["x"]}))
    template = tmp_path / "t.j2"
    template.write_text("a photo of {{ cls.name }}\x1b[31m\n", encoding="utf-8")
    card = tmp_path / "card.toml"
    card.write_text('[[model]]\nid = "x\\u001b[31m"\n')
    for words in (
        ["score", npz],
        ["score", tmp_path / f"none{ACTING}.npz"],
        ["prompts", "show", prompts],
        ["prompts", "show", template],
        ["prompts", "lint", prompts],
        ["models", "show", f"nope{ACTING}"],
        ["models", "show", card],
        ["models", "verify", card],
        ["compare", ACTING, "b"],
        ["cite", ACTING],
        ["export", ACTING],
        ["results", "validate", tmp_path / ACTING],
        ["run", f"--no{ACTING}"],
        [ACTING],
    ):
        _, out, err = senbench(*map(str, words), cwd=tmp_path)
        assert not {"\x1b", "\x07"} & {*out, *err}, words
        assert "Traceback" not in err, (words, err)
    assert "a\\x1b]0;owned\\x07" in senbench("score", str(npz))[1]
    told = json.loads(senbench("score", str(npz), "--json")[1])
    assert told[0]["per_class"][0]["name"] == f"a{ACTING}"


CLASS_NAMES = ["run", "--prompts", "clip", "--model", "mini", "--dataset", "demo", "--class-names"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("deep.json", "[" * 100_000, ["prompts", "show"]),
        ("long.json", '{"Forest": ' + "9" * 6000 + "}", ["prompts", "show"]),
        (
            "deep.yaml",
            "[" * 100_000,
            CLASS_NAMES,
        ),
        (
            "long.yaml",
            "a: " + "9" * 6000,
            CLASS_NAMES,
        ),
        ("deep.toml", "a = " + "[" * 100_000, ["models", "show"]),
        ("long.toml", "a = " + "9" * 6000, ["models", "show"]),
        ("result.json", "[" * 100_000, ["results", "validate"]),
        ("result.json", '{"schema_version": ' + "9" * 6000 + "}", ["results", "validate"]),
    ],
)
def test_deep_nesting_and_endless_numbers_are_one_line(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    code, out, err = senbench(*words, str(path))
    assert code in (1, 2, 3) and "Traceback" not in err
    assert [out.count("\n"), err.count("\n")] == [words[0] == "results", 1], (out, err)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("megabytes", [300, 700])
def test_too_little_memory_is_one_line(tmp_path, megabytes):
    import resource

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    words = [
        "run",
        "--model",
        "mini",
        "--prompts",
        "generic",
        "--dataset",
        "demo",
        "--limit",
        "2",
        "--no-cache",
        "--offline",
    ]
    more = {"preexec_fn": limited, "cwd": tmp_path, "timeout": 120}
    code, _, err = senbench(*words, "--results", str(tmp_path / "r"), **more)
    assert code == 3 and "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("senbench: ")] == err.splitlines()[-1:]
    assert f"`ulimit -v` allows it {megabytes * 1.048576 / 1e3:.1f} GB" in err


def watches(process, number):
    """Whether a process catches a signal: before, no program can say anything."""
    (caught,) = re.findall(r"(?m)^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{process}/status").read_text())
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("wait", [False, True], ids=["early", "late"])
def test_a_signal_ends_with_a_line_and_its_code(tmp_path, number, wait):
    words = ["-m", "senbench", "run", "--model", "mini", "--prompts", "generic", "--dataset", "demo", "--offline"]
    env = os.environ | {"SENBENCH_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, *words, "--results", str(tmp_path / "r")],
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # under nohup these tests inherit that it is ignored
    )
    if wait:
        process.stderr.readline()
    else:
        while process.poll() is None and not watches(process.pid, number):
            time.sleep(0.005)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err.splitlines()[-1].startswith("senbench: interrupted") and "Traceback" not in err
