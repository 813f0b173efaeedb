"""The model of a result as it was run, to be loaded again: card, weights by their hash, preprocessing, precision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from senbench.errors import SenbenchError, UnavailableError, UsageError
from senbench.models import kernels
from senbench.models.checkpoints import fetch, hashes
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.lazy_model import LazyModel
from senbench.runtime.access import Access
from senbench.runtime.paths import home
from senbench.schema.model_card import ModelCard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from senbench.schema.model_card import Preprocess
    from senbench.schema.result import RunResult
    from senbench.schema.terms import Dtype, Kernels, PixelPath


@dataclass(frozen=True)
class ModelOfRun:
    """A model under the settings of a run.

    Attributes:
        card: The contract.
        digest: sha256 of its weights.
        preprocess: Preprocessing in force; its resolution is the card's wherever it is used.
        exact: Whether tiles are resized by PIL on the host.
        dtype: Precision of the encoders.
        kernels: Kernels that multiply on a CPU; those of earlier versions are torch's.
    """

    card: ModelCard
    digest: str
    preprocess: Preprocess
    exact: bool
    dtype: Dtype
    kernels: Kernels

    @classmethod
    def of(cls, result: RunResult) -> ModelOfRun:
        """The model of a result.

        Raises:
            UnavailableError: Outputs recorded elsewhere, or a model that was an object of the user's: there is no file
                to load.
        """
        model, digest, how = result.model, result.model.weights_sha256, result.resolved
        if result.recorded is not None:
            raise UnavailableError(
                f"{result.run_id}: its {result.recorded.given} were recorded elsewhere: no model to run again"
            )
        try:
            card = ModelCard.model_validate(
                {k: v for k, v in model.model_dump().items() if k in ModelCard.model_fields}
            )
        except ValidationError as error:
            raise UnavailableError(
                f"{result.run_id}: model {model.id} was an object passed from Python, not a checkpoint under a card"
            ) from error
        if digest is None or how.preprocess is None:
            raise UnavailableError(
                f"{result.run_id}: the hash of the weights was not recorded (an adapter from Python)"
            )
        return cls(
            card=card,
            digest=digest,
            preprocess=how.preprocess,
            exact=how.path == "exact",
            dtype=result.spec.dtype,
            kernels="onednn" if result.environment.kernels == "onednn" else "torch",
        )

    def load(
        self, weights: Sequence[str], device: str, say: Callable[[str], None], *, offline: bool = True
    ) -> LazyModel:
        """The model, its file found by its hash.

        Args:
            weights: Checkpoint files to look at before the released places.
            device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
            say: Told when the model is loaded.
            offline: Fetch nothing.

        Raises:
            UsageError: The preprocessing does not fit the card.
            UnavailableError: No file of this hash is here.
        """
        card = self.card
        if len(self.preprocess.mean) != len(card.bands):
            raise UsageError(
                f"mean/std of {len(self.preprocess.mean)} bands do not fit {card.id}, which takes {len(card.bands)}"
            )
        shape = self.preprocess.model_copy(update={"resolution": card.preprocess.resolution})
        path: PixelPath = "exact" if self.exact else "device"
        file = self._file(weights, offline=offline)
        checkpoint = Checkpoint(card, file, self.digest, device, self.dtype, shape, path, self.kernels)
        if kernels.unfit(checkpoint):
            checkpoint = replace(checkpoint, kernels="torch")
        return LazyModel(checkpoint, home() / "cache", say)

    def _file(self, weights: Sequence[str], *, offline: bool) -> Path:
        """The checkpoint of this hash, wherever it is."""
        card, digest = self.card, self.digest
        places = [Path(name).expanduser() for name in weights if Path(name).expanduser().is_file()]
        for place in places:
            if hashes.compare(place)[1].sha256 == digest:
                return place
        try:
            released = fetch.locate(card, Access(offline=offline))
        except SenbenchError as error:
            if not places:
                raise UnavailableError(f"weights of {card.id}, sha256 {digest[:12]}: {error}") from error
        else:
            if hashes.compare(released)[1].sha256 == digest:
                return released
            places.append(released)
        raise UnavailableError(
            f"weights of {card.id} with sha256 {digest[:12]}: {places[-1].name} is another file; give it with --weights"
        )
