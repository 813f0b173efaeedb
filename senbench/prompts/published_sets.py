"""Prompt files that others published: fetched by the user from a pinned commit, hashed at first use, never shipped.

MPVR (Mirza et al., ECCV 2024) and WaffleCLIP (Roth et al., ICCV 2023) are under the MIT licence; the repositories of
CuPL (Pratt et al., ICCV 2023) and D-CLIP (Menon and Vondrick, ICLR 2023) hold no licence file, so that their files are
for one's own use, as SenCLIP's. The sha256 of a file is recorded when it is first fetched: none was at hand when the
commits were pinned.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from senbench.errors import UnavailableError, UsageError
from senbench.prompts.template.filters import sample
from senbench.prompts.text_files import read_json
from senbench.runtime import paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from senbench.schema.dataset import Vocabulary

HOST = "https://raw.githubusercontent.com"
UNLICENSED = "its repository states no licence: for your own use, not to be passed on"
HASHES = "hashes.json"
"""Beside the files of a set: name -> sha256 at first use."""
WAFFLES = 15
"""Pairs of random words and random characters per class, WaffleCLIP's default."""
_SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789!?#%&"
_TEXT_CODES = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_LIST_CODES = _TEXT_CODES | {
    *("PROTO", "FRAME", "EMPTY_LIST", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "APPEND", "APPENDS", "STOP"),
    *("BINGET", "LONG_BINGET"),
}
"""Operations of a pickled list of texts; any other might build an object, and is refused."""


@dataclass(frozen=True)
class PublishedSet:
    """One set of files.

    Attributes:
        title: What it is, for messages.
        repository: `owner/name` on GitHub.
        commit: Pinned commit.
        files: Style on the command line -> path in the repository.
        licence: Licence of the repository; empty where it states none.
        classes: Whose classes the files are for.
    """

    title: str
    repository: str
    commit: str
    files: dict[str, str]
    licence: str
    classes: str

    def address(self, path: str) -> str:
        """Where a file is."""
        return f"{HOST}/{self.repository}/{self.commit}/{path}"


SETS = {
    "cupl": PublishedSet(
        "CuPL's prompts",
        "sarahpratt/CuPL",
        "719619c829792ff8f37298266e941b7f077c7f5c",
        {
            "cupl-base": "all_prompts/base_prompts/res45_prompts_base.json",
            "cupl-full": "all_prompts/full_prompts/res45_prompts_full.json",
        },
        "",
        "RESISC45",
    ),
    "mpvr": PublishedSet(
        "MPVR's prompts",
        "jmiemirza/Meta-Prompting",
        "ff6920913ff945b94831b42195dd0029eb8cce05",
        {"mpvr-gpt": "descriptions/gpt/EuroSAT.json", "mpvr-mixtral": "descriptions/mixtral/EuroSAT.json"},
        "MIT",
        "EuroSAT",
    ),
    "dclip": PublishedSet(
        "D-CLIP's descriptors",
        "sachit-menon/classify_by_description_release",
        "246aeea540689b69e1fdc001a6a3a00869bb9ca5",
        {"dclip-published": "descriptors/descriptors_eurosat.json"},
        "",
        "EuroSAT",
    ),
    "waffle": PublishedSet(
        "WaffleCLIP's words",
        "ExplainableML/WaffleCLIP",
        "9ae608a2354116250edea0336ab6bd7fed4d4cd3",
        {"waffle-published": "word_list.pkl"},
        "MIT",
        "any dataset",
    ),
}
"""Name of `senbench prompts fetch` -> files."""
STYLES = {style: name for name, found in SETS.items() for style in found.files}
"""Style on the command line -> its set."""


def command(name: str) -> str:
    """The command that fetches a set."""
    return f"senbench prompts fetch {name}"


def folder(name: str) -> Path:
    """Where the files of a set are kept."""
    return paths.home() / "prompts" / name


def target(style: str) -> Path:
    """Where the file of a style is kept."""
    name = STYLES[style]
    return folder(name) / f"{style}.{SETS[name].files[style].rpartition('.')[2]}"


