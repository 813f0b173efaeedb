"""The child process in which an untrusted template is rendered: limits, then the renderer, then JSON lines.

Started by `sandbox.py`; imports jinja2 and the standard library only. Reads one request from stdin, writes
`ready` once it has imported what it needs, and one line of JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.prompts.template.render import SCOPE, Template, class_scope, dataset_scope, type_names

if TYPE_CHECKING:
    from types import FrameType

    from jinja2 import Undefined

    Note = tuple[str, str, int]


MAX_NOTES = 100
"""Most undefined names listed."""


class OutOfTime(Exception):
    """The CPU time of the child is used up; raised inside the template, so that its line is known."""


def main() -> None:
    """Render the request on stdin."""
    import jinja2.sandbox  # noqa: F401  # imported before the clock starts

    request = json.load(sys.stdin)
    print("ready", flush=True)
    limit(request["cpu_seconds"], request["memory_bytes"])
    answer = json.dumps(render(request))
    print(answer if len(answer) <= request["output_bytes"] else json.dumps(too_much(request)), flush=True)


def render(request: dict[str, Any]) -> dict[str, Any]:
    """Return texts of every class, errors and uses of undefined names; without `lenient` stop at the first error."""
    notes: list[Note] = []
    answer: dict[str, Any] = {"texts": {}, "errors": [], "undefined": notes}
    left = request["output_bytes"]
    try:
        template = Template(Path(request["path"]), noted_undefined(notes) if request["lenient"] else None)
    except UsageError as error:
        return answer | {"errors": [str(error)]}
    scope = dataset_scope(request["dataset"], request["classes"])
    for plain in request["classes"]:
        try:
            prompts = template.render(class_scope(plain), scope)
        except UsageError as error:
            if str(error) not in answer["errors"]:
                answer["errors"].append(str(error))
            if not request["lenient"]:
                break
            continue
        left -= sum(map(len, prompts))
        if left < 0:
            return too_much(request)
        answer["texts"][plain["key"]] = prompts
    return answer


def too_much(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer that replaces one that is too long."""
    error = f"prompt file {request['path']} renders too much text for all classes together; cut its loops"
    return {"texts": {}, "errors": [error], "undefined": []}


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Limit CPU time from now on and memory, if the platform can; otherwise only the parent's timeout applies."""
    try:
        import resource
        import signal
    except ImportError:  # Windows
        return

    def out_of_time(number: int, frame: FrameType | None) -> None:
        raise OutOfTime(f"takes more than {cpu_seconds} s of computing; cut its loops and repetitions")

    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = round(usage.ru_utime + usage.ru_stime) + cpu_seconds
    signal.signal(signal.SIGXCPU, out_of_time)
    # The hard limit ends computations that never return to Python, such as 9 ** 9 ** 9.
    for kind, low, high in ((resource.RLIMIT_CPU, soft, soft + 1), (resource.RLIMIT_AS, memory_bytes, memory_bytes)):
        with suppress(ValueError, OSError):  # already lower, or not supported (macOS has no RLIMIT_AS)
            resource.setrlimit(kind, (low, high))


def noted_undefined(notes: list[Note]) -> type[Undefined]:
    """Class for undefined names that notes each use with its file and line, and renders as nothing.

    Args:
        notes: Where a use is noted: `message`, `file` (name) and `line`.
    """
    from jinja2 import Undefined, UndefinedError

    class Noted(Undefined):
        """Strict about leaving the sandbox; everything else is noted and goes on."""

        __slots__ = ()

        def _note(self) -> None:
            if not issubclass(self._undefined_exception, UndefinedError):
                raise self._undefined_exception(self._undefined_message)
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and "__jinja_template__" not in frame.f_globals:
                frame = frame.f_back
            message = f"{type_names(self._undefined_message)}; {SCOPE}"
            note: Note = (message, "", 0)
            if frame is not None:
                template = frame.f_globals["__jinja_template__"]
                note = (message, Path(template.filename).name, template.get_corresponding_lineno(frame.f_lineno))
            if note not in notes and len(notes) < MAX_NOTES:
                notes.append(note)

        __str__ = noted("")
        __iter__ = noted(iter(()))
        __len__ = noted(0)
        __bool__ = __contains__ = __eq__ = noted(value=False)
        __getitem__ = __call__ = noted()
        __hash__ = Undefined.__hash__

        def __getattr__(self, name: str) -> Noted:
            if name.startswith("__"):
                raise AttributeError(name)
            self._note()
            return self

    return Noted


ITSELF = object()


def noted(value: object = ITSELF) -> Any:
    """A method that notes the use of its object and returns the value, or the object itself."""

    def method(self: Any, *_: object, **__: object) -> Any:
        self._note()
        return self if value is ITSELF else value

    return method
