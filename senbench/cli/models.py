"""`senbench models`: the zoo and its contracts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from senbench.cli import options  # noqa: TC001 - typer reads the annotations
from senbench.cli.terminal import interruptible, print_aligned, print_json
from senbench.errors import UsageError
from senbench.runtime.printing import say

app = typer.Typer(help="The models and their contracts.", invoke_without_command=True, rich_markup_mode=None)


@app.callback()
def models(context: typer.Context) -> None:
    """List the models, or show one contract."""
    if context.invoked_subcommand is None:
        list_models()


@app.command("list")
def list_models(as_json: Annotated[bool, typer.Option("--json", help="Cards as JSON on stdout.")] = False) -> None:
    """List the models: shipped ones and those of installed plug-ins."""
    from senbench.models import registry

    found, broken = registry.everything(), registry.broken()
    if as_json:
        print_json(list(found.values()), ensure_ascii=False)
        return
    rows = [("id", "architecture", "activation", "input", "licence", "aliases", "")]
    for card in found.values():
        mark = "synthetic" if card.synthetic else "" if card.verified else "unverified"
        bands = "RGB" if card.unit == "uint8" else f"{len(card.bands)} bands, {card.level or 'DN'}"
        aliases = ", ".join(card.aliases)
        rows.append((card.id, card.architecture, card.activation, bands, card.licence, aliases, mark))
    print_aligned(rows)
    for name, reason in broken.items():
        say(f"broken plug-in {name}: {reason}")
    reasons: dict[str, list[str]] = {}
    for card in found.values():
        if not card.verified and not card.synthetic:
            reasons.setdefault(card.note, []).append(card.id)
    if reasons:
        say("\nunverified: nobody with the released file has run `senbench models verify ID --bless` yet")
    for reason, ids in reasons.items():
        if reason:
            say(f"  {', '.join(ids)}: {reason}")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Model id or alias.")],
    as_json: Annotated[bool, typer.Option("--json", help="The card as JSON on stdout.")] = False,
    offline: options.Offline = False,
) -> None:
    """Print the contract of a model."""
    from senbench.models.checkpoints.state_dict import manifest
    from senbench.models.registry import find

    card = find(name, offline=offline)
    if as_json:
        print_json(card, ensure_ascii=False)
        return
    rows: list[tuple[str, str]] = []
    for field, value in card.model_dump(mode="json").items():
        deeper = value if isinstance(value, dict) else {}
        rows += [(f"{field}.{inner}", _text(deep)) for inner, deep in deeper.items()] or [(field, _text(value))]
    if card.layout is not None:
        layout = manifest(card.layout)
        rows.append(("layout.keys", f"{len(layout['keys'])} (source: {layout['source']})"))
    print_aligned(rows)


@app.command("verify")
def verify(
    name: Annotated[str, typer.Argument(help="Model id or alias, card file, openclip:... or hf:...")],
    weights: Annotated[str | None, typer.Option(help="Local checkpoint file.")] = None,
    report: Annotated[str | None, typer.Option(help="File to write for sending back: facts only.")] = None,
    bless: Annotated[
        bool, typer.Option("--bless", help="Write hash and fingerprint into the card file: only with the real file.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATASET", help="Run what others recorded of the model on this dataset, too."),
    ] = None,
    data_dir: options.DataDir = None,
    split: Annotated[
        str | None, typer.Option(metavar="FILE", help="With --on: the recorded list of tiles, where it is not shipped.")
    ] = None,
    device: options.Device = "auto",
    offline: options.Offline = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")] = False,
) -> None:
    """Hold a checkpoint against every item of its contract, and compute its golden fingerprint.

    With --on, the figures and confusion matrices that others recorded of the model are run again, and the differences
    counted in images.
    """
    from pathlib import Path

    from senbench.models import verify as verification
    from senbench.models.card_files import bless as write_card
    from senbench.models.registry import find

    if on is None and (split or data_dir):
        raise UsageError("--data-dir and --split are for the recorded protocols of --on DATASET: name one")
    card = find(name, offline=offline)
    found = verification.verify(card, file=weights, offline=offline)
    if on is not None and found.ok:
        from senbench.cli.progress_bar import Bars
        from senbench.studies import recorded_prompts, recorded_protocols
        from senbench.studies.reproduction import Options

        given = Options(data_dir, weights, split, device=device, results=None)
        if on == recorded_prompts.DATASET:
            found.items += recorded_prompts.verify(card.id, given, Bars())
        else:
            found.items += recorded_protocols.verify(card.id, on, given, Bars())
    told = json.dumps(verification.report(found), ensure_ascii=False, indent=1)
    for item in found.items:
        mark = {True: "ok", False: "WRONG", None: "-"}[item.ok]
        say(f"{mark:6}{item.name:14}{item.detail}", err=as_json)
    if as_json:
        say(told)
    if report is not None:
        try:
            Path(report).write_text(told + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--report {report}: cannot be written: {error.strerror}") from error
        say(f"report in {report}", err=True)
    if not found.ok:
        raise typer.Exit(1)
    if bless:
        path = write_card(card, found.sha256, found.fingerprint, name)
        say(f"blessed: {path.name} holds the hash and the fingerprint", err=True)


@app.command("new")
def new(
    like: Annotated[str, typer.Option(help="Model whose architecture the file has: id, alias or card file.")],
    weights: Annotated[str, typer.Option(help="The checkpoint file.")],
    out: Annotated[
        str | None, typer.Option(help="Card file to write; default: beside the checkpoint, with the suffix .toml.")
    ] = None,
    offline: options.Offline = False,
) -> None:
    """Write a card for your own checkpoint, after the card of a known model, and see that it loads."""
    from senbench.models import new_card
    from senbench.models.registry import find

    path, notes = new_card.write(find(like, offline=offline), weights, out)
    for note in notes:
        say(note, err=True)
    say(f"{path}: `senbench run --model {path} ...` uses it")


@app.command("fetch")
def fetch(
    names: Annotated[list[str], typer.Argument(metavar="ID...", help="Model ids or aliases.")],
    accept_new_weights: Annotated[
        bool, typer.Option("--accept-new-weights", help="Accept weights that changed since they were first used.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Fetch nothing; say what is missing.")] = False,
) -> None:
    """Fetch the weights of models and what they need beside them; say where they are, and their hash."""
    from senbench.errors import SenbenchError
    from senbench.io.download import megabytes
    from senbench.models.checkpoints import fetch as files
    from senbench.models.registry import find
    from senbench.runtime.access import Access

    failed = 0
    for card in {card.id: card for card in [find(name, offline=offline) for name in names]}.values():
        try:
            with interruptible("what arrived"):
                path = files.locate(card, Access(offline=offline))
                digest = files.identify(card, path, accept_new=accept_new_weights)
                revision = files.origin(card, path, digest, offline=offline)
        except SenbenchError as error:  # the others are fetched all the same
            say(f"senbench: {error}", err=True)
            failed = max(failed, error.exit_code)
            continue
        size, standing = megabytes(path.stat().st_size), files.standing(card, path, digest)
        say(f"{card.id}: {path}  {size}  sha256 {digest}  revision {revision}  {standing}")
    if failed:
        raise typer.Exit(failed)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(repr(v) if v == "" else str(v) for v in value) or "-"
    return "-" if value in (None, "", {}) else str(value)
