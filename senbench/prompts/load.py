"""Loads every `PromptSet`, from a style name or a user's file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.errors import UsageError
from senbench.prompts import packs, published_sets, senclip_release, versions
from senbench.prompts.frozen import since
from senbench.prompts.template.render import (
    Template,
    check_limits,
    class_scope,
    dataset_scope,
    render_classes,
    stated,
)
from senbench.prompts.text_files import read_json, read_yaml
from senbench.prompts.vocabulary import aliases, composed, name_set, normalise, same_keys, select, vocabulary_for
from senbench.runtime.inline_prompts import is_template
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.schema.dataset import DatasetInfo, Vocabulary
    from senbench.schema.prompt_set import PromptSet

Texts = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class StyleSummary:
    """One shipped style, as listed by `senbench prompts list`."""

    style: str
    """Name on the command line."""
    file: str
    """Template under `prompts/`."""
    version: int | None
    """Version stated in the template; any change of the rendered prompts needs a new version."""
    frozen: str | None
    """Day from which this version is frozen, or None."""
    older: tuple[int, ...]
    """Earlier versions, which run as `STYLE@VERSION`."""
    prompts_per_class: int
    """Number of prompts that it renders for a EuroSAT class."""
    first: str
    """Its first prompt for EuroSAT's first class."""


def list_styles() -> list[StyleSummary]:
    """Shipped styles in alphabetical order; needs jinja2 and yaml, but neither pydantic nor the datasets."""
    raw = read_yaml(shipped("prompts") / "classes" / "eurosat.yaml", "class vocabulary")
    default = raw["default_names"]
    classes = [{**one, "key": k, "name": one["names"][default]} for k, one in raw["classes"].items()]
    scope = class_scope(classes[0])
    names = [one["name"] for one in classes]
    plain = {"id": raw["id"], "title": raw["title"], "classes": list(raw["classes"]), "names": names}
    dataset = dataset_scope(plain, classes)
    summaries = []
    for style, path in _style_files().items():
        template = Template(path)
        prompts = template.render(scope, dataset)
        day = since(style, template.version)
        earlier = tuple(versions.older(style))
        summaries.append(StyleSummary(style, path.name, template.version, day, earlier, len(prompts), prompts[0]))
    return summaries


def load_prompts(source: str, info: DatasetInfo, vocabulary: Vocabulary, class_names: str | None = None) -> PromptSet:
    """Load prompts for a dataset.

    Args:
        source: One template with `{}` for the class name; a shipped style, or an older version of one (`ground@1`); a
            fetched one (`senclip-ground`);
            a `.j2` template, rendered once per class; or a `.json` file with class name -> sentences (aligned by name
            under any name set, or by key; counts may differ), with a list of templates in which `{}` stands for the
            class name, or a pack that `prompts select` wrote.
        info: The dataset; its classes give the label order.
        vocabulary: Names and cues of these classes.
        class_names: Class-name set; None: the vocabulary's default.

    Returns:
        The prompts in label order, as written: repeated lines are kept, since they weigh in a mean.

    Raises:
        UsageError: If the style or the class-name set is unknown, or the file is malformed or incomplete.
        UnavailableError: If published files were not fetched, or changed.
    """
    vocabulary = select(vocabulary, info.classes)
    chosen = name_set(vocabulary, class_names)
    if is_template(source):
        texts = _fill([source], vocabulary, chosen, "--prompts")
        found = _prompt_set(texts, vocabulary, chosen, PromptOrigin(source, "command line"))
        return found.model_copy(update={"template_aligned": True})
    if source in senclip_release.STYLES:
        path = senclip_release.locate(source, info)
        texts = _align(read_json(path, "prompt file"), vocabulary, f"prompt file {path}")
        release = f"SenCLIP {senclip_release.COMMIT[:7]}, {path.name}"
        return _prompt_set(texts, vocabulary, chosen, PromptOrigin(source, release, senclip_release.STYLES[source]))
    if source in published_sets.STYLES:
        texts = _align(published_sets.sentences(source, vocabulary, chosen), vocabulary, f"prompts {source}")
        about = published_sets.SETS[published_sets.STYLES[source]]
        release = f"{about.repository} {about.commit[:7]}, {about.files[source]}"
        return _prompt_set(texts, vocabulary, chosen, PromptOrigin(source, release))
    path, builtin = locate(source)
    where = f"prompt file {path}"
    templated = True
    style, version, language = "custom", None, None
    chosen_by: dict[str, Any] = {}
    if path.suffix == ".json":
        raw = read_json(path, "prompt file")
        if packs.is_pack(raw):
            raw, style, chosen_by = packs.parse(raw, where)
        if isinstance(raw, list):
            texts = _fill(raw, vocabulary, chosen, where)
        else:
            texts, templated = _align(raw, vocabulary, where), False
    elif builtin:
        template = Template(path)
        texts = render_classes(template, versions.vocabulary_of(source, vocabulary), info, chosen)
        style, version, language = template.style or path.stem, template.version, template.language
    else:
        from senbench.prompts.template.sandbox import render_isolated

        draft = render_isolated(path, vocabulary, info, chosen)
        texts, style, version, language = draft.texts, draft.style or "custom", draft.version, draft.language
    origin = PromptOrigin(path.stem, f"builtin:{path.name}" if builtin else path.name, style, version)
    prompts = _prompt_set(texts, vocabulary, chosen, origin)
    aligned = templated and template_aligned(
        texts, {e.key: e.translations.get(language or "en", e.names[chosen]) for e in vocabulary.classes}
    )
    return prompts.model_copy(update=chosen_by | {"template_aligned": aligned, "language": language or "en"})


