"""A minimal static page of results: one self-contained file, a pure function of the result files."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import senbench
from senbench.contamination import NOT_ZERO_SHOT
from senbench.errors import UnavailableError
from senbench.report.columns import COLUMNS, LINES, TITLES
from senbench.results import store

if TYPE_CHECKING:
    from senbench.spec import RunResult

TEMPLATES = Path(__file__).resolve().parent / "templates"
PICTURES_PER_CLASS = 3


def write(results: Path, out: Path) -> Path:
    """Build the page of all results in a folder.

    Args:
        results: Folder of result folders.
        out: HTML file to write, whole or not at all.

    Returns:
        The written file.

    Raises:
        UsageError: The folder holds no results, or a malformed one.
        UnavailableError: The page cannot be written.
    """
    found = store.load_all(results)
    text = render(found, {r.run_id: store.read_thumbnails(results / r.run_id) for r in found})
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(out)
    except OSError as error:
        raise UnavailableError(f"page {out} cannot be written: {error.strerror}; give another --out") from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def render(results: list[RunResult], pictures: dict[str, dict[str, tuple[str, bytes]]]) -> str:
    """The page as text; the same results give the same bytes.

    Args:
        results: Results, in any order.
        pictures: Run id -> tile id -> (class key, WebP bytes).

    Returns:
        One HTML document: no script, no external request, a content security policy that allows only the
        style sheet it hashes.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda v, digits=1: "\u2013" if v is None else f"{100 * v:.{digits}f}"
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    boards: dict[tuple[Any, ...], list[RunResult]] = defaultdict(list)
    for r in results:
        data = r.dataset
        key = data["title"], data["id"], data["split"], r.protocol, r.headline, r.access_level, data["index_hash"]
        boards[key].append(r)
    ordered = [
        {
            "title": key[0],
            "dataset": key[1],
            "split": key[2],
            "protocol": key[3],
            "level": key[5],
            "headline": TITLES[key[4]],
            "metric": key[4],
            "columns": [(title.replace("\n", " "), name) for title, name in COLUMNS[rows[0].dataset["task"]]],
            "runs": sorted(rows, key=_order),
            "lines": rows[0].lines,
            "synthetic": all(r.dataset.get("synthetic") for r in rows),
        }
        for key, rows in sorted(boards.items(), key=lambda item: item[0])
    ]
    return environment.get_template("page.html.j2").render(
        boards=ordered,
        style=style,
        style_hash=digest,
        version=senbench.__version__,
        synthetic=any(is_synthetic(r) for r in results),
        is_synthetic=is_synthetic,
        thumbnails={r.run_id: _chosen(r, pictures.get(r.run_id, {})) for r in results},
        command=command,
        lines_of=LINES,
    )


def _order(r: RunResult) -> tuple[bool, bool, bool, float, str]:
    """Complete and zero-shot runs first, runs as the protocol defines them before others, then by headline."""
    changed = bool(r.resolved["overrides"])
    return not r.complete, r.contamination == NOT_ZERO_SHOT, changed, -(r.metrics[r.headline].value or 0), r.run_id


def is_synthetic(result: RunResult) -> bool:
    """True if the tiles or the model are synthetic."""
    return bool(result.dataset.get("synthetic") or result.model.get("synthetic"))


def command(result: RunResult) -> str:
    """The command that reproduces a result, from its spec as passed."""
    import shlex

    spec, how = result.spec, result.resolved
    words = ["senbench", "run", "--model", str(how["model"])]
    words += ["--prompts", str(how["prompts"]), "--dataset", str(how["dataset"])]
    if spec.get("protocol") != "standard":
        words += ["--protocol", str(spec["protocol"])]
    for name in (
        "split",
        "data_dir",
        "weights",
        "class_names",
        "ensemble",
        "postprocess",
        "radiometry",
        "tune",
        "limit",
    ):
        if spec.get(name) is not None:
            words += ["--" + name.replace("_", "-"), str(spec[name])]
    for name, usual in (("labels", "own"), ("seed", 0), ("dtype", "float32"), ("on_error", "stop")):
        if spec.get(name, usual) != usual:
            words += ["--" + name.replace("_", "-"), str(spec[name])]
    return shlex.join(words)


def _chosen(result: RunResult, pictures: dict[str, tuple[str, bytes]]) -> list[dict[str, Any]]:
    """A few pictures per class as data addresses, classes in label order; each picture under one class."""
    by_class: dict[str, list[dict[str, str]]] = {key: [] for key in result.dataset["classes"]}
    for name, (label, data) in pictures.items():
        own = [key for key in (label, *label.split(store.BETWEEN)) if key in by_class]
        fewest = min(own, key=lambda key: len(by_class[key]), default=None)
        if fewest is not None and len(by_class[fewest]) < PICTURES_PER_CLASS:
            address = "data:image/webp;base64," + base64.b64encode(data).decode()
            by_class[fewest].append({"id": name, "address": address})
    return [{"key": key, "pictures": found} for key, found in by_class.items() if found]
