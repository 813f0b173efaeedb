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
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Result folders, or their result.json.")],
) -> None:
    """Check results against the schema, and make every figure again from their predictions; one line per finding."""
    from senbench.audit.validate import validate as check

    bad = 0
    for path in files:
        findings = check(path)
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
