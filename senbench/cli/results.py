"""`senbench results`: are result files what they say?"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotation)
from typing import Annotated

import typer

from senbench.errors import UsageError
from senbench.runtime.printing import say

app = typer.Typer(help="Result files: validate them, print their schema.", no_args_is_help=True)


@app.command()
def validate(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Result folders, their result.json, or factorial-*.json beside them."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="List what cannot be checked, and why; check nothing.")
    ] = False,
) -> None:
    """Check results against the schema, and derive or make again every field of them; one line per finding."""
    from senbench.audit import factorials, unknowable
    from senbench.audit.validate import validate as check

    if explain:
        for name, entries in (("result.json", unknowable.UNKNOWABLE), ("factorial-*.json", factorials.UNKNOWABLE)):
            say(f"{name}: not derived, not made again and not bound by the run id")
            for pattern, reason in entries:
                say(f"  {pattern:<42} {reason}")
        return
    if not files:
        raise UsageError("no result is named: give result folders, or --explain")
    bad = 0
    for path in files:
        findings = factorials.findings(path) if path.name.startswith("factorial-") else check(path)
        bad += bool(findings)
        for line in findings or ["ok"]:
            say(f"{path}: {' '.join(line.split())}")
    if bad:
        raise UsageError(f"{bad} of {len(files)} results cannot be accepted as they are: see the lines above")


@app.command()
def schema() -> None:
    """Print the JSON Schema of result.json, as published in docs/schema/."""
    from senbench.results.json_schema import text

    say(text(), nl=False)
