"""A process forked after its parent computed is refused, where it would wait forever."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import os
from senbench.errors import UsageError
from senbench.models.load import load

def embed():
    load("mini", device="cpu", offline=True).encode_texts(["a lake", "a forest"])

{before}
child = os.fork()
if child == 0:
    try:
        embed()
        print("embedded", flush=True)
    except UsageError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def forked(before: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT.format(before=before)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_a_fork_after_use_is_refused_in_a_line_and_one_before_is_right():
    told = forked("embed()")
    assert told.startswith("this process was forked after its parent had computed") and told.count("\n") == 1
    assert 'get_context("spawn")' in told
    assert forked("") == "embedded\n"
