"""Class vocabularies: names in each published set, cues, and the matching of users' names to classes."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.prompts.languages import LANGUAGES
from senbench.prompts.text_files import read_yaml
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from senbench.schema.dataset import ClassEntry, DatasetInfo, Vocabulary

_WHAT = "class vocabulary"
_SUFFIXES = (".yaml", ".yml")
_FIELDS = {"id", "title", "default_names", "classes"}
CUES = ("ground", "aerial", "ground_short", "aerial_short")
"""Lists of cues that a class may have."""
PAIRED = (("ground", "aerial"), ("ground_short", "aerial_short"))
"""Lists whose j-th cues describe the same thing."""
_CLASS_FIELDS = {"names", *CUES, "cues_from", "hypernym", "synonyms", "translations", "source"}


def composed(text: str) -> str:
    """Normalise a text to NFC: macOS writes file names with separate accents, which tokenizers drop."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def normalise(name: str) -> str:
    """Normalise a class name for comparisons: casefolded letters and digits only."""
    return "".join(c for c in composed(composed(name).casefold()) if c.isalnum())


def name_from_key(key: str) -> str:
    """Derive a class name from a folder name: `AnnualCrop`, `annual_crop` and `annual-crop` become words."""
    text = " " + re.sub(r"[\W_]+", " ", composed(key)) + " "
    name = ""
    for before, here, after in zip(text, text[1:], text[2:], strict=False):
        starts_word = here.isupper() and before != " " and (not before.isupper() or after.islower())
        name += f" {here}" if starts_word else here
    return name.strip() or key


