"""Renders an untrusted template in a child process with limits; the parent checks everything that is returned."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from senbench.errors import UnavailableError, UsageError
from senbench.prompts.template.render import check_limits, plain_scope, stated
from senbench.prompts.text_files import one_line
from senbench.runtime.paths import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from senbench.schema.dataset import DatasetInfo, Vocabulary

_ENTRY = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from senbench.prompts.template.sandbox_child import main; main()"
)
_MAX_MESSAGE = 2_000
_SIGKILL = 9


@dataclass(frozen=True)
class Limits:
    """Limits of an untrusted template; CPU time and memory only where the platform can limit them."""

    cpu_seconds: int = 2
    """CPU seconds; the kernel ends the child one second later if the template does not return to Python."""
    seconds: float = 2.5
    """Wall-clock seconds from when the child is ready."""
    start_seconds: float = 60.0
    """Wall-clock seconds for starting Python and importing Jinja, which is slow on a cold network file system."""
    memory_bytes: int = 512 * 2**20
    output_bytes: int = 64 * 2**20


class Use(NamedTuple):
    """Use of an undefined name."""

    message: str
    file: str
    """Name of the template file, without its folder."""
    line: int
    """0: not known."""


@dataclass(frozen=True)
class Draft:
    """A template rendered as far as possible.

    Attributes:
        texts: Class key -> prompts, of the classes that could be rendered.
        errors: One line for each different failure, in the order met.
        undefined: Uses of undefined names.
        style: Style stated in its first line; None without one.
        version: Version stated beside the style; None without one.
        language: Language stated beside it; None without one.
    """

    texts: dict[str, tuple[str, ...]]
    errors: tuple[str, ...] = ()
    undefined: tuple[Use, ...] = ()
    style: str | None = None
    version: int | None = None
    language: str | None = None


def render_isolated(
    path: Path,
    vocabulary: Vocabulary,
    info: DatasetInfo,
    class_names: str,
    *,
    lenient: bool = False,
    limits: Limits | None = None,
) -> Draft:
    """Render a template for every class of a dataset, in one child process.

    Args:
        path: The `.j2` file.
        vocabulary: The dataset's classes in label order.
        info: The dataset.
        class_names: Class-name set that `cls.name` is taken from.
        lenient: Record undefined names and continue, rendering as many classes as possible.
        limits: None for the defaults.

    Returns:
        The rendered prompts; without `lenient`, of all classes.

    Raises:
    UsageError: As `render.render_classes`, and if the template exceeds its limits.
    UnavailableError: If no child process can be started.
    """
    limits = limits or Limits()
    header = stated(path)
    request = {"path": str(path), "lenient": lenient, **plain_scope(vocabulary, info, class_names), **asdict(limits)}
    where = f"prompt file {path}"
    draft = _checked(_converse(json.dumps(request).encode(), limits, where), where)
    if draft.errors and not lenient:
        raise UsageError(draft.errors[0])
    if not draft.errors and list(draft.texts) != [entry.key for entry in vocabulary.classes]:
        raise UsageError(f"{where}: its renderer left out classes")
    return replace(draft, style=header.style, version=header.version, language=header.language)


def _converse(request: bytes, limits: Limits, where: str) -> bytes:
    """Start the child, send it the request, and read its answer or end it."""
    if not sys.executable or getattr(sys, "frozen", False):
        raise UnavailableError(f"{where}: templates of your own need a Python interpreter to be rendered apart")
    # Isolated (-I) and without site (-S): the child finds modules only where this process does.
    places = json.dumps([str(PACKAGE.parent), *(place for place in sys.path if place)])
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _ENTRY, places],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise UnavailableError(f"{where}: no process to render it in could be started: {error.strerror}") from error
    assert child.stdin and child.stdout
    with child:
        try:
            with _killed_after(limits.start_seconds, child):
                with suppress(BrokenPipeError), child.stdin:
                    child.stdin.write(request)
                ready = child.stdout.readline(16) == b"ready\n"
            if not ready:
                raise UnavailableError(f"{where}: the process to render it in did not start; is jinja2 installed?")
            began = time.monotonic()
            with _killed_after(limits.seconds, child):
                answer = child.stdout.read(limits.output_bytes + 2)  # the line break, and one byte more than allowed
                if len(answer) > limits.output_bytes + 1:
                    raise UsageError(f"{where}: its renderer answers without end")
                child.wait()
        finally:
            child.kill()
    if time.monotonic() - began >= limits.seconds:
        raise UsageError(f"{where}: takes more than {limits.seconds:g} s to render; cut its loops and repetitions")
    if child.returncode == -_SIGKILL:
        raise UsageError(
            f"{where}: takes more than {limits.cpu_seconds} s of computing or too much memory; cut its loops and "
            "repetitions"
        )
    if child.returncode != 0:
        raise UsageError(f"{where}: its renderer ended without an answer (exit {child.returncode}); simplify it")
    return answer


@contextmanager
def _killed_after(seconds: float, child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Kill the child unless this context is left in time."""
    timer = threading.Timer(seconds, child.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _checked(answer: bytes, where: str) -> Draft:
    """Check the form of the child's answer, and apply the renderer's rules to it again."""
    from pydantic import BaseModel, ConfigDict, ValidationError

    class Answer(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        texts: dict[str, list[str]]
        errors: list[str]
        undefined: list[tuple[str, str, int]]

    try:
        draft = Answer.model_validate_json(answer)
    except ValidationError as error:
        raise UsageError(f"{where}: the answer of its renderer is malformed") from error
    texts = {key: tuple(prompts) for key, prompts in draft.texts.items()}
    for key, prompts in texts.items():
        if not prompts or any(not text.strip() or len(text.splitlines()) != 1 for text in prompts):
            raise UsageError(f"{where}: the answer of its renderer is malformed")
        check_limits(prompts, key, where)
    errors = tuple(one_line(error)[:_MAX_MESSAGE] for error in draft.errors)
    undefined = tuple(Use(one_line(m)[:_MAX_MESSAGE], one_line(f), line) for m, f, line in draft.undefined)
    return Draft(texts, errors, undefined)
