"""Maps the keys of a checkpoint to those of the model: nesting, prefix and ignored keys, stated or detected."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError
from senbench.models.checkpoints import container

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from senbench.schema.model_card import ModelCard


@dataclass(frozen=True)
class Expected:
    """The tensors that a card's model needs from a file.

    Attributes:
        shapes: Key -> shape.
        drop: Patterns of keys of the release that do not belong to the model.
        optional: Keys whose value the card states if the file has none.
    """

    shapes: Mapping[str, list[int]]
    drop: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()

    def required(self) -> list[str]:
        """Return the keys that must be in the file."""
        return [key for key in self.shapes if key not in self.optional]


@dataclass(frozen=True)
class Arrangement:
    """The arrangement of a model's keys in a file; the fields are those of a card.

    Attributes:
        nesting: Entry of the file; empty for the top level.
        prefix: Common prefix of the model's keys.
        drop: Patterns of all other keys.
    """

    nesting: str
    prefix: str
    drop: tuple[str, ...]

    def statements(self, card: ModelCard) -> list[str]:
        """Return the lines of TOML in which a card must differ from this one."""
        places = (card.nesting,) if isinstance(card.nesting, str) else card.nesting
        lines = [f'nesting = "{self.nesting}"'] * (self.nesting not in places)
        lines += [f'prefixes = ["{self.prefix}"]'] * (self.prefix not in card.prefixes)
        quoted = ", ".join(f'"{pattern}"' for pattern in (*card.drop, *self.drop))
        return lines + [f"drop = [{quoted}]"] * bool(self.drop)


def arrangement(loaded: Mapping[Any, Any], expected: Expected) -> Arrangement | None:
    """Detect the arrangement of a model's keys in a file.

    Args:
        loaded: The content of the file: keys, or entries that contain them.
        expected: The model's keys.

    Returns:
            The first nesting and prefix with every required key, or None.
    """
    inner = {str(key): value for key, value in loaded.items() if isinstance(value, dict)}
    required = expected.required()
    for place, held in {"": loaded, **inner}.items():
        keys = set(map(str, held))
        for prefix in sorted({key[: -len(required[-1])] for key in keys if key.endswith(required[-1])}):
            if all(prefix + key in keys for key in required):
                known = {prefix + key for key in expected.shapes}
                strays = [key for key in keys - known if not dropped(key, expected.drop, prefix)]
                return Arrangement(place, prefix, patterns(strays, keys))
    return None


def unnested(loaded: Mapping[Any, Any], card: ModelCard) -> dict[str, Any] | None:
    """Return the state dict in a file at the first existing nesting of the card, or None."""
    places = (card.nesting,) if isinstance(card.nesting, str) else card.nesting
    here = [loaded[place] for place in places if place and isinstance(loaded.get(place), dict)]
    if not here and "" not in places:
        return None
    return {str(key): value for key, value in (here[0] if here else loaded).items()}


def own(state: dict[str, Any], expected: Expected | None, card: ModelCard, name: str) -> dict[str, Any]:
    """Return the model's tensors under its own keys, without ignored keys and the card's prefix.

    Args:
        state: Keys of the file.
        expected: The model's keys; None if unknown, in which case the longest common prefix is removed.
        card: The contract.
        name: The file, for messages.

    Raises:
        ContractError: Two prefixes fit.
    """
    drop = (*card.drop, *(expected.drop if expected else ()))
    state = {key: value for key, value in state.items() if not dropped(key, drop)}
    fitting = [
        prefix
        for prefix in card.prefixes
        if all(key.startswith(prefix) for key in state)
        and (expected is None or any(prefix + key in state for key in expected.shapes))
    ]
    if expected is None:  # only the length distinguishes keys from prefixes
        fitting = sorted(fitting, key=len)[-1:]
    if len(fitting) > 1:
        raise ContractError(
            f"weights {name}: several key prefixes of card {card.id} fit: {', '.join(map(repr, fitting))}; "
            "give the state dict of one model"
        )
    prefix = fitting[0] if fitting else ""  # none: the check of the keys will report what is there
    bare = {key.removeprefix(prefix): value for key, value in state.items()}
    return {key: value for key, value in bare.items() if not dropped(key, drop)}


def dropped(key: str, patterns: Iterable[str], prefix: str = "") -> bool:
    """Return whether a key is ignored, by its name in the file or without the prefix."""
    return any(fnmatchcase(one, pattern) for pattern in patterns for one in {key, key.removeprefix(prefix)})


def refusal(loaded: Mapping[Any, Any], state: Collection[str], expected: Expected, card: ModelCard, path: Path) -> str:
    """Explain why the keys of a file are not those of the model, and what to do.

    Args:
        loaded: The content of the file.
        state: The keys in it.
        expected: The model's keys.
        card: The contract.
        path: The file.
    """
    missing = [key for key in expected.required() if key not in state]
    extra = [key for key in state if key not in expected.shapes]
    parts = [f"{len(missing)} keys are missing ({some(missing)})"] * bool(missing)
    parts += [f"{len(extra)} are not expected ({some(extra)})"] * bool(extra)
    do = _remedy(loaded, missing, extra, expected, card, path)
    return f"weights {path.name} do not have the {layout(card)} of {card.id}: {', '.join(parts)}; {do}"


def layout(card: ModelCard) -> str:
    """Describe the source of a card's keys, for messages."""
    return f"layout {card.layout!r}" if card.layout else f"keys of {card.architecture!r}"


