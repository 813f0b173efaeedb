"""Renders a Jinja template once per class: sandboxed, strict, bounded; one prompt per rendered line."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.errors import UsageError
from senbench.prompts.languages import LANGUAGES
from senbench.prompts.template.filters import FILTERS
from senbench.prompts.text_files import one_line, read_text
from senbench.prompts.vocabulary import CUES
from senbench.runtime.lookup import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jinja2 import Environment, Undefined

    from senbench.schema.dataset import DatasetInfo, Vocabulary

MAX_PROMPTS = 10_000
"""Most prompts of one class."""
MAX_CHARS = 1_000
"""Most characters of one prompt; no text tower reads more than a few hundred."""

_HEADER = re.compile(
    r"\A\s*\{#-?\s*style:\s*(?P<style>[a-z0-9-]+)\s*(?:,\s*version:\s*(?P<version>[0-9]{1,6})\s*)?"
    r"(?:,\s*cues:\s*(?P<cues>[0-9]{1,6})\s*)?(?:,\s*language:\s*(?P<language>[A-Za-z-]{1,20})\s*)?-?#\}"
)
_MAX_MESSAGE = 200
SCOPE = (
    "in scope: cls.{name,names,key,ground,aerial,ground_short,aerial_short,hypernym,synonyms,translations} and "
    "dataset.{id,title,classes,names,cues}"
)


class Header(NamedTuple):
    """The statements of a template's first line; None for missing ones."""

    style: str | None = None
    version: int | None = None
    cues: int | None = None
    """Version of the shipped cues that an older version of a style was written with."""
    language: str | None = None
    """Language of its lines, ISO 639-1; None: English."""


class MissingField(Exception):
    """A template uses a property of a class, such as cues, that its vocabulary does not state."""


class Cues(tuple[str, ...]):
    """Cues of a class; looping over none is an error, so that a style cannot silently lose its substance.

    `{% if cls.ground %}` is still possible.
    """

    kind: str

    @classmethod
    def of(cls, kind: str, cues: tuple[str, ...]) -> Cues:
        """Cues of one kind."""
        self = cls(cues)
        self.kind = kind
        return self

    def __iter__(self) -> Iterator[str]:
        if not self:
            raise MissingField(f"{self.kind} cues" if self.kind in CUES else self.kind)
        return super().__iter__()


class Translations(dict[str, str]):
    """Class name by language; one that is not stated is an error, as for `Cues`."""

    def __missing__(self, language: str) -> str:
        raise MissingField(f"translations into {language!r}")


@dataclass(frozen=True)
class ClassScope:
    """The variable `cls` of a template: plain data without methods."""

    key: str
    name: str
    names: Mapping[str, str]
    ground: Cues
    aerial: Cues
    ground_short: Cues
    aerial_short: Cues
    synonyms: Cues = field(default_factory=lambda: Cues.of("synonyms", ()))
    translations: Translations = field(default_factory=Translations)
    stated_hypernym: str = ""

    @property
    def hypernym(self) -> str:
        """What the class is a kind of; an error where it is not stated."""
        if not self.stated_hypernym:
            raise MissingField("hypernym")
        return self.stated_hypernym


@dataclass(frozen=True)
class ClassCues:
    """The cues of one class, as `dataset.cues[KEY]`."""

    ground: Cues
    aerial: Cues
    ground_short: Cues
    aerial_short: Cues


@dataclass(frozen=True)
class DatasetScope:
    """The variable `dataset` of a template.

    `classes` are the class keys, `names` the class names, in label order; `cues` are those of every class by its key.
    """

    id: str
    title: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    cues: Mapping[str, ClassCues] = field(default_factory=dict)


def plain_scope(vocabulary: Vocabulary, info: DatasetInfo, class_names: str) -> dict[str, Any]:
    """Return the variables of a template as plain data: the `dataset`, and each of its `classes` in label order.

    Args:
        vocabulary: The dataset's classes in label order.
        info: The dataset.
        class_names: Class-name set that names are taken from.
    """
    classes = [entry.model_dump(mode="json") | {"name": entry.names[class_names]} for entry in vocabulary.classes]
    names = [entry["name"] for entry in classes]
    dataset = {"id": info.id, "title": info.title, "classes": list(info.classes), "names": names}
    return {"dataset": dataset, "classes": classes}


