"""oneDNN's products on a CPU, for towers whose layers were built with torch's.

`F.linear` in float32 is multiplied by MKL, whose AVX-512 kernels are for Intel alone; oneDNN takes them on any
processor that has them, and multiplies faster still by weights that lie as it wants them, instead of laying them out in
every call. Activations and residuals of plain CLIP are computed as products leave the registers. The operators are
those that `torch.compile` emits on a CPU; of public functions a 1 x 1 convolution keeps 0.92 of their rate with several
threads, and nothing of it with one.

A layer is changed at its first use, so that a layer whose weight its module uses in another way stays as it is, and the
weights of one layer at most are held twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from senbench.models.clip import vit

OPERATORS = ("_reorder_linear_weight", "_linear_pointwise")
ROWS = 1024
"""Rows for which weights are laid out, whatever the first batch: a layout decides the last bits."""
PATCH = 8
"""Side of the smallest window that is taken for a patch; smaller ones are of convolutional networks."""
QUICK = 1.702
"""QuickGELU is swish(1.702 x) / 1.702, and swish is what oneDNN fuses: weights before and after it are scaled."""


def available() -> bool:
    """Whether this torch has the operators."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)


def use(model: nn.Module) -> None:
    """Change the layers of a model that has its weights; only to be used without gradients from then on.

    Args:
        model: Of any library; linear layers, self-attention, blocks of `clip.vit` and convolutions that take an image
            apart into patches are changed.
    """
    for module in model.modules():
        if type(module) is vit.Block and type(module.mlp.gelu) in FUSED:
            module.__class__ = FusedBlock
        elif type(module) is nn.MultiheadAttention:
            module.__class__ = Attention
        elif type(module) is nn.Linear:
            module.__class__ = Linear
        elif type(module) is nn.Conv2d and _of_patches(module):
            module.__class__ = PatchProduct


def laid_out(weight: torch.Tensor) -> torch.Tensor:
    """A weight (N, K) as oneDNN wants it."""
    made: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), ROWS)
    return made


def product(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, fused: str = "none") -> torch.Tensor:
    """Rows times weights, plus bias, activated.

    Args:
        x: (..., K).
        weight: (N, K), from `laid_out`.
        bias: (N,), or None.
        fused: `none`, `swish`, or `gelu`, the exact one.

    Returns:
        (..., N).
    """
    algorithm = "none" if fused == "gelu" else ""
    made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, fused, [], algorithm)
    return made


def product_added(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, rest: torch.Tensor) -> torch.Tensor:
    """As `product`, not activated; `rest`, (..., N), is added."""
    made: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, rest, weight, bias, "add")
    return made


class Linear(nn.Linear):
    """`nn.Linear` by oneDNN."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., K) -> (..., N)."""
        return product(x, _weight(self), self.bias)


class PatchProduct(nn.Conv2d):
    """A convolution whose windows lie side by side, as one product of patches; of its weight a matrix is left."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, N, H / p, W / p), channels last in memory; what is left of an edge is cut off."""
        (n, channels, *sides), (high, wide) = pixels.shape, self.kernel_size
        rows, columns = sides[0] // high, sides[1] // wide
        whole = pixels[:, :, : rows * high, : columns * wide]
        patches = (
            whole.reshape(n, channels, rows, high, columns, wide).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        )
        made = product(patches, _weight(self), self.bias)
        return made.view(n, rows, columns, -1).permute(0, 3, 1, 2)


class Attention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` of tokens to themselves by oneDNN and fused attention; any other as it was."""

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *more: Any, **how: Any) -> Any:
        """As `nn.MultiheadAttention`: tokens (B, L, W) -> (B, L, W), and no weights."""
        mask = how.get("attn_mask")
        alone = query is key is value and self.batch_first and query.ndim == 3 and self.in_proj_weight is not None
        usual = not more and how.keys() <= {"need_weights", "attn_mask"} and how.get("need_weights") is False
        plain = mask is None or (mask.ndim == 2 and mask.is_floating_point())
        if not (alone and usual and plain and self.bias_k is None and not self.add_zero_attn):
            return super().forward(query, key, value, *more, **how)
        return product(self.attended(query, mask), _weight(self.out_proj), self.out_proj.bias), None

    def attended(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """What the heads find, before the last product: tokens (B, L, W) -> (B, L, W)."""
        n, length, width = x.shape
        packed = product(x, _weight(self, "in_proj_weight"), self.in_proj_bias)
        query, key, value = packed.view(n, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return found.transpose(1, 2).reshape(n, length, width)


class FusedBlock(vit.Block):
    """A block of plain CLIP whose activation and residuals are computed by the products before them."""

    def forward(self, x: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Tokens (B, L, W) -> (B, L, W); the mask (L, L) is added to the scores of attention."""
        attention: Any = self.attn
        first, activation, last = (getattr(self.mlp, name) for name in ("c_fc", "gelu", "c_proj"))
        fused, scale = FUSED[type(activation)]
        found = attention.attended(self.ln_1(x), attn_mask)
        x = product_added(found, _weight(attention.out_proj), attention.out_proj.bias, x)
        if scale != 1 and x.dtype != torch.float32:  # a scaled weight of bfloat16 would be rounded once more
            inside = product(self.ln_2(x), _weight(first), first.bias)
            inside.mul_((scale * inside).sigmoid_())  # as QuickGELU does it, in less memory
            return product_added(inside, _weight(last), last.bias, x)
        if scale != 1 and not first.weight.is_mkldnn:
            first.bias = nn.Parameter(scale * first.bias, requires_grad=False)
        inside = product(self.ln_2(x), _weight(first, scale=scale), first.bias, fused)
        return product_added(inside, _weight(last, scale=1 / scale), last.bias, x)


FUSED: dict[type[nn.Module], tuple[str, float]] = {vit.QuickGELU: ("swish", QUICK), nn.GELU: ("gelu", 1.0)}
"""Activation -> the operator's name of it, and what its argument is scaled by."""


def _of_patches(layer: nn.Conv2d) -> bool:
    """Whether every pixel is in one window, and all channels of an image are multiplied."""
    alone = layer.stride == layer.kernel_size and min(layer.kernel_size) >= PATCH
    return alone and layer.groups == 1 and set(layer.dilation) == {1} and layer.padding in ((0, 0), "valid")


def _weight(module: nn.Module, name: str = "weight", scale: float = 1.0) -> torch.Tensor:
    """A weight of a module, scaled and laid out from its first use on."""
    weight: torch.Tensor = getattr(module, name)
    if not weight.is_mkldnn:
        weight = laid_out(weight.flatten(1) if scale == 1 else scale * weight)
        setattr(module, name, nn.Parameter(weight, requires_grad=False))
    return weight
