"""Checks what may keep runs from working on this machine, and suggests a remedy for each problem.

Torch, torchvision and plug-ins are imported in separate processes, so that a failed import becomes a finding.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from senbench.errors import SenbenchError
from senbench.models.devices import GPU_NODES
from senbench.runtime.environment import PACKAGES, emulated, versions
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from senbench.schema.model_card import ModelCard

State = Literal["ok", "warning", "problem"]
PATIENCE = 60.0
"""Time limit of an import in seconds; it normally takes a few."""
SLOW = "not done after"
"""Beginning of the message about an import that took longer."""
NOT_KEPT = "what is there serves, nothing new is fetched, packed or kept"
SERVES = {
    "rasterio": "GeoTIFF and JPEG 2000 tiles, BigEarthNet and the multispectral EuroSAT cannot be read",
    "open_clip": "models other than plain CLIP cannot be built: OpenCLIP, MetaCLIP, SigLIP 2, PE-Core and others",
    "transformers": "RS-M-CLIP, Git-RSCLIP, StreetCLIP and local folders of transformers cannot be loaded",
    "sentencepiece": "tokenizers stored as SentencePiece models cannot be read",
    "google.protobuf": "tokenizers stored as SentencePiece models cannot be read",
    "ftfy": "prompts with characters outside ASCII cannot be tokenized as CLIP does",
    "torchgeo": "BigEarthNet cannot be fetched: its addresses and checksums are TorchGeo's",
    "datasets": "copies of EuroSAT on the hub cannot be opened",
    "sklearn": "`--shots` and linear probes cannot be computed",
    "pandas": "`senbench.load_results` cannot return a data frame",
    "xxhash": "packed datasets and BigEarthNet's patches cannot be read",
    "tomlkit": "`models new` and changes of a card cannot be written",
}
"""Package, by the name it is imported under, and what cannot be done without it."""
SPACE = 0.2e9, 5e9
"""Free bytes below which runs stop, and below which a release may not fit."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    Attributes:
        topic: What it is about: `torch`, `cache`, `weights`, ...
        state: `problem` stops runs; `warning` does not, or only some.
        found: What was found, on one line.
        remedy: What to do; empty if nothing is wrong.
    """

    topic: str
    state: State
    found: str
    remedy: str = ""


def _finding(topic: str, observation: str, remedy: str = "", wrong: State = "warning") -> Finding:
    """Return a finding, with the state `wrong` if there is a remedy."""
    return Finding(topic, wrong if remedy else "ok", observation, remedy)


_TORCH = """
import json
import torch
cuda = torch.cuda.is_available()
print(json.dumps({
    "torch": torch.__version__, "build": torch.version.cuda, "cuda": cuda,
    "names": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if cuda else [],
    "mps": bool(getattr(torch.backends, "mps", None) and torch.backends.mps.is_available()),
}), flush=True)
import torchvision.ops
print("pair", flush=True)
"""
_PLUGINS = "import json; from senbench.models import registry; print(json.dumps(registry.broken()))"


def examine() -> list[Finding]:
    """Do all checks in the order in which a run needs them; nothing is downloaded, and only a probe file is written."""
    with ThreadPoolExecutor() as pool:
        torch, plugins = pool.submit(_child, _TORCH), pool.submit(_child, _PLUGINS)
        found = [*_versions(), *_absent(), *_home(), *_data(), *_packed(), *_weights(), *_cache(), *_hub()]
        return [found[0], *_torch(*torch.result()), *found[1:], *_plugins(*plugins.result())]


def _child(code: str) -> tuple[list[str], str]:
    """Run a program; return the lines that it prints, and how it failed on one line (empty if it did not)."""
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as stopped:
        return _lines(stopped.stdout), f"{SLOW} {PATIENCE:g} s; the machine may be busy"
    except OSError as error:
        return [], str(error)
    reasons = _lines(done.stderr)
    ended = reasons[-1][:300] if reasons else f"it ended with code {done.returncode}"
    return _lines(done.stdout), ended if done.returncode else ""


def _lines(output: bytes | None) -> list[str]:
    return (output or b"").decode(errors="replace").strip().splitlines()


def _versions() -> Iterator[Finding]:
    import senbench

    have = versions()
    installed = ", ".join(f"{name} {version}" for name, version in have.items())
    observation, remedy = f"senbench {senbench.__version__}, {installed}", ""
    if missing := [name for name in PACKAGES if name not in have]:
        observation += f"; missing: {', '.join(missing)}"
        remedy = f"install {' '.join(missing)} into {sys.prefix}"
    yield _finding("versions", observation, remedy, "problem")


def _absent() -> Iterator[Finding]:
    """Packages that are not there, though senbench's metadata ask for them, and what that costs."""
    for name, cost in SERVES.items():
        try:
            there = find_spec(name) is not None
        except ImportError:  # of a package inside an absent one
            there = False
        if not there:
            yield Finding("package", "warning", f"{name} is absent: {cost}", f"reinstall senbench into {sys.prefix}")