def fetch(name: str, *, offline: bool = False) -> list[tuple[Path, str]]:
    """The files of a set, fetched where they are not there yet.

    Args:
        name: A key of `SETS`.
        offline: Open no socket; so does HF_HUB_OFFLINE=1.

    Returns:
        Path and sha256 of each, in the order of its styles.

    Raises:
        UnavailableError: Offline and not all there, or as `download.fetch`.
        UsageError: A file changed since its first use.
    """
    from senbench.io import (
        checked_json,
        download,
        http,
    )  # here, so that runs on other prompts are spared what they import

    about = SETS[name]
    missing = [style for style in about.files if not target(style).is_file()]
    if missing and (offline or download.offline_by_environment()):
        raise UnavailableError(
            f"{about.title}: {', '.join(target(style).name for style in missing)} not in {folder(name)}, and nothing "
            f"is fetched offline; run `{command(name)}` on a networked machine, then copy that folder"
        )
    for style in about.files:
        known = _hashes(name)
        path = target(style)
        arriving = not path.is_file()
        notice = f"{about.title}: {f'licence {about.licence}' if about.licence else UNLICENSED}"
        order = download.Fetch(
            http.Address(about.address(about.files[style])),
            path,
            what=about.title,
            sha256=known.get(path.name),
            command=command(name),
            notice=notice if missing and style == missing[0] else None,
            fault=lambda _: None,  # text, and a pickle that is never unpickled: `words` reads it
        )
        download.fetch(order)
        if arriving and path.name not in known:
            checked_json.write(folder(name) / HASHES, {**known, path.name: download.digest(path, "sha256")})
        checked(style)
    return [(target(style), _hashes(name)[target(style).name]) for style in about.files]


def checked(style: str) -> Path:
    """The file of a style, if it is the one of its first use.

    Raises:
        UnavailableError: It was not fetched.
        UsageError: It is another file now; it is left as it is.
    """
    from senbench.io.download import digest

    path, name = target(style), STYLES[style]
    if not path.is_file():
        raise UnavailableError(f"prompts {style}: {path.name} is not in {path.parent}; run `{command(name)}` once")
    found, first = digest(path, "sha256"), _hashes(name).get(path.name)
    if found != first:
        was = f"was {first[:12]} at first use" if first else f"is not recorded in {HASHES}"
        raise UsageError(
            f"{path} changed: its sha256 {was}, and is {found[:12]} now; delete it and run `{command(name)}`"
        )
    return path


def sentences(style: str, vocabulary: Vocabulary, class_names: str) -> Mapping[str, Any]:
    """What a style says, as a JSON file of class name -> sentences would.

    Args:
        style: A key of `STYLES`.
        vocabulary: The classes, for styles that are made of words.
        class_names: Class-name set in use.

    Returns:
        Class name -> prompts; not yet checked or aligned.

    Raises:
        UnavailableError: As `checked`.
        UsageError: The file is not what it should be.
    """
    path = checked(style)
    if style == "waffle-published":
        return _waffles(words(path), [entry.names[class_names] for entry in vocabulary.classes])
    raw = read_json(path, "prompt file")
    if style == "dclip-published" and isinstance(raw, dict):
        return {name: _described(name, found) for name, found in raw.items()}
    if not isinstance(raw, dict):
        raise UsageError(f"prompt file {path} must map class names to lists of prompts")
    return raw


def words(path: Path) -> list[str]:
    """The texts of a pickled list, read without unpickling it: an operation that could build an object is refused.

    Raises:
        UsageError: It is no pickled list of texts.
    """
    found = []
    try:
        for code, value, _ in pickletools.genops(path.read_bytes()):
            if code.name not in _LIST_CODES:
                raise UsageError(f"prompt file {path} is no plain list of words ({code.name}); it is not read")
            if code.name in _TEXT_CODES:
                found.append(str(value))
    except (ValueError, OSError, EOFError) as error:
        raise UsageError(f"prompt file {path} is no pickled list: {error}") from error
    if len(found) < 2 * WAFFLES:
        raise UsageError(f"prompt file {path} holds {len(found)} words; at least {2 * WAFFLES} are needed")
    return found


def _waffles(known: list[str], names: list[str]) -> dict[str, list[str]]:
    """WaffleCLIP's construction: random words of the list, as many and as long as a class name has, and random signs.

    Drawn by hash in place of numpy's generator, and the same for every class, as there.
    """
    split = [name.split() for name in names]
    count = max(1, round(sum(map(len, split)) / len(split)))
    length = round(sum(sum(map(len, one)) / len(one) for one in split) / len(split))
    short = [word[:length] for word in known]
    signs = list(_SIGNS)
    tails = []
    for line in range(WAFFLES):
        tails.append(" ".join(sample(short, count, line)))
        tails.append(", ".join("".join(sample(signs, length, f"{line}-{part}")) for part in range(count)))
    return {name: [f"A photo of a {name}, {_which(tail)}." for tail in tails] for name in names}


def _described(name: str, found: Any) -> Any:
    """D-CLIP's sentences of a class; what is no list stays, for the checks of every prompt file."""
    if not isinstance(found, list):
        return found
    return [f"{name}, {_which(text)}" if isinstance(text, str) else text for text in found or [""]]


def _which(text: str) -> str:
    """A descriptor as a clause, by the rules of D-CLIP's and WaffleCLIP's code."""
    if text.startswith(("a", "used")):
        return f"which is {text}"
    return f"which {text}" if text.startswith(("has", "often", "typically", "may", "can")) else f"which has {text}"


def _hashes(name: str) -> dict[str, str]:
    from senbench.io import checked_json

    found = checked_json.read(folder(name) / HASHES)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
