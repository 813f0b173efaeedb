"""Result folders on disk (`result.json`, `predictions.parquet`, `thumbnails.parquet`), written atomically."""

from __future__ import annotations

import json
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from senbench.errors import UnavailableError, UsageError, brief
from senbench.io import parquet as arrow
from senbench.results import predictions
from senbench.runtime import parsing
from senbench.runtime.lookup import unknown
from senbench.schema.record import Record, first_error
from senbench.schema.result import READABLE, RunResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from senbench.results.predictions import Predictions

R = TypeVar("R", bound=Record)
FILES = ("result.json", predictions.FILE, "thumbnails.parquet")
"""Files of a result folder."""
SHORTEST = 3
"""Fewest characters of a run id, or of its hash, that can be used in its place."""


LATEST = "latest"
"""Name of the result that was written last, wherever a run is named."""


def writable(folder: str, option: str = "--results") -> Path:
    """Create a folder if necessary and check that it is writable before any work starts.

    Args:
        folder: Its path.
        option: Flag that named it, for the message.

    Raises:
        UsageError: The path is empty.
        UnavailableError: The folder cannot be written.
    """
    if not folder:
        raise UsageError(f"{option} is empty; name a folder")
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UnavailableError(
            f"folder {folder} cannot be written ({error.strerror}); give another with {option} DIR"
        ) from error
    return path


def save(folder: Path, result: RunResult, table: Predictions, thumbnails: Mapping[str, bytes]) -> Path:
    """Write one result folder, named by the run id; an earlier one of the same id is replaced.

    Args:
        folder: Results folder.
        result: The result.
        table: Predictions of the evaluated images.
        thumbnails: Tile id -> encoded image.

    Returns:
        Path of the written folder.

    Raises:
        UnavailableError: The folder cannot be written; no partial result remains.
    """
    target = folder / result.run_id
    temporary = folder / f".{result.run_id}-{secrets.token_hex(4)}"
    replaced = folder / f".{result.run_id}-{secrets.token_hex(4)}-old"
    try:
        temporary.mkdir(parents=True)  # the results folder may have been removed while the run computed
        predictions.write(temporary, result, table)
        _write_thumbnails(temporary / "thumbnails.parquet", result, table, thumbnails)
        (temporary / "result.json").write_text(as_json(result) + "\n", encoding="utf-8")
        if target.exists():
            target.rename(replaced)
        temporary.rename(target)
    except OSError as error:
        if replaced.exists() and not target.exists():
            replaced.rename(target)
        raise UnavailableError(f"result {target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    return target


def as_json(record: Record) -> str:
    """Return a record as JSON, as senbench writes it to files."""
    return json.dumps(record.model_dump(mode="json"), indent=1, ensure_ascii=False)


def load(path: Path) -> RunResult:
    """Read one result.

    Args:
        path: `result.json`, or the folder that holds it.

    Raises:
        UsageError: The file is not a result, or has a schema version that this senbench does not read.
    """
    file = path / "result.json" if path.is_dir() else path
    data = read_json(file, f"result {path}", "; give a result folder or its result.json")
    version = data.get("schema_version") if isinstance(data, dict) else None
    if type(version) is not int or version not in READABLE:
        reads = " and ".join(map(str, READABLE))
        raise UsageError(f"result {path} has schema version {version!r}, this senbench reads {reads}")
    return validated(RunResult, data, f"result {path}").ordered_as(data)


def read_json(file: Path, what: str, otherwise: str = "", most: int | None = None, **hooks: Any) -> Any:
    """Parse a JSON file.

    Args:
        file: The file.
        what: Description of the file, for the message.
        otherwise: What to do if it cannot be read, for the message.
        most: Size in bytes of the largest file that is read; None for no limit.
        hooks: Keyword arguments of `json.loads`.

    Raises:
        UsageError: The file cannot be read, is too large or empty, or is not JSON.
    """
    try:
        if most is not None and (size := file.stat().st_size) > most:
            raise UsageError(f"{what}: {size:,} bytes, more than {most:,}; not read")
        if not (text := file.read_text(encoding="utf-8")).strip():
            raise ValueError(f"it is empty{otherwise}")
        return parsing.from_json(text, **hooks)
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror}{otherwise}") from error
    except RecursionError as error:
        raise UsageError(f"{what} is not JSON: it is nested too deeply") from error
    except ValueError as error:
        raise UsageError(f"{what} is not JSON: {error}") from error