def class_scope(plain: Mapping[str, Any]) -> ClassScope:
    """Scope from an entry of `plain_scope`'s classes, or the same out of JSON or YAML."""
    return ClassScope(
        key=plain["key"],
        name=plain["name"],
        names=plain["names"],
        synonyms=Cues.of("synonyms", tuple(plain.get("synonyms", ()))),
        translations=Translations(plain.get("translations", {})),
        stated_hypernym=plain.get("hypernym", ""),
        **_cues(plain),
    )


def dataset_scope(plain: Mapping[str, Any], classes: Sequence[Mapping[str, Any]]) -> DatasetScope:
    """Scope from the dataset and the classes of `plain_scope`."""
    cues = {entry["key"]: ClassCues(**_cues(entry)) for entry in classes}
    return DatasetScope(plain["id"], plain["title"], tuple(plain["classes"]), tuple(plain["names"]), cues)


def _cues(plain: Mapping[str, Any]) -> dict[str, Cues]:
    return {kind: Cues.of(kind, tuple(plain[kind])) for kind in CUES}


def render_classes(
    template: Template, vocabulary: Vocabulary, info: DatasetInfo, class_names: str
) -> dict[str, tuple[str, ...]]:
    """Render a template for every class of a dataset.

    Args:
        template: The compiled template.
        vocabulary: The dataset's classes in label order.
        info: The dataset.
        class_names: Class-name set that `cls.name` is taken from.

    Returns:
        Class key -> prompts in template order: the rendered lines, stripped, without blank ones.

    Raises:
        UsageError: If the template uses an undefined name or missing cues, leaves the sandbox or its
            folder, renders nothing for a class, or exceeds a limit.
    """
    plain = plain_scope(vocabulary, info, class_names)
    dataset = dataset_scope(plain["dataset"], plain["classes"])
    return {entry["key"]: template.render(class_scope(entry), dataset) for entry in plain["classes"]}


def stated(path: Path) -> Header:
    """Return the statements of a template's first line, e.g. `{# style: ground, version: 1 #}`.

    Raises:
        UsageError: If the file cannot be read, or states a language that is not known.
    """
    match = _HEADER.match(read_text(path, "prompt file"))
    if match is None:
        return Header()
    version, cues = (int(match[name]) if match[name] else None for name in ("version", "cues"))
    if (language := match["language"]) is not None and language not in LANGUAGES:
        raise unknown(f"language of prompt file {path}", language, LANGUAGES)
    return Header(match["style"], version, cues, language)


