"""Other tools get the models of their own libraries, with the same weights."""

from __future__ import annotations

from types import SimpleNamespace

import open_clip
import torch

from senbench.models import architectures, onednn
from senbench.models.clip import vit
from senbench.studies import peers

CONFIG = {
    "embed_dim": 48,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 128, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 1000, "width": 96, "heads": 4, "layers": 2},
}


def test_open_clips_own_model_with_the_same_weights(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    own = architectures.empty(CONFIG)
    state = {key: 0.1 * torch.randn(value.shape, generator=generator) for key, value in own.state_dict().items()}
    architectures.fill(own, state)
    monkeypatch.setattr(architectures, "config", lambda card: CONFIG)
    plain = SimpleNamespace(model=own, card=None, device=torch.device("cpu"))
    theirs = peers.open_clips(plain)
    assert type(theirs) is open_clip.CLIP and isinstance(own, vit.CLIP)
    assert not any(isinstance(module, onednn.Linear | onednn.FusedBlock) for module in theirs.modules())
    pixels = torch.randn(3, 3, 64, 64, generator=generator)
    with torch.inference_mode():
        assert torch.equal(theirs.encode_image(pixels), own.encode_image(pixels))
        tokens = torch.randint(1, 999, (2, 77), generator=generator)
        assert torch.isfinite(theirs.encode_text(tokens)).all()


def test_what_open_clip_built_is_its_own_already():
    built = torch.nn.Linear(2, 2)
    assert peers.open_clips(SimpleNamespace(model=built)) is built