def validated(kind: type[R], data: Any, what: str) -> R:
    """Convert parsed JSON to a record.

    Raises:
        UsageError: A field is wrong; the message names the first.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UsageError(f"{what}: {first_error(error)}") from error


def folders(folder: Path) -> list[Path]:
    """Return all result folders under a folder, sorted by run id.

    Raises:
        UsageError: There are none.
    """
    paths = sorted(path.parent for path in folder.glob("*/result.json") if not path.parent.name.startswith("."))
    if not paths:
        raise UsageError(f"no results under {folder}; run `senbench run` or `senbench demo` first")
    return paths


def short_ids(names: Sequence[str]) -> dict[str, str]:
    """Return for each run id the shortest unique prefix of its hash, of at least four characters."""
    hashes = {name: name.rpartition("_")[2] for name in names}
    shortened = {}
    for name, digest in hashes.items():
        others = [other for key, other in hashes.items() if key != name]
        long = next((n for n in range(4, len(digest)) if not any(o[:n] == digest[:n] for o in others)), len(digest))
        shortened[name] = digest[:long]
    return shortened


def remove(path: Path) -> None:
    """Delete a result folder.

    Raises:
        UsageError: The folder has files that do not belong to a result, or is a link.
        UnavailableError: The folder cannot be removed.
    """
    if path.is_symlink() or (strange := sorted(p.name for p in path.iterdir() if p.name not in FILES)):
        what = "is a link" if path.is_symlink() else f"holds {strange[0]!r}, which is not part of a result"
        raise UsageError(f"{path} {what}: remove it yourself")
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be removed: {error.strerror or error}") from error


def load_all(folder: Path) -> list[RunResult]:
    """Read all results under a folder, sorted by run id.

    Raises:
        UsageError: There are none.
    """
    return [result for result, _ in each(folder)]


def each(folder: Path) -> Iterator[tuple[RunResult, Path]]:
    """Yield all results under a folder with their own folders, one at a time.

    Raises:
        UsageError: There are none, one is malformed, or one occurs twice (copied under another name).
    """
    folder_of: dict[str, Path] = {}
    for path in folders(folder):
        result = load(path)
        if (twin := folder_of.setdefault(result.run_id, path)) != path:
            raise UsageError(f"results {twin} and {path} have the same run id {result.run_id}; remove one")
        yield result, path


def locate(run: str, results: Path) -> Path:
    """Return the folder of a result named on the command line.

    Args:
        run: A result folder, its `result.json`, or anything that identifies one result under `results`: its run id, a
            prefix of the id or of the hash at its end, its model, its prompts, or `MODEL/PROMPTS`; or `latest`, the
            one that was written last.
        results: Folder of result folders.

    Raises:
        UsageError: There is no such result, or there are several.
    """
    named = Path(run).expanduser()
    for path in (named, results / run):
        if path.is_file():
            return path.parent
        if (path / "result.json").is_file():
            return path
    files = sorted(results.glob("*/result.json"))
    there = {path.parent.name: path.parent for path in files}
    if not there:
        raise UsageError(f"run {run!r} is no result folder, and {results}/ has none")
    if run == LATEST:
        return max(files, key=lambda path: path.stat().st_mtime_ns).parent
    for names in (_by_id(run, there), _by_name(run, there)):
        if len(names) == 1:
            return there[names[0]]
        if names:
            raise UsageError(f"run {run!r} names {len(names)} results of {results}/: {', '.join(names)}")
    raise unknown("run", run, there)


def _by_id(run: str, there: Mapping[str, Path]) -> list[str]:
    """Return the run ids that have this prefix, or whose hash has it."""
    if len(run) < SHORTEST:
        return []
    return [name for name in there if name.startswith(run) or name.rpartition("_")[2].startswith(run)]


def _by_name(run: str, there: Mapping[str, Path]) -> list[str]:
    """Return the run ids of results of this model, of these prompts, or of `MODEL/PROMPTS`."""
    matching = []
    for name, path in there.items():
        try:
            result = load(path)
        except UsageError:  # can be named by its run id only
            continue
        model, prompts = result.model.id, result.prompts.id
        if run in (model, prompts, f"{model}/{prompts}"):
            matching.append(name)
    return matching


def _write_thumbnails(path: Path, result: RunResult, table: Predictions, images: Mapping[str, bytes]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    row_of = {name: row for row, name in enumerate(table.ids) if name in images}
    labels = [table.label_text(row_of[name], result.dataset.classes) or "no label" for name in images]
    table_of = {"id": arrow.texts(list(images)), "label": arrow.texts(labels), "image": arrow.blobs([*images.values()])}
    parquet.write_table(pa.table(table_of), path)


def read_thumbnails(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Read the thumbnails of a result folder, tile id -> (class key, WebP bytes); empty if there are none.

    Raises:
        UnavailableError: The file is damaged.
    """
    path = folder / "thumbnails.parquet"
    if not path.is_file():
        return {}
    names, labels, images = (column.to_pylist() for column in columns(path, ("id", "label", "image"), "thumbnails"))
    return dict(zip(names, zip(labels, images, strict=True), strict=True))


def columns(path: Path, names: Sequence[str], what: str) -> list[Any]:
    """Read columns of a Parquet file as pyarrow arrays.

    Args:
        path: The file.
        names: Names of the columns.
        what: Description of its content, for the message.

    Raises:
        UnavailableError: The file is damaged.
    """
    import pyarrow as pa

    try:
        return [column.combine_chunks() for column in arrow.read_parquet(path, names).columns]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UnavailableError(f"{what} {path} are damaged: {brief(error)}") from error


def write_text(path: Path, text: str, option: str) -> Path:
    """Write a text file atomically.

    Args:
        path: File to write; its folder is created.
        text: Content, written as UTF-8.
        option: Flag that named the file, for the message.

    Raises:
        UnavailableError: It cannot be written.
    """
    if path.is_dir():
        raise UnavailableError(f"{path} is a folder; name a file in it with {option}")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written: {error.strerror}; give another {option}") from error
    finally:
        with suppress(OSError):  # the folder cannot be created
            temporary.unlink(missing_ok=True)
    return path
