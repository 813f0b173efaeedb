"""`senbench prompts draft` and `adopt`: cues for new classes, asked of anybody and held against the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from senbench.cli.options import comma_list
from senbench.errors import UsageError
from senbench.runtime.printing import say


def draft(
    classes: Annotated[str, typer.Option(metavar="NAMES", help="Names of the classes, with commas between.")],
    style: Annotated[str, typer.Option(help="ground, aerial, or both with a comma between.")] = "ground,aerial",
    cues: Annotated[int, typer.Option(help="Cues of each class and style.")] = 10,
    out: Annotated[str | None, typer.Option(metavar="FILE", help="Where to write it; default: to stdout.")] = None,
) -> None:
    """Write the instruction that asks a language model, or a person, for the cues of new classes."""
    from senbench.prompts.drafting import request
    from senbench.results.store import write_text

    text = request(comma_list(classes, "--classes"), comma_list(style, "--style"), cues)
    if out is None:
        say(text, nl=False)
        return
    where = write_text(Path(out).expanduser(), text, "--out")
    say(f"wrote {where}: give it to a language model, and its answer to `senbench prompts adopt`", err=True)


def adopt(
    answer: Annotated[str, typer.Argument(metavar="ANSWER.json", help="What came back.")],
    out: Annotated[
        str | None, typer.Option(metavar="FILE.yaml", help="The vocabulary; default: beside the answer.")
    ] = None,
) -> None:
    """Check an answer against the rules of its request, and make a vocabulary of it, for --class-names."""
    from senbench.prompts.drafting import adopt as read
    from senbench.results.store import write_text

    given = Path(answer).expanduser()
    target = given.with_suffix(".yaml") if out is None else Path(out).expanduser()
    if target.suffix not in (".yaml", ".yml"):
        raise UsageError(f"--out {out}: a vocabulary ends in .yaml")
    found = read(answer, target.stem)
    for finding in found.findings:
        say(str(finding))
    if found.findings:
        n = len(found.findings)
        raise UsageError(f"{answer}: {n} finding{'s' * (n != 1)}, nothing was written; mend them, or ask again")
    where = write_text(target, found.text, "--out")
    say(f"wrote {where}: {found.n} cues by {found.author}", err=True)
    say(f"use: --class-names {where} --prompts {','.join(found.styles)}", err=True)