def load_vocabulary(name_or_path: str) -> Vocabulary:
    """Load a class vocabulary.

    Args:
        name_or_path: Id of a shipped vocabulary (`eurosat`), or a path to a YAML file with `id`, `title`,
            `default_names` and `classes` (class key -> `names`, cues and more) in label order.

    Returns:
        The vocabulary.

    Raises:
        UsageError: If there is none of that name, or the file is malformed.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix not in _SUFFIXES:
        folder = shipped("prompts") / "classes"
        path = folder / f"{name_or_path}.yaml"
        if path.parent != folder or not path.is_file():
            raise unknown(_WHAT, name_or_path, [*(p.stem for p in folder.glob("*.yaml")), "PATH.yaml"])
        return _shipped(path, path.stat().st_mtime_ns)
    return _build(read_yaml(path, _WHAT), path)


@cache
def _shipped(path: Path, changed: int) -> Vocabulary:
    """A shipped vocabulary, read once in a process: every style and every one that inherits cues asks for it."""
    return _build(read_yaml(path, _WHAT), path)


def vocabulary_for_keys(keys: Sequence[str], path: str | Path | None = None) -> Vocabulary:
    """Vocabulary for a user's class folders.

    Args:
        keys: Class keys (folder names) in label order.
        path: YAML file with either `key: name` lines or the full structure of a shipped vocabulary, which
            may also give cues; it must have exactly these keys, in any order. None: names are derived from
            the keys, without cues.

    Returns:
        Vocabulary with one class-name set: `folder`, or the stem of a flat file; a full file has its own.

    Raises:
        UsageError: If the file is malformed, or misses or invents a class, or two classes get one name.
    """
    if path is None:
        named = {key: name_from_key(key) for key in keys}
        return _checked(_plain("folder", named), "class folders")
    path = Path(path).expanduser()
    raw = read_yaml(path, _WHAT)
    where = f"{_WHAT} {path}"
    if isinstance(raw, dict) and isinstance(raw.get("classes"), dict):
        vocabulary = _build(raw, path)
        same_keys(keys, [c.key for c in vocabulary.classes], where)
        return select(vocabulary, keys)
    if not isinstance(raw, dict) or not raw:
        raise UsageError(f"{where} must hold `class folder: class name` lines or the full structure")
    same_keys(keys, raw, where)
    return _checked(_plain(path.stem, {k: _text(raw[k], f"{where}: class {k!r}") for k in keys}), where)


def vocabulary_for(info: DatasetInfo, class_names: str | None) -> tuple[Vocabulary, str | None]:
    """Resolve `--class-names` for a dataset.

    Args:
        info: The dataset.
        class_names: Name of a class-name set, path to a YAML file with the dataset's classes, or None.

    Returns:
        The vocabulary, and the class-name set to use (None: the vocabulary's default).

    Raises:
        UsageError: As `load_vocabulary` and `vocabulary_for_keys`.
    """
    if class_names is not None and class_names.endswith(_SUFFIXES):
        return vocabulary_for_keys(info.classes, class_names), None
    if info.vocabulary and not info.vocabulary.endswith(_SUFFIXES):
        return load_vocabulary(info.vocabulary), class_names
    return vocabulary_for_keys(info.classes, info.vocabulary or None), class_names


def name_set(vocabulary: Vocabulary, class_names: str | None) -> str:
    """Checked name of a class-name set; None stands for the vocabulary's default.

    Raises:
        UsageError: If the vocabulary has no such set.
    """
    chosen = class_names or vocabulary.default_names
    available = list(vocabulary.classes[0].names)
    if chosen not in available:
        raise unknown(f"class-name set of {vocabulary.id}", chosen, [*available, "PATH.yaml"])
    return chosen


def select(vocabulary: Vocabulary, keys: Sequence[str]) -> Vocabulary:
    """The vocabulary with the given classes in the given order.

    Raises:
        UsageError: If it lacks one of them.
    """
    by_key = {entry.key: entry for entry in vocabulary.classes}
    if missing := [key for key in keys if key not in by_key]:
        raise UsageError(f"{_WHAT} {vocabulary.id} has no class {missing[0]!r}; it has {', '.join(by_key)}")
    return vocabulary.model_copy(update={"classes": tuple(by_key[key] for key in keys)})


def aliases(vocabulary: Vocabulary) -> dict[str, str]:
    """Every accepted name of every class (its key, and its name in each set), normalised -> class key.

    Raises:
        UsageError: If two classes share a name, so that a file could not be aligned by name.
    """
    by_name: dict[str, str] = {}
    for entry in vocabulary.classes:
        for name in (entry.key, *entry.names.values()):
            other = by_name.setdefault(normalise(name), entry.key)
            if other != entry.key:
                raise UsageError(
                    f"classes {other!r} and {entry.key!r} share the name {name!r}; give them different"
                    " names in a file with --class-names FILE.yaml"
                )
    return by_name


def find_class(vocabulary: Vocabulary, name: str) -> str:
    """Key of the class that goes by a key or a name of any set, in any case.

    Raises:
        UsageError: If there is none.
    """
    key = aliases(vocabulary).get(normalise(name))
    if key is None:
        raise unknown(f"class of {vocabulary.id}", name, [entry.key for entry in vocabulary.classes])
    return key


def same_keys(expected: Sequence[str], keys: Iterable[Any], where: str) -> None:
    """Check that a mapping has exactly the expected classes.

    Raises:
        UsageError: Naming the first unknown or missing class, and what is expected.
    """
    keys = list(keys)
    if foreign := [key for key in keys if key not in expected]:
        hint = "" if isinstance(foreign[0], str) else " (put it in quotes if it is a class name)"
        raise UsageError(f"{where} has the unknown class {foreign[0]!r}{hint}; classes: {', '.join(expected)}")
    if missing := [key for key in expected if key not in keys]:
        raise UsageError(f"{where} misses the class {missing[0]!r}; add it")


def _text(value: Any, where: str) -> str:
    """A non-empty single line of text, stripped."""
    if not isinstance(value, str):
        raise UsageError(f"{where} must be text, not {value!r:.60}; put it in quotes")
    if len(value.splitlines()) != 1 or not value.strip():
        raise UsageError(f"{where} must be one non-empty line of text, not {value!r:.60}")
    return composed(value.strip())


def _fields(raw: Any, allowed: set[str], required: set[str], where: str) -> Mapping[str, Any]:
    """A mapping with all the required and no other than the allowed fields."""
    if not isinstance(raw, dict):
        raise UsageError(f"{where} must be a mapping with {', '.join(sorted(allowed))}")
    if foreign := [key for key in raw if key not in allowed]:
        raise UsageError(f"{where} has the unknown field {foreign[0]!r}; known: {', '.join(sorted(allowed))}")
    if missing := sorted(required - set(raw)):
        raise UsageError(f"{where} misses the field {missing[0]!r}")
    return raw


def _entry(key: Any, raw: Any, where: str) -> ClassEntry:
    """One class of a full vocabulary file."""
    from senbench.schema.dataset import ClassEntry

    key = _text(key, f"{where}: class key {key!r}")
    where = f"{where}: class {key!r}"
    raw = _fields(raw, _CLASS_FIELDS, {"names"}, where)
    names = raw["names"]
    if not isinstance(names, dict) or not names:
        raise UsageError(f"{where}: names must map class-name sets to names, e.g. `names: {{short: forest}}`")
    about = {field: _text(raw[field], f"{where}: {field}") for field in ("hypernym", "source") if field in raw}
    synonyms = _listed(raw, "synonyms", "synonyms", where)
    return ClassEntry(
        key=key,
        names={_text(s, f"{where}: name set"): _text(n, f"{where}: name {s!r}") for s, n in names.items()},
        synonyms=synonyms,
        translations=_translations(raw.get("translations", {}), where),
        **about,
        **_cues(raw, where),
    )


def _cues(raw: Mapping[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    """Lists of cues of a class, its own or those that it inherits from a class of a shipped vocabulary."""
    if "cues_from" in raw:
        return _inherited(raw, where)
    cues = {kind: _listed(raw, kind, "cues", where) for kind in CUES}
    for one, other in PAIRED:
        n, m = len(cues[one]), len(cues[other])
        if n and m and n != m:
            raise UsageError(
                f"{where}: {one} has {n} cues and {other} {m}, but cue j of both is the same thing; even them out, "
                "or leave one list out"
            )
    return cues


def _inherited(raw: Mapping[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    """Cues of the class that `cues_from: {VOCABULARY: CLASS}` names."""
    source = raw["cues_from"]
    if own_lists := [kind for kind in CUES if kind in raw]:
        raise UsageError(f"{where} has cues_from and {own_lists[0]}; inherit its cues or list them")
    if not isinstance(source, dict) or len(source) != 1:
        raise UsageError(f"{where}: cues_from must name one class of a shipped vocabulary: {{bigearthnet: Pastures}}")
    [(name, key)] = source.items()
    if not isinstance(name, str) or name.endswith(_SUFFIXES):
        raise UsageError(f"{where}: cues_from must name a shipped vocabulary, not {name!r:.60}")
    entry = select(load_vocabulary(name), [_text(key, f"{where}: cues_from")]).classes[0]
    return {kind: getattr(entry, kind) for kind in CUES}


def _listed(raw: Mapping[str, Any], field: str, what: str, where: str) -> tuple[str, ...]:
    """A list of lines of text; empty where the class has none."""
    items = raw.get(field, [])
    if not isinstance(items, list):
        raise UsageError(f"{where}: {field} must be a list of {what}")
    return tuple(_text(item, f"{where}: {field} {what.removesuffix('s')} {j}") for j, item in enumerate(items, 1))


def _translations(raw: Any, where: str) -> dict[str, str]:
    """Class names by language."""
    if not isinstance(raw, dict):
        raise UsageError(f"{where}: translations must map languages to names, e.g. `translations: {{de: Wald}}`")
    for language in raw:
        if language not in LANGUAGES or language == "en":
            known = [code for code in LANGUAGES if code != "en"]
            raise unknown(f"language of translations in {where}", str(language), known)
    return {language: _text(name, f"{where}: translation into {language!r}") for language, name in raw.items()}


def _build(raw: Any, path: Path) -> Vocabulary:
    """Vocabulary from the plain data of a full file."""
    from senbench.schema.dataset import Vocabulary

    where = f"{_WHAT} {path}"
    raw = _fields(raw, _FIELDS, _FIELDS, where)
    if not isinstance(raw["classes"], dict) or not raw["classes"]:
        raise UsageError(f"{where}: classes must map class keys to names and cues")
    vocabulary = Vocabulary(
        id=_text(raw["id"], f"{where}: id"),
        title=_text(raw["title"], f"{where}: title"),
        default_names=_text(raw["default_names"], f"{where}: default_names"),
        classes=tuple(_entry(key, value, where) for key, value in raw["classes"].items()),
    )
    return _checked(vocabulary, where)


def _plain(set_name: str, names: Mapping[str, str]) -> Vocabulary:
    """Vocabulary with one class-name set and no cues, from the name of each class in label order."""
    from senbench.schema.dataset import ClassEntry, Vocabulary

    classes = tuple(ClassEntry(key=key, names={set_name: name}) for key, name in names.items())
    return Vocabulary(id="folder", title="class folders", default_names=set_name, classes=classes)


def _checked(vocabulary: Vocabulary, where: str) -> Vocabulary:
    """The vocabulary, if its name sets are complete and tell all classes apart."""
    sets = list(vocabulary.classes[0].names)
    for entry in vocabulary.classes:
        if set(entry.names) != set(sets):
            raise UsageError(f"{where}: class {entry.key!r} must have the name sets {', '.join(sets)}")
    if vocabulary.default_names not in sets:
        raise UsageError(f"{where}: default_names {vocabulary.default_names!r} is none of the sets {', '.join(sets)}")
    try:
        aliases(vocabulary)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    return vocabulary
