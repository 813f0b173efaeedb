"""The prompt files of the SenCLIP release: fetched by the user, never shipped, since they state no licence.

Source: GitHub, pallavijain-pj/SenCLIP, `src/prompts/` (arXiv:2412.08536).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import UnavailableError, UsageError
from senbench.runtime import paths

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.dataset import DatasetInfo

COMMIT = "4b9b4c2d1d3746cac8b8936e6a709f925661506b"
ADDRESS = f"https://raw.githubusercontent.com/pallavijain-pj/SenCLIP/{COMMIT}/src/prompts"
NOTICE = "the SenCLIP repository states no licence for its prompts: for your own use, not to be passed on"
COMMAND = "senbench prompts fetch senclip"

STYLES = {"senclip-aerial": "aerial", "senclip-ground": "ground", "senclip-ground-aerial": "mixed"}
"""Name on the command line -> style of the prompts."""
SHA256 = {
    "prompt_ben_aerial_mixed.json": "fce3894c21e0ab71e10f82353edc3521f71ade3e49bb5dfb494fca9cf8a9874b",
    "prompt_ben_ground_aerial_mixed.json": "c4f8e25d3730c16208c8165b91802668be67ae87e8c5e10aa936f33905cbba7d",
    "prompt_ben_ground_mixed.json": "9f87ff5f8dc3718881bee0a2fb38d8a05b001e39534a55d15341710e24db955a",
    "prompt_eurosat_aerial_mixed.json": "3c5f70d085a08e59e2e9b0a6ff74f376de0666facd32355a71918b30947ac522",
    "prompt_eurosat_ground_aerial_mixed.json": "7853fdc48aae4b502e4c7879cfefdf49ff8ccdf7d4bea5da591d7113d2b15cb7",
    "prompt_eurosat_ground_mixed.json": "1c56153a3aa96778cf2242b5ff1e5114713ac74818f89de3f012d6709bf92cac",
}
"""The six files and their hashes at the pinned commit."""
_DATASETS = {"eurosat": "eurosat", "bigearthnet": "ben"}


def folder() -> Path:
    """Return the folder of the files."""
    return paths.home() / "prompts" / "senclip"


def fetch(*, offline: bool = False) -> list[Path]:
    """Return the six files, downloading missing ones.

    Args:
        offline: Open no socket; HF_HUB_OFFLINE=1 has the same effect.

    Returns:
        Their paths, in alphabetical order.

    Raises:
        UnavailableError: Offline and not all there, or as `download.fetch`.
    """
    from senbench.io import download, http  # imported here, because runs on other prompts do not need it

    targets = {name: folder() / name for name in SHA256}
    missing = [name for name, path in targets.items() if not path.is_file()]
    if missing and (offline or download.offline_by_environment()):
        raise UnavailableError(
            f"SenCLIP's prompts: {', '.join(missing)} not in {folder()}, and nothing is fetched offline; "
            f"run `{COMMAND}` on a networked machine, then copy the files to that folder"
        )
    for name, path in targets.items():
        order = download.Fetch(
            http.Address(f"{ADDRESS}/{name}"),
            path,
            what="SenCLIP's prompts",
            sha256=SHA256[name],
            command=COMMAND,
            notice=NOTICE if missing and name == missing[0] else None,
        )
        download.fetch(order)
        checked(path)
    return list(targets.values())


def locate(style: str, info: DatasetInfo) -> Path:
    """The file of a style for a dataset.

    Args:
        style: A key of `STYLES`.
        info: The dataset; EuroSAT or BigEarthNet.

    Raises:
        UsageError: The release has no file for this dataset.
        UnavailableError: The file was not downloaded, or is not that of the release.
    """
    short = _DATASETS.get(info.collection)
    if short is None:
        raise UsageError(f"prompts {style}: SenCLIP has files for EuroSAT and BigEarthNet, none for {info.id}")
    path = folder() / f"prompt_{short}_{style.removeprefix('senclip-').replace('-', '_')}_mixed.json"
    if not path.is_file():
        raise UnavailableError(
            f"prompts {style}: {path.name} is not in {path.parent}; run `{COMMAND}` once (the files may not be shipped)"
        )
    return checked(path)


def checked(path: Path) -> Path:
    """Return the file if it is that of the pinned commit.

    Raises:
        UnavailableError: It is another file, which is not changed.
    """
    from senbench.io.download import digest

    value = digest(path, "sha256")
    if value != SHA256[path.name]:
        raise UnavailableError(
            f"{path} is not SenCLIP's file: sha256 {value}, expected {SHA256[path.name]}; delete it and run `{COMMAND}`"
        )
    return path