def _torch(lines: list[str], error: str) -> Iterator[Finding]:
    both = "reinstall torch and torchvision together, from one index (`uv sync`, or `pip install -U torch torchvision`)"
    slow = error.startswith(SLOW)
    broken: State = "warning" if slow else "problem"
    both = f"try again on an idle machine; if it stays so, {both}" if slow else both
    if not lines:
        yield Finding("torch", broken, f"torch cannot be imported: {error}", both)
        return
    facts = json.loads(lines[0])
    yield from _devices(facts)
    if not facts["cuda"] and (note := emulated("cpu", "bf16")):
        yield _finding("precision", note)
    if error:
        why = "cannot be imported beside" if slow else "does not fit"
        yield Finding("torchvision", broken, f"torchvision {why} torch {facts['torch']}: {error}", both)
    else:
        yield _finding("torchvision", "torchvision can be imported beside torch")


def _devices(facts: dict[str, Any]) -> Iterator[Finding]:
    card = next((node for node in GPU_NODES[:2] if Path(node).exists()), None)
    driver = _driver() if card or shutil.which("nvidia-smi") else None
    build = f"torch {facts['torch']}, built for " + (f"CUDA {facts['build']}" if facts["build"] else "no CUDA")
    remedy = ""
    if facts["cuda"]:
        observation = f"{build}: {', '.join(facts['names'])}"
    elif (card or driver) and facts["build"] is None:
        observation = f"{build}, but there is an NVIDIA device ({driver or card}): runs use the CPU"
        remedy = "install torch and torchvision built for CUDA, both from one index"
    elif card or driver:
        observation = f"{build}, cannot use the NVIDIA device ({driver or card}): runs use the CPU"
        remedy = f"update the driver to one for CUDA {facts['build']}, or install torch built for an older CUDA"
    elif facts["mps"]:
        observation = f"{build}; Apple's MPS is there, but not supported: its figures are not checked; runs use the CPU"
        remedy = "nothing to do; a machine with CUDA is faster"
    else:
        observation = f"{build}; the CPU, {os.cpu_count()} cores"
    yield _finding("device", observation, remedy)


def _driver() -> str | None:
    """Return devices and driver as reported by `nvidia-smi`."""
    try:
        command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = done.stdout.strip().splitlines()
    return f"{lines[0]} (name, driver)" if done.returncode == 0 and lines else None


