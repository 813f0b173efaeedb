"""A result as a notebook shows it: one line, and a small table.

The functions take a `senbench.schema.result.RunResult`, whose module imports this one.
"""

from __future__ import annotations

from html import escape
from typing import Any


def line(result: Any) -> str:
    """What was run, and its headline with the interval."""
    figure = f"{result.headline} {_shown(result.headline, result.metrics[result.headline])}, {_tiles(result)} tiles"
    data = result.dataset
    return f"RunResult({result.model.id}, {result.prompts.id}, {data.id} {data.split}: {figure})"


def table(result: Any) -> str:
    """What was run, every figure with its interval, and what qualifies them; HTML, every text escaped."""
    rows = [("model", result.model.title), ("prompts", result.prompts.id), ("dataset", result.dataset.title)]
    rows += [("split", result.dataset.split), ("tiles", _tiles(result)), ("run", result.run_id)]
    rows += [(name, _shown(name, metric)) for name, metric in result.metrics.items()]
    rows += [("note", warning) for warning in result.warnings]
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{cells}</table>"


def _tiles(result: Any) -> str:
    data = result.dataset
    return f"{data.n_evaluated:,}" + ("" if result.complete else f" of {data.n_expected:,}, incomplete")


def _shown(name: str, metric: Any) -> str:
    """A figure with its interval: in percent, NLL in nats."""
    if metric.value is None:
        return "-"
    factor, unit, digits = (1, "", 3) if name == "nll" else (100, " %", 1)
    low_high = "" if metric.ci is None else " [" + ", ".join(f"{factor * end:.{digits}f}" for end in metric.ci) + "]"
    return f"{factor * metric.value:.{digits}f}{unit}{low_high}"
