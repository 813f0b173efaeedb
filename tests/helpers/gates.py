"""A gate that may be broken: a blessed folder, and results made again otherwise. Tools of the gate's tests."""

from __future__ import annotations

import json
import shutil

import answers
import numpy as np
from typer.testing import CliRunner

from senbench.cli.main import application

LABELS, ANSWERS, CLUSTERS = answers.draw()


def result(folder, given=ANSWERS, **options):
    return answers.save(folder, answers.one_hot(given), LABELS, CLUSTERS, **options)


def gate(place, *options: str):
    words = ["check", "--baseline", str(place / "base.json"), "--results", str(place / "results"), *options]
    return CliRunner().invoke(application(), words)


def fails(place, message: str, *options: str) -> str:
    got = gate(place, *options)
    assert got.exit_code == 1, got.output
    assert isinstance(got.exception, SystemExit), got.exception
    assert message in got.output, got.output
    return got.output


def again(place, given=ANSWERS, **options):
    shutil.rmtree(place / "results")
    return result(place / "results", given, **options)


def edit(path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def worse(n: int, seed: int = 0) -> np.ndarray:
    given = ANSWERS.copy()
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(given == LABELS))[:n]
    given[rows] = (given[rows] + 1) % 3
    return given


def one_worse_in_two_classes() -> np.ndarray:
    given = ANSWERS.copy()
    for k in (0, 1):
        given[np.flatnonzero((k == LABELS) & (given == k))[0]] = 2
    return given
