"""A zero-shot figure of the tower while it is trained, on a named dataset: to look at, never to choose by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.evaluation.grid import evaluate

if TYPE_CHECKING:
    from senbench.datasets.tiles import Tiles
    from senbench.models.adapter import Adapter


class Probe(NamedTuple):
    """What is evaluated after each epoch.

    Attributes:
        dataset: Dataset id, or opened tiles.
        prompts: Style or prompt file.
        data_dir: Folder of the dataset's data; None: below SENBENCH_HOME.
        limit: Images at most; None: all.
    """

    dataset: str | Tiles
    prompts: str = "ground"
    data_dir: str | None = None
    limit: int | None = None


def measure(adapter: Adapter, probe: Probe) -> dict[str, Any]:
    """Top-1 (or the dataset's headline) of a model as it is now.

    Args:
        adapter: The base, whose tower is being trained.
        probe: What is evaluated.

    Returns:
        Dataset, prompts, n, metric, value and its 95 % interval.
    """
    place: dict[str, Any] = {} if probe.data_dir is None else {"data_dir": probe.data_dir}
    result = evaluate(adapter, probe.dataset, probe.prompts, limit=probe.limit, **place)
    name = next(iter(result.metrics))
    figure = result.metrics[name]
    return {
        "dataset": result.dataset.id,
        "split": result.dataset.split,
        "prompts": result.prompts.id,
        "n": result.dataset.n_evaluated,
        "metric": name,
        "value": figure.value,
        "interval": list(figure.ci) if figure.ci is not None else None,
    }
