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

    from senbench.models.load import load as load_model
    from senbench.record import RunResult
    from senbench.results.frame import load_results
    from senbench.run import evaluate
    from senbench.spec import RunSpec

__all__ = ["RunResult", "RunSpec", "__version__", "evaluate", "load_model", "load_results"]

_LAZY = {
    "evaluate": "senbench.run:evaluate",
    "load_model": "senbench.models.load:load",
    "load_results": "senbench.results.frame:load_results",
    "RunSpec": "senbench.spec:RunSpec",
    "RunResult": "senbench.record:RunResult",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("senbench")
        except PackageNotFoundError:  # a source tree that was never installed
            return "0+unknown"
    if name not in _LAZY:
        raise AttributeError(f"module 'senbench' has no attribute {name!r}")
    module, _, attribute = _LAZY[name].partition(":")
    return getattr(import_module(module), attribute)
