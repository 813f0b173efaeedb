"""Counts what the structure of the package promises: rooms, loose modules, repeated names, parameters, lines of code.

    python tools/structure.py            # the figures
    python tools/structure.py --check    # exit 1 if one is over its bound
    python tools/structure.py --table    # the table of docs/design.md

A room is a directory with modules. Lines of code are lines that hold a token that is neither a comment nor part of a
docstring.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "senbench"
TESTS = ROOT / "tests"
FREE = ("__init__", "__main__", "errors")
"""Modules that may lie beside the rooms."""
MOST_ROOMS, MOST_ROOMS_AT_TOP, MOST_LOOSE, MOST_PARAMETERS, MOST_LINES = 40, 16, 3, 7, 500
SYNTHETIC = "datasets/synthetic/"
"""The generators of synthetic scenes, which the count of code leaves out."""
SIBLINGS = {
    ("evaluate", "scoring/single_label", "scoring/multi_label"),
    ("sums", "scoring/single_label", "scoring/multi_label"),
    ("page", "report/leaderboard", "report/comparison"),
    ("load", "models", "prompts"),
}
"""File names that repeat because sibling rooms hold the same role under them."""


class Figure(NamedTuple):
    """One count with its bound."""

    name: str
    value: int
    bound: int | None
    cases: list[str]


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its path relative to it."""
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def code_lines(text: str) -> int:
    """Lines without docstrings, comments and blank lines."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            value = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docstrings.update(range(statement.lineno, (statement.end_lineno or 0) + 1))
    lines: set[int] = set()
    quiet = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in quiet:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def figures() -> list[Figure]:
    """All counts."""
    trees = modules()
    rooms = {path.rpartition("/")[0] for path in trees} - {""}
    top = {room for room in rooms if "/" not in room}
    loose = [path for path in trees if "/" not in path and path.removesuffix(".py") not in FREE]
    where, classes = defaultdict(list), defaultdict(list)
    parameters, anything, probes, lines = [], [], [], []
    total = synthetic = 0
    untested = [
        path
        for path in trees
        if not path.rpartition("/")[2].startswith("__") and not (TESTS / _test_of(path)).is_file()
    ]
    for path, tree in trees.items():
        room, _, name = path.rpartition("/")
        if not name.startswith("__"):
            where[name.removesuffix(".py")].append(room)
        text = (PACKAGE / path).read_text()
        n = code_lines(text)
        total, synthetic = total + n, synthetic + n * path.startswith(SYNTHETIC)
        if text.count("\n") > MOST_LINES:
            lines.append(f"{path}: {text.count(chr(10))} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(path)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                parameters += _too_many(path, node)
                anything += _any_encoder(path, node)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id in ("getattr", "hasattr") and isinstance(first, ast.Name) and first.id == "encoder":
                    probes.append(f"{path}:{node.lineno}")
    repeated = [
        f"{name}.py in {', '.join(found)}"
        for name, found in where.items()
        if len(found) > 1 and not any(name == n and set(found) <= set(of) for n, *of in SIBLINGS)
    ]
    twice = [f"{name} in {', '.join(found)}" for name, found in classes.items() if len(found) > 1]
    return [
        Figure("rooms at the top level", len(top), MOST_ROOMS_AT_TOP, []),
        Figure("rooms in all", len(rooms), MOST_ROOMS, []),
        Figure("loose modules", len(loose), MOST_LOOSE, loose),
        Figure("file names that repeat", len(repeated), 0, repeated),
        Figure("class names defined more than once", len(twice), 0, twice),
        Figure("functions with more than 7 parameters outside cli/", len(parameters), 0, parameters),
        Figure("parameters `encoder: Any` or `model: Any`", len(anything), 0, anything),
        Figure("getattr or hasattr of an encoder", len(probes), 0, probes),
        Figure("files over 500 lines", len(lines), 0, lines),
        Figure("modules without the test file of their name", len(untested), 0, untested),
        Figure("modules", len(trees), None, []),
        Figure("lines of code", total, None, []),
        Figure("lines of code without synthetic scenes", total - synthetic, None, []),
    ]


def table() -> list[tuple[str, str, str]]:
    """Floor, room and what it holds, from the top floor down: as in docs/design.md."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = contracts[0]["layers"]
    rows: list[tuple[str, str, str]] = []
    for k, layer in enumerate(layers):
        for room in (name.strip() for name in layer.split("|")):
            inside = PACKAGE / room
            first = inside if inside.is_dir() else PACKAGE / f"{room}.py"
            rows.append((str(len(layers) - 1 - k), f"{room}/" if inside.is_dir() else first.name, _holds(first)))
            below = sorted(p.parent for p in inside.glob("*/__init__.py"))
            rows += [("", f"{room}/{path.name}/", _holds(path)) for path in below]
    return rows


def _holds(path: Path) -> str:
    """First line of a room's or a module's docstring."""
    module = path / "__init__.py" if path.is_dir() else path
    return (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").splitlines()[0]


def _test_of(path: str) -> str:
    """`scoring/classifier.py` -> `scoring/test_classifier.py`."""
    room, slash, name = path.rpartition("/")
    return f"{room}{slash}test_{name}"


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    arguments = node.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _too_many(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    n = len([p for p in _parameters(node) if p.arg not in ("self", "cls")])
    return [f"{path}:{node.lineno} {node.name}: {n}"] if n > MOST_PARAMETERS and not path.startswith("cli/") else []


def _any_encoder(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return [
        f"{path}:{node.lineno} {node.name}"
        for p in _parameters(node)
        if p.arg in ("encoder", "model") and isinstance(p.annotation, ast.Name) and p.annotation.id == "Any"
    ]


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit 1 if a figure is over its bound")
    parser.add_argument("--table", action="store_true", help="print the table of docs/design.md instead")
    options = parser.parse_args()
    if options.table:
        print("| floor | room | holds |\n|---|---|---|", *(f"| {a} | `{b}` | {c} |" for a, b, c in table()), sep="\n")
        return 0
    found = figures()
    over = [f for f in found if f.bound is not None and f.value > f.bound]
    for figure in found:
        bound = "" if figure.bound is None else f"  (at most {figure.bound})"
        print(f"{figure.value:7,}  {figure.name}{bound}")
    for figure in over:
        print(f"\nover its bound: {figure.name}", *(f"  {case}" for case in figure.cases), sep="\n")
    return 1 if options.check and over else 0


if __name__ == "__main__":
    sys.exit(main())