def prompts_for(source: str, info: DatasetInfo, class_names: str | None) -> PromptSet:
    """As `load_prompts`, under a class-name set by its name or in a file; None: the dataset's default."""
    vocabulary, names = vocabulary_for(info, class_names)
    return load_prompts(source, info, vocabulary, names)


def prompts_from_dict(
    mapping: Mapping[str, Sequence[str]],
    info: DatasetInfo,
    vocabulary: Vocabulary,
    *,
    id: str = "custom",
    class_names: str | None = None,
) -> PromptSet:
    """Prompts from Python: the same rules as for a JSON file of class name -> sentences.

    Args:
        mapping: Class name (in any set) or key -> prompts.
        info: The dataset.
        vocabulary: Names of its classes.
        id: Name in tables.
        class_names: Class-name set recorded with the prompts; None: the vocabulary's default.

    Returns:
        The prompts in label order.

    Raises:
        UsageError: As `load_prompts`.
    """
    vocabulary = select(vocabulary, info.classes)
    chosen = name_set(vocabulary, class_names)
    plain = {k: v if isinstance(v, str) else list(v) for k, v in mapping.items()}
    texts = _align(plain, vocabulary, f"prompts {id!r}")
    return _prompt_set(texts, vocabulary, chosen, PromptOrigin(id, "python"))


