"""A static site of results, with deterministic bytes: leaderboard, a page and a JSON file per run, and pictures."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import secrets
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import senbench
from senbench.errors import UnavailableError, UsageError
from senbench.report import html
from senbench.report.citation.rerun_command import command
from senbench.report.columns import RAW, TITLES
from senbench.report.leaderboard.page import collect, document
from senbench.report.numbers import basis
from senbench.results import few_shot_text, qualifications, store
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from senbench.report.leaderboard.entries import Each, LeaderboardEntry
    from senbench.report.leaderboard.tables import Board
    from senbench.schema.result import RunResult

MANIFEST = "manifest.json"
"""File that lists the written files, path -> sha256; other files in the folder are never changed."""


def publish(results: Path, out: Path, say: Callable[[str], None] = lambda line: None, each: Each = store.each) -> int:
    """Write the site of all results in a folder.

    All files are first written to a temporary folder, then moved, `index.html` after the files to which it links.
    Files of an earlier site that are no longer part of it are removed.

    Args:
        results: Folder of result folders.
        out: Folder of the site; other files in it are not changed.
        say: Shows a line: how many results were left out, and why.
        each: Gives the results of the folder that are wanted.

    Returns:
        Number of files.

    Raises:
        UsageError: There are no results, one is malformed, or a file of the site exists that was not written by
            `--publish` or was changed since.
        UnavailableError: The folder cannot be written.
    """
    entries, boards, data = collect(results, say, each)
    for entry in entries:
        if not re.fullmatch(r"[\w-][\w.-]*", name := entry.result.run_id):
            raise UsageError(f"run id {name!r} cannot be a file name; it was not written by `senbench run`")
    stage = out / f".senbench-{secrets.token_hex(4)}"
    try:
        earlier = _earlier(out)
        stage.mkdir(parents=True)
        written: dict[str, str] = {}
        for path, content in _files(entries, boards, data):
            target = stage / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            written[path] = hashlib.sha256(content).hexdigest()
        _refuse_strangers(out, written, earlier)
        _move(stage, out, written, earlier)
    except OSError as error:
        raise UnavailableError(f"site {out} cannot be written: {error.strerror}; give another folder") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return len(written) + 1


def _files(
    entries: Sequence[LeaderboardEntry], boards: Sequence[Board], data: dict[str, Any]
) -> Iterator[tuple[str, bytes]]:
    """Yield paths and contents, one at a time."""
    pictures = [base64.b64decode(text) for text in data["pictures"]]
    names = [f"thumbnails/{hashlib.sha256(picture).hexdigest()[:16]}.webp" for picture in pictures]
    yield from zip(names, pictures, strict=True)
    yield "assets/page.css", html.read("page.css").encode()
    board_of = {e.result.run_id: board for board in boards for e in board.entries}
    for entry in entries:
        name = entry.result.run_id
        if entry.folder is None:
            continue
        result, board = store.load(entry.folder), board_of[name]
        shown = [(key, [(tile, names[place]) for tile, place in tiles]) for key, tiles in entry.row["pictures"]]
        text = html.render(
            "run.html.j2",
            r=result,
            name=qualifications.model_name(result),
            marks=qualifications.labels(result),
            notes=qualifications.notes(result),
            command=command(result),
            status=entry.status,
            rank=board.ranks.get(name),
            why=board.unranked.get(name, "not the declared prompts"),
            pictures=shown,
            titles=TITLES,
            raw=RAW,
            basis=basis(result.clustering),
            few=_labels_saved(result),
        )
        yield f"runs/{name}.html", text.encode()
        yield f"api/runs/{name}.json", (entry.folder / "result.json").read_bytes()
    yield "api/boards.json", _json([_board(board) for board in boards])
    yield "api/index.json", _json({"senbench": senbench.__version__, "runs": [_summary(e) for e in entries]})
    yield "index.html", document(data).encode()


def _labels_saved(result: RunResult) -> dict[str, Any] | None:
    """What a page shows of few labels: sentences, sizes, curves, and the ends of its axis in 0..1."""
    if (found := result.labels_saved) is None:
        return None
    shown = [end for one in found.figures for end in one.ci] + [result.metrics["top1"].value or 0.0]
    return {
        "told": few_shot_text.sentences(result),
        "sizes": sorted({one.shots for one in found.figures}),
        "curves": few_shot_text.curves(found),
        "low": math.floor(10 * min(shown)) / 10,
        "high": math.ceil(10 * max(shown)) / 10,
    }


def _summary(entry: LeaderboardEntry) -> dict[str, Any]:
    r = entry.result
    figure = r.metrics[r.headline]
    return {
        "run_id": r.run_id,
        "model": qualifications.model_id(r),
        "qualifications": [one._asdict() for one in entry.qualifications],
        "prompts": entry.style,
        "dataset": r.dataset.id,
        "split": r.dataset.split,
        "protocol": r.protocol,
        "access_level": r.access_level,
        "status": entry.status,
        "metric": r.headline,
        "value": figure.value,
        "ci": figure.ci,
        "interval": figure.interval,
        "json": f"api/runs/{r.run_id}.json",
        "page": f"runs/{r.run_id}.html",
    }


def _board(board: Board) -> dict[str, Any]:
    return {
        "key": board.key,
        "declared_prompts": board.declared,
        "lines": board.first.result.lines,
        "runs": [
            {
                "run_id": e.result.run_id,
                "model": qualifications.model_id(e.result),
                "status": e.status,
                "qualifications": [one._asdict() for one in e.qualifications],
            }
            for e in board.entries
        ],
        "rank_intervals": {name: vars(rank) for name, rank in board.ranks.items()},
        "not_ranked": board.unranked,
        "paired_differences": [vars(delta) for delta in board.deltas],
    }


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _earlier(out: Path) -> dict[str, str]:
    """Return the files of an earlier site."""
    try:
        listing = parsing.from_json((out / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UsageError(f"{out / MANIFEST} is not the list of a site ({error}); give an empty folder") from error
    if not isinstance(listing, dict) or not all(_inside(path) and isinstance(v, str) for path, v in listing.items()):
        raise UsageError(f"{out / MANIFEST} is not the list of a site; give an empty folder")
    return listing


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts


def _refuse_strangers(out: Path, written: dict[str, str], earlier: dict[str, str]) -> None:
    """Check that every existing file was written by an earlier site and not changed since."""
    for path in sorted({*written, *earlier}):
        if not (file := out / path).exists():
            continue
        held = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() and not file.is_symlink() else ""
        if held not in (earlier.get(path), written.get(path)):
            whose = "was changed since it was published" if path in earlier else "was not written by --publish"
            raise UsageError(f"{file} {whose}; move it away, or give another folder")


def _move(stage: Path, out: Path, written: dict[str, str], earlier: dict[str, str]) -> None:
    """Move all files to their places; meanwhile the list contains the old and the new ones."""
    for name, files in (("before", {**earlier, **written}), ("after", written)):
        (stage / name).write_bytes(_json(files))
    (stage / "before").replace(out / MANIFEST)
    for path in sorted(written, key=lambda p: (p == "index.html", p)):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (stage / path).replace(out / path)
    for path in sorted({*earlier} - {*written}):
        (out / path).unlink(missing_ok=True)
        folder = (out / path).parent
        if folder != out and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    (stage / "after").replace(out / MANIFEST)
