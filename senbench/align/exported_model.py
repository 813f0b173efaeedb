"""An aligned model as a checkpoint in the layout of its base's release, with the card under which it is evaluated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.align import near_datasets, run_folder, trained_part
from senbench.align.augmentation import preprocess_of
from senbench.align.recipe import AlignmentRecipe
from senbench.align.run_folder import RunFolder
from senbench.align.train import Surroundings, base_adapter
from senbench.errors import UsageError
from senbench.models import new_card
from senbench.models.checkpoints import fetch, keys
from senbench.models.registry import find
from senbench.models.verify import fingerprint
from senbench.schema.model_card import ModelCard, WeightsSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.datasets.tiles import Tiles
    from senbench.models.adapter import Adapter


class Exported(NamedTuple):
    """What was written."""

    weights: Path
    card: Path
    trained: int
    """Tensors that training changed or may have changed."""
    frozen: int
    """Tensors that are the base's, bit for bit."""


def export(
    run: Path, out: Path, base: str, surroundings: Surroundings | None = None, against: Sequence[Tiles] = ()
) -> Exported:
    """Write the aligned model of a run and its card.

    Args:
        run: Folder of the run.
        out: The file to write, `.safetensors`; the card is beside it, with the suffix `.toml`.
        base: Card or name of the base.
        surroundings: Weights of the base.
        against: Opened datasets; the card says how near the training points come to their tiles.

    Raises:
        UsageError: No such run, a base of other weights, or files that are there already.
        UnavailableError: The run's state or the base's file is damaged or missing.
    """
    where = surroundings or Surroundings()
    card_file = out.with_suffix(".toml")
    if out.suffix != ".safetensors":
        raise UsageError(f"--out {out}: the file is a .safetensors")
    for path in (out, card_file):
        if path.exists():
            raise UsageError(f"--out: {path} is there already; give another name, or delete it")
    adapter, told = aligned(run, base, where)
    card = adapter.card
    state = {name: value.detach().cpu().contiguous() for name, value in adapter.model.state_dict().items()}
    prefixes = told["settings"]["trained"]
    moved = [name for name in state if any(trained_part.covers(prefix, name) for prefix in prefixes)]
    frozen = [name for name in state if name not in set(moved)]
    latitude, longitude = RunFolder(run).places()
    near = [near_datasets.nearness(tiles, latitude, longitude) for tiles in against]
    out.parent.mkdir(parents=True, exist_ok=True)
    _write(out, state)
    made = card.model_copy(
        update={
            **_statement(card, told),
            "id": out.stem.lower().replace(" ", "-"),
            "title": out.stem,
            "architecture": _from(card_file, card.architecture),
            "tokenizer": _from(card_file, card.tokenizer),
            "preprocess": adapter.preprocess,
            "weights": WeightsSource(path=out.name, sha256=fetch.sha256(out)),
            "derived_from": _from(card_file, base) if base.endswith(".toml") else card.id,
            "frozen": keys.patterns(frozen, state),
            "contamination": near_datasets.grades(
                card.contamination, latitude, longitude, synthetic=bool(told["settings"]["data"].get("synthetic"))
            ),
            "fingerprint": fingerprint(adapter),
        }
    )
    note = "; ".join([made.note, *(found.sentence() for found in near if found is not None)])
    made = ModelCard.model_validate(made.model_copy(update={"note": note}).model_dump())
    _written(card_file, new_card.text(made, out.name))
    return Exported(out, card_file, len(moved), len(frozen))


def aligned(run: Path, base: str, surroundings: Surroundings | None = None) -> tuple[Adapter, dict[str, Any]]:
    """The base with the tower of a run in place, and what `align.json` holds.

    Args:
        run: Folder of the run.
        base: Card or name of the base.
        surroundings: Weights of the base, device.

    Raises:
        UsageError: No such run, or a base of other weights.
        UnavailableError: The run's state or the base's file is damaged or missing.
    """
    import torch

    where = surroundings or Surroundings()
    folder = RunFolder(run)
    told = folder.settings()
    state = folder.state()
    if state is None:
        raise UsageError(f"{run}: no step of this alignment was kept; give `senbench align train` again")
    adapter = base_adapter(find(base, offline=where.access.offline), where)
    recorded = told["settings"]["base"]["weights_sha256"]
    if adapter.weights_sha256 != recorded:
        raise UsageError(
            f"{run} was trained from weights {recorded[:12]}, and those of {base} are {adapter.weights_sha256[:12]}; "
            "give its base with --base and --weights"
        )
    recipe = AlignmentRecipe.model_validate(told["settings"]["recipe"])
    adapter.preprocess = preprocess_of(adapter.card, recipe)
    changed = {
        name.partition("/")[2]: value
        for name, value in state.items()
        if name.startswith(("parameter/visual.", "statistic/visual."))
    }
    own = adapter.model.state_dict()
    with torch.no_grad():
        for name, value in changed.items():
            own[name].copy_(value)
    adapter.live = True
    return adapter, {**told, "digest": run_folder.digest(state)}


def _statement(card: ModelCard, told: dict[str, Any]) -> dict[str, Any]:
    """What the card says of where its weights come from."""
    settings = told["settings"]
    recipe, tiles, data = settings["recipe"], settings["tiles"], settings["data"]
    pairs = f"{tiles['train']:,} tiles with ground-level photos ({data.get('pairs', 'arrays')})"
    return {
        "family": "aligned with senbench",
        "aliases": (),
        "prefixes": ("",),
        "nesting": "",
        "drop": (),
        "frozen_reported": (),
        "verified": False,
        "licence": f"as its base ({card.licence}) and its training data",
        "commercial_use": card.commercial_use if card.commercial_use == "forbidden" else "not stated",
        "citation": "senbench align; the method is that of arXiv:2412.08536",
        "trained_on": (pairs, *card.trained_on),
        "synthetic": card.synthetic and bool(data.get("synthetic")),
        "note": (
            f"trained with `senbench align` from {card.id}, recipe {recipe['name']}, pooling {recipe['pool']}, state "
            f"{told['digest'][:12]}; these are not the weights of SenCLIP's authors"
        ),
    }


def _from(card_file: Path, path: str) -> str:
    """A path as the card tells it, from its own folder; what is no path stays."""
    return (
        os.path.relpath(path, card_file.resolve().parent) if Path(path).is_absolute() or Path(path).is_file() else path
    )


def _write(path: Path, state: dict[str, Any]) -> None:
    part = path.with_name(f".{path.name}.part")
    run_folder.write_tensors(part, state)
    part.replace(path)


def _written(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