def some(keys: Iterable[Any], n: int = 3) -> str:
    """The first keys, for messages."""
    named = [str(key) for key in keys]
    return ", ".join(named[:n]) + (", ..." if len(named) > n else "")


def _remedy(
    loaded: Mapping[Any, Any], missing: list[str], extra: list[str], expected: Expected, card: ModelCard, path: Path
) -> str:
    if taken := [pattern for pattern in card.drop if any(dropped(key, (pattern,)) for key in missing)]:
        return f"drop = {list(taken)} of the card leaves out keys of the model: narrow it"
    arranged = arrangement(loaded, expected)
    if arranged is not None and (lines := arranged.statements(card)):
        return f"a card with {' and '.join(lines)} reads them (`senbench models new` writes it)"
    if missing and (part := container.shard(path)):
        return f"this is file {part[0]} of {part[1]} of one checkpoint: {container.MERGE}"
    if set(missing) <= {"logit_scale", "logit_bias"} and missing and not extra:
        lines = [f"{key} = {'100.0' if key == 'logit_scale' else '0.0'}" for key in missing]
        return f"a card that states the value which the authors use, such as {' and '.join(lines)}, reads them"
    if missing and not extra and len(missing) < len(expected.shapes):
        have = len(expected.shapes) - len(missing)
        return f"it has {have} of {len(expected.shapes)}, as one of several files has: if so, {container.MERGE}"
    return f"accepted key prefixes: {', '.join(repr(prefix) for prefix in card.prefixes)}"


def patterns(strays: Iterable[str], keys: Collection[str]) -> tuple[str, ...]:
    """As few patterns as name all strays and no other key: `criterion.*`, or a key itself.

    Args:
        strays: Keys to be named.
        keys: All keys.
    """
    left, chosen = set(strays), []
    while left:
        key = min(left)
        parts = key.split(".")
        starts = [".".join(parts[:n]) + "." for n in range(1, len(parts))]
        groups = ([one for one in keys if one.startswith(start)] for start in starts)
        wide = next((s for s, group in zip(starts, groups, strict=True) if len(group) > 1 and left >= set(group)), None)
        chosen.append(f"{wide}*" if wide else key)
        left = {one for one in left if not (one.startswith(wide) if wide else one == key)}
    return tuple(chosen)