def _home() -> Iterator[Finding]:
    path = home()
    origin = "SENBENCH_HOME" if os.environ.get("SENBENCH_HOME") else "default"
    there = next((p for p in (path, *path.parents) if p.exists()), path)
    remedy = "set SENBENCH_HOME to a folder that can be written"
    try:
        if not there.is_dir():
            raise NotADirectoryError(0, "is no folder")
        probe = there / f".senbench-probe-{secrets.token_hex(4)}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        state: State = "warning" if there == path and path.is_dir() else "problem"  # existing files can be used
        kept = f"; {NOT_KEPT}" if state == "warning" else ""
        yield Finding("home", state, f"{path} ({origin}): {there} {_why(error)}{kept}", remedy)
        return
    yield _finding("home", f"{path} ({origin}) can be written")
    for name in ("weights", "data", "cache", "packed"):  # a folder of another owner
        if (path / name).is_dir() and not os.access(path / name, os.W_OK):
            yield _finding("home", f"{path / name} cannot be written; {NOT_KEPT}", remedy)
    free = shutil.disk_usage(there).free
    least, roomy = SPACE
    more = "" if free >= roomy else "free space (`senbench cache prune --max-size 1G`), or set SENBENCH_HOME"
    yield _finding("space", f"{free / 1e9:.1f} GB free there", more, "problem" if free < least else "warning")


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _data() -> Iterator[Finding]:
    place = home() / "data"
    names, closed = [], []
    for path in sorted(place.glob("*")):
        try:
            if path.is_dir() and any(path.iterdir()):
                names.append(path.name)
        except OSError:
            closed.append(path.name)
    yield _finding("data", f"{place}: {', '.join(names) or 'no dataset'}")
    if closed:
        remedy = f"make it readable (`chmod -R a+rX {place}`), or set SENBENCH_HOME"
        yield _finding("data", f"{', '.join(closed)}: not readable for this user", remedy)


def _packed() -> Iterator[Finding]:
    from senbench.datasets.packed.format import HEADER, read_header

    sound = []
    for file in sorted((home() / "packed").glob(f"*/{HEADER}")):
        try:
            header = read_header(file.parent)
            sound.append(f"{header.dataset.id} {header.split} ({header.radiometry})")
        except SenbenchError as error:
            yield _finding("packed", " ".join(str(error).split()), f"delete {file.parent} and pack again")
    yield _finding("packed", ", ".join(sound) or "no packed dataset")


def _weights() -> Iterator[Finding]:
    """Check files of models by name, size and time only, without reading gigabytes."""
    from senbench.models import registry
    from senbench.models.checkpoints import fetch

    cards_of: dict[Path, list[ModelCard]] = {}
    for card in registry.cards().values():
        if (path := fetch.present(card)) is not None:
            cards_of.setdefault(path, []).append(card)
    if not cards_of:
        yield _finding("weights", "none fetched")
    for path, cards in cards_of.items():
        names = ", ".join(card.id for card in cards)
        standing, wrong = fetch.known_standing(cards[0], path)
        remedy = f"delete {path} and run `senbench models fetch {cards[0].id}`" if wrong else ""
        yield _finding("weights", f"{names}: {path.name}, {standing}", remedy)


def _cache() -> Iterator[Finding]:
    from senbench.embedding.cache_admin import damaged, stores

    kept = stores(home() / "cache")
    size = sum(store.bytes for store in kept)
    bad = damaged(home() / "cache", read=False)
    yield _finding("cache", f"{home() / 'cache'}: {len(kept)} stores, {size / 1e6:.1f} MB")
    for store, names in bad.items():
        yield _finding(
            "cache",
            f"store {store[:12]} contains damaged files ({', '.join(names[:3])}): runs compute their rows again",
            "`senbench cache verify` names all; `senbench cache prune --max-size 0` removes every store",
        )


def _hub() -> Iterator[Finding]:
    address, offline = os.environ.get("HF_ENDPOINT", ""), os.environ.get("HF_HUB_OFFLINE", "")
    parts = urlsplit(address)
    if address and (parts.scheme not in ("http", "https") or not parts.netloc):
        remedy = "unset it, or give one such as https://hub.example"
        yield _finding("hub", f"HF_ENDPOINT {address!r} is not an address: nothing can be fetched", remedy)
    else:
        yield _finding("hub", f"HF_ENDPOINT {address or 'not set'}, HF_HUB_OFFLINE {offline or 'not set'}")


def _plugins(lines: list[str], error: str) -> Iterator[Finding]:
    if error or not lines:
        observation = f"looking at installed plug-ins fails: {error or 'no reason was given'}"
        remedy = "uninstall the packages with entry points senbench.models one by one"
        yield _finding("plug-ins", observation, remedy, "problem")
        return
    broken: dict[str, str] = json.loads(lines[-1])
    for name, why in broken.items():
        yield _finding("plug-ins", f"{name}: {why}", "repair or uninstall it")
    if not broken:
        yield _finding("plug-ins", "none is broken")
