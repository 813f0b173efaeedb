"""`senbench doctor`: reports what may keep runs from working, and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from senbench.cli.terminal import print_json
from senbench.errors import UnavailableError
from senbench.runtime.printing import say


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON on stdout.")] = False) -> None:
    """Check versions, devices, folders, weights, cache and plug-ins; exit 3 if a problem stops runs, else 0."""
    from senbench.studies.installation import examine

    say("importing torch and the plug-ins, each in a process of its own ...", err=True)
    findings = examine()
    if as_json:
        print_json(findings, indent=2)
    else:
        for one in findings:
            say(f"{one.state:<8} {one.topic:<12} {one.found}")
            if one.remedy:
                say(f"{'':<8} {'':<12} -> {one.remedy}")
    if problems := [one.topic for one in findings if one.state == "problem"]:
        raise UnavailableError(f"problems that stop runs: {', '.join(dict.fromkeys(problems))}; see the findings")