class Template:
    """A compiled template and where it came from.

    Attributes:
        path: The `.j2` file; it may include files of its own folder, and nothing else.
        style: Style stated in its first line; None without one.
        version: Version stated there; None without one.
        language: Language stated there; None without one.

    Args:
        path: The file.
        undefined: Jinja's class for undefined names; None: any use of one is an error.

    Raises:
        UsageError: If it cannot be read or is malformed.
    """

    def __init__(self, path: Path, undefined: type[Undefined] | None = None) -> None:
        self.path = path
        self.style, self.version, _, self.language = stated(path)
        self._files: set[str] = set()  # files that the loader opened, to find template lines in a traceback
        file = path.resolve()
        try:
            self._template = _environment(file.parent, self._files, undefined).get_template(file.name)
        except UsageError:
            raise
        except Exception as error:
            raise UsageError(self._explain(error)) from error

    def render(self, cls: ClassScope, dataset: DatasetScope) -> tuple[str, ...]:
        """Prompts of one class: the rendered lines, stripped, without blank ones.

        Raises:
            UsageError: As `render_classes`.
        """
        where = f"prompt file {self.path}"
        chunks: list[str] = []
        left = MAX_PROMPTS * MAX_CHARS
        try:
            # Piecewise, so that a runaway loop ends at the limit and not when memory does.
            for chunk in self._template.generate(cls=cls, dataset=dataset):
                chunks.append(chunk)
                left -= len(chunk)
                if left < 0:
                    raise UsageError(f"{where} renders too much text for class {cls.key!r}; cut its loops")
        except UsageError:
            raise
        except MissingField as error:
            raise UsageError(
                f"{where} needs {error}, but class {cls.key!r} of {dataset.id} has none; list them"
                " in a file and pass it with --class-names FILE.yaml (see prompts/README.md)"
            ) from error
        except Exception as error:  # a template can raise anything, which its author must correct
            raise UsageError(self._explain(error)) from error
        lines = (line.strip() for line in "".join(chunks).splitlines())
        prompts = tuple(line for line in lines if line)
        if not prompts:
            raise UsageError(f"{where} renders no prompt for class {cls.key!r}; write at least one line")
        check_limits(prompts, cls.key, where)
        return prompts

    def _explain(self, error: Exception) -> str:
        """Describe an error on one line with file, line and Jinja's message."""
        from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError

        file, line = str(self.path.resolve()), 0
        if isinstance(error, TemplateSyntaxError):
            file, line = error.filename or file, error.lineno
        else:  # jinja rewrites the traceback to the template's own files and lines
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.filename in self._files:
                    file, line = frame.filename, frame.lineno or 0
        shown = self.path if file == str(self.path.resolve()) else Path(file).name
        where = f"prompt file {shown}" + (f", line {line}" if line else "")
        message = type_names(one_line(error)[:_MAX_MESSAGE]) or type(error).__name__
        match error:
            case TemplateNotFound():
                message = f"no file {error.name!r} in its own folder, and nothing else may be included"
            case RecursionError():
                message = "nested too deeply; does it include itself?"
            case MemoryError():
                message = "needs more memory than a template may use; cut its repetitions"
            case UndefinedError():
                message = f"{message}; {SCOPE}"
        return f"{where}: {message}"


def type_names(message: str) -> str:
    """Shorten the types in a message of Jinja to their names."""
    return message.replace(f"{__name__}.", "")


def check_limits(prompts: tuple[str, ...], key: str, where: str) -> None:
    """Refuse more than 10,000 prompts of a class, or one longer than 1,000 characters or with half a character.

    Raises:
        UsageError: Naming the class, the figure and the limit.
    """
    if len(prompts) > MAX_PROMPTS:
        raise UsageError(f"{where} has {len(prompts):,} prompts for class {key!r}; the limit is {MAX_PROMPTS:,}")
    try:
        "".join(prompts).encode()
    except UnicodeEncodeError:
        raise UsageError(f"{where} has half a surrogate pair in a prompt for class {key!r}; fix its escapes") from None
    longest = max(prompts, key=len)
    if len(longest) > MAX_CHARS:
        raise UsageError(
            f"{where} has a prompt of {len(longest):,} characters for class {key!r};"
            f" the limit is {MAX_CHARS:,}: {longest[:40]!r}..."
        )


def _environment(folder: Path, opened: set[str], undefined: type[Undefined] | None) -> Environment:
    """Return a sandboxed environment whose loader reads the (resolved) folder, and records the files it opened."""
    from jinja2 import BaseLoader, StrictUndefined, TemplateNotFound
    from jinja2.loaders import split_template_path
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class OwnFolder(BaseLoader):
        """Loader that refuses `..` and links leading out of the folder."""

        def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
            path = folder.joinpath(*split_template_path(template))
            if not path.is_file() or not path.resolve().is_relative_to(folder):
                raise TemplateNotFound(template)
            opened.add(str(path))
            return read_text(path, "prompt file"), str(path), None

    # Prompts are text for a tokenizer, never HTML: escaping would turn "Sea & Lake" into "Sea &amp; Lake".
    # trim_blocks stays off: it would glue the line after `{% endif %}` to the one before; blank lines are
    # dropped after rendering anyway.
    names = undefined or StrictUndefined
    environment = ImmutableSandboxedEnvironment(loader=OwnFolder(), undefined=names, autoescape=False)
    environment.filters.update(FILTERS)
    del (
        environment.filters["random"],
        environment.globals["lipsum"],
    )  # prompts must not be random; use `sample`
    return environment
