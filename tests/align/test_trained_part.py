from __future__ import annotations

import aligning
import pytest

from senbench.align import trained_part
from senbench.errors import UsageError


def test_the_last_block_is_with_the_norm_and_the_projection_after_it():
    model = aligning.toy("vit")
    chosen = trained_part.prefixes(model, ["last-block"])
    assert chosen == ("visual.transformer.resblocks.1", "visual.ln_post", "visual.proj")
    own = trained_part.names(model, chosen)
    assert own[0] == "visual.proj"
    assert {n.split(".")[1] for n in own} == {"transformer", "ln_post", "proj"}
    assert not [n for n in own if ".resblocks.0." in n]


def test_the_last_block_of_vit_b_32_has_as_many_parameters_as_in_the_paper():
    from senbench.models import architectures

    vision = {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}
    text = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
    model = architectures.empty({"embed_dim": 512, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text})
    named = dict(model.named_parameters())
    assert sum(named[n].numel() for n in trained_part.names(model, trained_part.prefixes(model, ["last-block"]))) == (
        7_087_872 + 1_536 + 393_216
    )
    assert sum(named[n].numel() for n in trained_part.names(model, ["visual."])) == 87_849_216


def test_visual_is_the_whole_tower_and_no_text():
    model = aligning.toy("rn")
    own = trained_part.names(model, trained_part.prefixes(model, ["visual"]))
    assert own == [name for name, _ in model.named_parameters() if name.startswith("visual.")]


@pytest.mark.parametrize(
    ("prefix", "name", "covered"),
    [
        ("visual.layer1", "visual.layer1.0.conv1.weight", True),
        ("visual.layer1", "visual.layer10.0.conv1.weight", False),
        ("visual.proj", "visual.proj", True),
        ("visual.", "visual.proj", True),
        ("visual.", "visual_proj", False),
    ],
)
def test_a_prefix_ends_with_a_part_of_the_name(prefix, name, covered):
    assert trained_part.covers(prefix, name) is covered


@pytest.mark.parametrize(
    ("kind", "train", "said"),
    [
        ("rn", "last-block", "ResNet"),
        ("vit", "transformer.resblocks.0", "only the tile tower"),
        ("vit", "visual.layer4", "no parameter"),
    ],
)
def test_what_cannot_be_trained_is_refused(kind, train, said):
    with pytest.raises(UsageError, match=said):
        trained_part.prefixes(aligning.toy(kind), [train])
