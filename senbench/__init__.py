"""senbench: zero-shot evaluation of vision-language models on Sentinel-2 land use.

    import senbench
    result = senbench.evaluate("mini", "demo", "ground")
    result.metrics["top1"].value

Everything is imported on first use, so that `import senbench` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from senbench.evaluation.grid import evaluate
    from senbench.models.load import load as load_model
    from senbench.results.dataframe import load_results
    from senbench.schema.result import RunResult
    from senbench.schema.run_spec import RunSpec

__all__ = ["RunResult", "RunSpec", "__version__", "evaluate", "load_model", "load_results"]

_LAZY = {
    "evaluate": "senbench.evaluation.grid:evaluate",
    "load_model": "senbench.models.load:load",
    "load_results": "senbench.results.dataframe:load_results",
    "RunSpec": "senbench.schema.run_spec:RunSpec",
    "RunResult": "senbench.schema.result:RunResult",
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from senbench.runtime.environment import own_version

        return own_version()
    if name not in _LAZY:
        raise AttributeError(f"module 'senbench' has no attribute {name!r}")
    module, _, attribute = _LAZY[name].partition(":")
    return getattr(import_module(module), attribute)