def prompt_hash(texts: Mapping[str, Sequence[str]]) -> str:
    """Return the hash of a prompt set.

    Args:
        texts: Class key -> prompts; the order of classes does not matter, that of prompts does.

    Returns:
        sha256, hex, of the JSON with sorted keys, ASCII escapes and no spaces.
    """
    plain = {key: list(prompts) for key, prompts in texts.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _style_files() -> dict[str, Path]:
    """Style name -> shipped template; a file whose name begins with `_` is a part of others."""
    return {path.stem: path for path in sorted(shipped("prompts").glob("[!_]*.j2"), key=lambda path: path.stem)}


def locate(source: str) -> tuple[Path, bool]:
    """Return the file of a style name or path, and whether it is a shipped style."""
    if source in (styles := _style_files()):
        return styles[source], True
    if (asked := versions.asked(source)) and asked[0] in styles:
        path = styles[asked[0]]
        return versions.locate(*asked, path, stated(path).version), True
    path = Path(source).expanduser()
    if path.suffix in {".j2", ".json"}:
        return path, False
    if path.exists() or len(path.parts) > 1:
        raise UsageError(f"prompt file {source!r} must end in .j2 (a template) or .json (class -> sentences)")
    if " " in source:
        raise UsageError(f"prompts {source!r}: no style is called so; a template has {{}} where the class name goes")
    raise unknown(
        "prompt style", source, [*styles, *senclip_release.STYLES, *published_sets.STYLES, "PATH.j2", "PATH.json"]
    )


def _sentences(raw: Any, key: str, where: str) -> tuple[str, ...]:
    """Checked prompts of one class, unchanged."""
    if not isinstance(raw, list):
        raise UsageError(f"{where}: class {key!r} must have a list of prompts, not {raw!r:.60}")
    if not raw:
        raise UsageError(f"{where}: class {key!r} has an empty list of prompts; write at least one")
    for j, text in enumerate(raw, 1):
        if not isinstance(text, str):
            raise UsageError(f"{where}: class {key!r}: prompt {j} must be text, not {text!r:.60}")
        if not text.strip():
            raise UsageError(f"{where}: class {key!r}: prompt {j} is empty; remove it")
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise UsageError(f"{where}: class {key!r}: prompt {j} holds half a surrogate pair; fix its escapes")
    prompts = tuple(raw)
    check_limits(prompts, key, where)
    return prompts


def _align(raw: Any, vocabulary: Vocabulary, where: str) -> Texts:
    """Return sentences per class in label order, matched by name in any name set, never by position."""
    if not isinstance(raw, dict):
        raise UsageError(f"{where} must map class names to lists of prompts, or list templates with {{}}")
    known = aliases(vocabulary)
    keys = [entry.key for entry in vocabulary.classes]
    aligned: Texts = {}
    for name, value in raw.items():
        key = known.get(normalise(name)) if isinstance(name, str) else None
        if key is None:
            names = ", ".join(entry.names[vocabulary.default_names] for entry in vocabulary.classes)
            raise UsageError(f"{where} has the unknown class {name!r}; {vocabulary.id} has {names}")
        if key in aligned:
            raise UsageError(f"{where} has class {key!r} twice, the second time as {name!r}; merge them")
        aligned[key] = _sentences(value, str(name), where)
    same_keys(keys, aligned, where)
    return {key: aligned[key] for key in keys}


def _fill(raw: list[Any], vocabulary: Vocabulary, chosen: str, where: str) -> Texts:
    """A list of `{}` templates filled with each class name.

    Plain replacement: `str.format` would let a file reach into attributes, and turn a misspelt
    placeholder into the same prompt for every class.
    """
    templates = _sentences(raw, "(list)", where)
    for template in templates:
        if re.search(r"[{}]", template.replace("{}", "")):
            raise UsageError(f"{where}: {template[:60]!r} has a brace other than {{}}, the class name's place")
    texts = {e.key: tuple(t.replace("{}", e.names[chosen]) for t in templates) for e in vocabulary.classes}
    for key, prompts in texts.items():
        check_limits(prompts, key, where)
    return texts


def template_aligned(texts: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> bool:
    """Return whether prompt j of all classes is the same line except for the class name (in any case).

    Args:
        texts: Class key -> prompts.
        names: Class key -> the name that stands in them.
    """
    masked = set()
    for key, own in names.items():
        name = re.compile(rf"(?<!\w){re.escape(own)}(?!\w)", re.IGNORECASE)
        masked.add(tuple(name.sub("\0", text) for text in texts[key]))
    return len(masked) == 1


class PromptOrigin(NamedTuple):
    """Origin of prompts, as recorded in a `PromptSet`."""

    id: str
    source: str
    style: str = "custom"
    version: int | None = None


def _prompt_set(texts: Texts, vocabulary: Vocabulary, chosen: str, origin: PromptOrigin) -> PromptSet:
    """Make a `PromptSet` from checked parts; the caller decides whether it is template-aligned."""
    from senbench.schema.prompt_set import PromptSet

    texts = {key: tuple(map(composed, prompts)) for key, prompts in texts.items()}
    return PromptSet(
        **origin._asdict(),
        class_names=chosen,
        names=tuple(entry.names[chosen] for entry in vocabulary.classes),
        texts=texts,
        template_aligned=False,
        hash=prompt_hash(texts),
    )
