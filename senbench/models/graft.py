"""Adapter of GRAFT: an image tower in Hugging Face's layout, with OpenAI's text tower from a second file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from senbench.errors import ContractError
from senbench.models import architectures
from senbench.models.checkpoints import fetch, hashes, state_dict
from senbench.models.openclip import OpenClipAdapter

if TYPE_CHECKING:
    import torch

    from senbench.models.checkpoints.checkpoint import Checkpoint
    from senbench.schema.model_card import ModelCard

TOWER = "satellite_image_backbone."
NAMES = {
    r"vision_model\.embeddings\.class_embedding": "class_embedding",
    r"vision_model\.embeddings\.patch_embedding\.weight": "conv1.weight",
    r"vision_model\.embeddings\.position_embedding\.weight": "positional_embedding",
    r"vision_model\.pre_layrnorm\.": "ln_pre.",
    r"vision_model\.post_layernorm\.": "ln_post.",
    r"vision_model\.encoder\.layers\.": "transformer.resblocks.",
    r"\.self_attn\.out_proj\.": ".attn.out_proj.",
    r"\.layer_norm([12])\.": r".ln_\1.",
    r"\.mlp\.fc1\.": ".mlp.c_fc.",
    r"\.mlp\.fc2\.": ".mlp.c_proj.",
    r"visual_projection\.weight": "proj",
}
"""Pattern in a key of transformers' CLIP vision tower -> its name in open_clip's."""


class GraftAdapter(OpenClipAdapter):
    """GRAFT's satellite image tower with OpenAI's CLIP text tower, both in open_clip's architecture.

    The release contains no text tower, since it was trained against CLIP's image space. The card names the file of the
    text tower among its companions. The release's projector is for pixels, not images, and is not used.
    """

    def _state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        texts = self._companion(checkpoint, shapes=architectures.shapes(self.model))
        state = state_dict.read(checkpoint)
        self.logit_scale, self.logit_bias = _scale(self.card, state), None
        return {**image_tower(state), **{key: value for key, value in texts.items() if not key.startswith("visual.")}}

    def _text_state(self, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        return self._companion(checkpoint, part=architectures.shapes(self.model))

    def _companion(self, checkpoint: Checkpoint, **keys: dict[str, list[int]]) -> dict[str, torch.Tensor]:
        """Read the state dict of the companion, which must be a complete CLIP of the same architecture."""
        companions = fetch.companion_files(self.card)
        if len(companions) != 1:
            raise ContractError(
                f"card {self.card.id} names {len(companions)} companions, one is wanted: the file of the text tower"
            )
        ((companion, path),) = companions.items()
        bare = self.card.model_copy(update={"layout": None, "nesting": "", "prefixes": ("",), "drop": ()})
        digest = fetch.companion_hashes(self.card)[f"{companion.repo}/{companion.file}"]
        with hashes.loading(path, digest):
            return state_dict.read(replace(checkpoint, card=bare, file=path, digest=digest), **keys)


def image_tower(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename GRAFT's image tower to open_clip's keys.

    Args:
        state: The release's state dict; keys outside the tower are left out.

    Returns:
        Keys below `visual.` of open_clip's CLIP; query, key and value of each block in one matrix.
    """
    import torch

    renamed = {}
    for key, tensor in state.items():
        if not key.startswith(TOWER):
            continue
        name = key.removeprefix(TOWER)
        for pattern, theirs in NAMES.items():
            name = re.sub(pattern, theirs, name)
        if block := re.fullmatch(r"(.*)\.self_attn\.q_proj\.(weight|bias)", name):
            parts = [state[key.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            renamed[f"visual.{block[1]}.attn.in_proj_{block[2]}"] = torch.cat(parts)
        elif ".self_attn." not in name:
            renamed[f"visual.{name}"] = tensor.T.contiguous() if name == "proj" else tensor
    return renamed


def _scale(card: ModelCard, state: dict[str, torch.Tensor]) -> float:
    """Return the multiplier of the cosine, which the release stores directly and not as a logarithm, as CLIP does."""
    stored, stated = float(state["logit_scale"]), card.logit_scale
    if not isinstance(stated, float) or abs(stored - stated) > 1e-3:
        raise ContractError(f"card {card.id} states logit_scale {stated}, the file has {stored:.6g}")
    return stored
