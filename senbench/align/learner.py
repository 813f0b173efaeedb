"""One step of an alignment: gradients of a batch, summed in a fixed order; the optimiser; the queue."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.functional import normalize

from senbench.align import image_tower, queue, trained_part
from senbench.align.augmentation import draw
from senbench.align.loss import contrastive
from senbench.align.pooling import POOLINGS
from senbench.align.projection_head import ProjectionHead
from senbench.align.recipe import DROPOUT, HIGHEST_LOG_SCALE, TEMPERATURE
from senbench.runtime.distributed import ALONE, Team

if TYPE_CHECKING:
    from collections.abc import Mapping

    from senbench.align.recipe import AlignmentRecipe
    from senbench.models.clip.vit import CLIP

START, KEPT = 1, 2
"""What a random stream is for: the first values of pooling and queue; what the head drops."""


class StepReport(NamedTuple):
    """What a step tells."""

    loss: float
    scale: float
    gradient_norm: float


class Learner:
    """The trained part of a model with all that a step changes.

    Everything is a function of the model, the recipe and the batches, whatever the number of processes: a batch is
    always cut into the same parts, whose gradients are added in their order.

    Attributes:
        model: Plain CLIP; parameters outside the trained part want no gradient.
        recipe: The settings.
        prefixes: What is trained of the tower.
        pool: From photos to targets.
        head: Projection head, or None.
        log_scale: Logarithm of the scale, ().
        parameters: What the optimiser changes, by name.
        queue: Negatives, (K, D).
        pointer: Where the next target goes.
        done: Steps that were made.
    """

    def __init__(self, model: CLIP, recipe: AlignmentRecipe, dim: int) -> None:
        """Make the parts of the first step.

        Args:
            model: Plain CLIP with its weights, on its device; its type is that of all that is computed.
            recipe: The settings.
            dim: Dimension of the embeddings.

        Raises:
            UsageError: What is to be trained is no part of the tower.
        """
        self.model, self.recipe, self.done, self.pointer = model, recipe, 0, 0
        self.prefixes = trained_part.prefixes(model, recipe.train)
        model.eval().requires_grad_(requires_grad=False)
        named = dict(model.named_parameters())
        trained = {name: named[name] for name in trained_part.names(model, self.prefixes)}
        for parameter in trained.values():
            parameter.requires_grad_()
        like = next(iter(trained.values()))
        self._place: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(draw([recipe.seed, START]))
            self.pool = POOLINGS[recipe.pool](dim).to(**self._place)
            self.head = ProjectionHead(dim).to(**self._place) if recipe.head else None
        self.log_scale = torch.nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE), **self._place))
        self.parameters = trained
        for part, module in (("pool", self.pool), ("head", self.head)):
            if module is not None:
                self.parameters |= {f"{part}.{name}": value for name, value in module.named_parameters()}
        if recipe.learned_temperature:
            self.parameters["log_scale"] = self.log_scale
        generator = torch.Generator().manual_seed(draw([recipe.seed, START, 1]))
        self.queue = queue.random(recipe.queue, dim, generator).to(**self._place)
        self.optimiser = torch.optim.AdamW(self._groups(), lr=recipe.learning_rate)
        if recipe.batch_statistics:
            for name, module in model.named_modules():
                if isinstance(module, torch.nn.BatchNorm2d) and any(
                    trained_part.covers(p, name) for p in self.prefixes
                ):
                    module.train()

    def _groups(self) -> list[dict[str, Any]]:
        """Parameters by whether they decay: all, or those of two dimensions and more."""
        wide = [p for p in self.parameters.values() if self.recipe.decay_all or p.ndim >= 2]
        narrow = [p for p in self.parameters.values() if not (self.recipe.decay_all or p.ndim >= 2)]
        groups = ((wide, self.recipe.weight_decay), (narrow, 0.0))
        return [{"params": params, "weight_decay": decay} for params, decay in groups if params]

    @property
    def statistics(self) -> dict[str, torch.Tensor]:
        """Running statistics that training changes, by name: none, unless batch norms use their batch's."""
        found: dict[str, torch.Tensor] = {}
        for name, module in self.model.named_modules():
            if isinstance(module, torch.nn.BatchNorm2d) and module.training:
                found |= {f"{name}.{buffer}": value for buffer, value in module.named_buffers()}
        return found

    def targets(self, photos: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Unit rows (B, D) of photos (B, K, D), which are there where `there`, bool (B, K)."""
        return normalize(self.pool(photos.to(**self._place), there.to(self._place["device"])), dim=1)

    def fill_queue(self, keys: torch.Tensor) -> None:
        """Start the queue with targets of training tiles, (K, D) unit rows."""
        self.queue = keys.detach().clone()

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """The tower's features (B, D), in the type of the parameters."""
        pixels = pixels.to(**self._place)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.recipe.dtype == "bf16"):
            found = image_tower.features(self.model.visual, pixels)
        return found.to(self._place["dtype"])

    def step(
        self, pixels: torch.Tensor, photos: torch.Tensor, there: torch.Tensor, *, epoch: int, team: Team = ALONE
    ) -> StepReport:
        """Make one step.

        Args:
            pixels: float32 (B, 3, R, R); each of several processes gives the whole batch.
            photos: (B, K, D).
            there: bool (B, K).
            epoch: From 0, for the learning rate.
            team: The processes that share the batch.
        """
        with torch.no_grad():
            self.log_scale.clamp_(0, HIGHEST_LOG_SCALE)
        total, keys = self.gradients(pixels, photos, there, team)
        loss, rest = total[-1], total[:-1]
        for parameter, gradient in zip(self.parameters.values(), self._apart(rest), strict=True):
            parameter.grad = gradient
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(epoch)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.recipe.negatives != "batch":
            self.queue, self.pointer = queue.enqueued(self.queue, self.pointer, keys)
        self.done += 1
        return StepReport(float(loss), math.exp(float(self.log_scale.detach())), float(rest.norm()))

    def learning_rate(self, epoch: int) -> float:
        """Rate of an epoch, counted from 0."""
        recipe = self.recipe
        return float(recipe.learning_rate * recipe.decay_factor ** (epoch // recipe.decay_every))

    def gradients(
        self, pixels: torch.Tensor, photos: torch.Tensor, there: torch.Tensor, team: Team = ALONE
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Gradients of the mean loss of a batch.

        Args:
            pixels: As for `step`.
            photos: As for `step`.
            there: As for `step`.
            team: As for `step`.

        Returns:
            Gradients of all parameters one after the other, and the loss at the end, (n + 1,); and the batch's targets,
            unit rows (B, D), without gradient.
        """
        parts, size = self.recipe.micro_batches, len(pixels) // self.recipe.micro_batches
        with torch.no_grad():
            keys = self.targets(photos, there)
        kept = self._kept(len(pixels))
        own = [k for k in range(parts) if k % team.size == team.rank]
        made = {}
        for k in own:
            rows = torch.arange(k * size, (k + 1) * size)
            made[k] = self._part(pixels[rows], photos[rows], there[rows], rows, (keys, kept, len(pixels)))
        total: torch.Tensor | None = None
        for k in range(parts):
            part = team.tensor_from(k % team.size, made.get(k), like=self._flat_like())
            total = part if total is None else total.add_(part)
            made.pop(k, None)
        assert total is not None
        return total, keys

    def _flat_like(self) -> torch.Tensor:
        """An empty tensor of the size of `_part`'s, for what another process sends."""
        return torch.empty(sum(p.numel() for p in self.parameters.values()) + 1, **self._place)

    def _part(
        self,
        pixels: torch.Tensor,
        photos: torch.Tensor,
        there: torch.Tensor,
        rows: torch.Tensor,
        whole: tuple[torch.Tensor, torch.Tensor | None, int],
    ) -> torch.Tensor:
        """Gradients and loss of some rows of a batch, as their share of the whole batch's."""
        keys, kept, n = whole
        features = self.features(pixels)
        if self.head is not None:
            features = self.head(features, None if kept is None else kept[rows])
        targets = self.targets(photos, there)
        negatives, own = self.queue, None
        if self.recipe.negatives != "queue":
            own = rows.to(keys.device)
            negatives = keys if self.recipe.negatives == "batch" else torch.cat([keys, self.queue])
        losses = contrastive(normalize(features, dim=1), targets, negatives, self.log_scale.exp(), own)
        loss = losses.sum() / n
        found = torch.autograd.grad(loss, list(self.parameters.values()))
        return torch.cat([*(gradient.reshape(-1) for gradient in found), loss.detach().reshape(1)])

    def _kept(self, n: int) -> torch.Tensor | None:
        """What the head keeps in this step, drawn on the CPU for the whole batch, whatever the device."""
        if self.head is None:
            return None
        generator = torch.Generator().manual_seed(draw([self.recipe.seed, KEPT, self.done]))
        kept = torch.rand(n, self.queue.shape[1], generator=generator) >= DROPOUT
        return kept.to(self._place["device"])

    def _apart(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """Gradients of each parameter, from all of them one after the other."""
        sizes = [p.numel() for p in self.parameters.values()]
        pieces = torch.split(flat, sizes)
        return [piece.view_as(p) for piece, p in zip(pieces, self.parameters.values(), strict=True)]

    def state(self) -> dict[str, torch.Tensor]:
        """All that steps change, by name, on the CPU: parameters, statistics, queue and the optimiser's moments."""
        held: dict[str, torch.Tensor] = {f"parameter/{name}": p.detach() for name, p in self.parameters.items()}
        held |= {f"statistic/{name}": value for name, value in self.statistics.items()}
        held["queue"] = self.queue
        for name, parameter in self.parameters.items():
            for moment, value in self.optimiser.state.get(parameter, {}).items():
                held[f"optimiser/{moment}/{name}"] = value
        counts = torch.tensor([self.done, self.pointer])
        return {name: value.detach().cpu().contiguous() for name, value in held.items()} | {"counts": counts}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from a state that `state` gave, of the same model and recipe."""
        self.done, self.pointer = (int(value) for value in state["counts"])
        self.queue = state["queue"].to(**self._place)
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(state[f"parameter/{name}"])
            for name, value in self.statistics.items():
                value.copy_(state[f"statistic/{name}"])
        for name, parameter in self.parameters.items():
            moments = {key: state.get(f"optimiser/{key}/{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
            self.optimiser.state[parameter] = {
                # the count of steps stays on the CPU, as AdamW keeps it
                key: value.clone() if key == "step" else value.to(parameter.device)
                for key, value in moments.items()
                if value is not None
            }
