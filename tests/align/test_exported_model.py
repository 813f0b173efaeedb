from __future__ import annotations

import warnings
from dataclasses import replace

import aligning
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import senbench
from senbench.align import exported_model
from senbench.align.train import train
from senbench.errors import UsageError
from senbench.models import load, verify
from senbench.models.registry import find

TILES = np.random.default_rng(3).integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    """A run from a narrow ViT in OpenAI's layout, last block trained, and its export."""
    folder = tmp_path_factory.mktemp("vit")
    base = str(aligning.vit_card(folder))
    done = train(aligning.pairs(24, dim=64), base, folder / "run", **aligning.settings(epochs=1, head=True))
    made = exported_model.export(folder / "run", folder / "mine.safetensors", base)
    return folder, base, done, made


def test_its_rows_are_those_of_the_tower_in_memory(vit):
    _, _, done, made = vit
    again = load.load(str(made.card), device="cpu", kernels="torch")
    assert np.abs(again.encode_images(TILES) - done.adapter.encode_images(TILES)).max() <= 1e-6
    texts = ["a forest", "rows of wheat"]
    assert np.abs(again.encode_texts(texts) - done.adapter.encode_texts(texts)).max() <= 1e-6


def test_it_is_in_openais_layout_and_their_own_class_gives_its_rows(vit):
    """Strict, in the class of OpenAI's package and of open_clip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from clip.model import CLIP
    import checkpoints
    import narrow
    import open_clip

    _, _, done, made = vit
    state = load_file(made.weights)
    theirs = CLIP(*checkpoints.ARCHITECTURES["narrow-vit"])
    assert theirs.state_dict().keys() == state.keys()
    theirs.load_state_dict(state, strict=True)
    config = {"embed_dim": 64, "quick_gelu": True, "vision_cfg": narrow.VISION["narrow-vit"], "text_cfg": narrow.TEXT}
    another = open_clip.CLIP(**config)
    another.load_state_dict(state, strict=True)
    how = done.preprocess
    pixels = torch.from_numpy(TILES).permute(0, 3, 1, 2).float() / 255  # already of the input's size
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (how.mean, how.std))
    mine = load.load(str(made.card), device="cpu", kernels="torch").encode_images(TILES)
    for model in (theirs.eval(), another.eval()):
        with torch.inference_mode():
            rows = torch.nn.functional.normalize(model.encode_image((pixels - mean) / std), dim=1).numpy()
        assert np.abs(rows - mine).max() <= 1e-5


def test_it_is_strict_under_the_cards_of_senclip(monkeypatch, tmp_path):
    """Keys of the release, both architectures, narrow: 302 and 489 keys, as their manifests list them."""
    import narrow

    from senbench.models.checkpoints.state_dict import manifest

    assert len(manifest("openai-vit-b-32")["keys"]) == 302
    assert len(manifest("openai-rn50")["keys"]) == 489
    names = ("clip-vit-b-32", "senclip-vit-b-32-avgpool", "clip-rn50", "senclip-rn50-avgpool")
    narrow.release(monkeypatch, names)
    for base, under in zip(names[::2], names[1::2], strict=True):
        data = aligning.pairs(16, side=32, dim=128)
        changes = aligning.settings(epochs=1, hold_out="none", crop=32)
        done = train(data, base, tmp_path / base, "senclip-paper", **changes)
        made = exported_model.export(tmp_path / base, tmp_path / f"{base}-mine.safetensors", base)
        theirs = load.load(under, file=str(made.weights), device="cpu", kernels="torch")
        mine = load.load(str(made.card), device="cpu", kernels="torch")
        rows = [model.encode_images(TILES[:2]) for model in (theirs, mine, done.adapter)]
        assert np.abs(rows[0] - rows[1]).max() <= 1e-6
        assert np.abs(rows[1] - rows[2]).max() <= 1e-6
        found = verify.verify(find(str(made.card)))
        wrong = [item.name for item in found.items if item.ok is False]
        assert wrong == ["parameters"]  # the card counts those of the release, which these towers are narrower than
        (lineage,) = [item for item in found.items if item.name == "lineage"]
        assert lineage.ok is True
        assert f"bit-identical to {base}'s" in lineage.detail


def test_its_card_says_what_is_trained_and_where_it_comes_from(vit):
    _, base, done, made = vit
    card = find(str(made.card))
    state = load_file(made.weights)
    assert "transformer.*" in card.frozen
    assert "visual.proj" not in card.frozen
    assert card.derived_from == base
    assert card.trained_on == ("19 tiles with ground-level photos (arrays)", "nothing")
    assert card.contamination == {
        "eurosat": "same geography and sensor",
        "bigearthnet": "same geography and sensor",
    }
    assert card.preprocess == done.preprocess
    assert card.weights.sha256
    assert done.state_sha256[:12] in card.note
    assert "not the weights of SenCLIP's authors" in card.note
    assert "SenCLIP" not in card.title + card.id + card.family
    assert made.trained + made.frozen == len(state)


def test_what_lies_outside_the_trained_part_is_proved_to_be_the_base(vit):
    folder, _, _, made = vit
    (lineage,) = [item for item in verify.verify(find(str(made.card))).items if item.name == "lineage"]
    assert lineage.ok is True
    assert f"{made.frozen} frozen tensors are bit-identical" in lineage.detail
    state = load_file(made.weights)
    state["visual.transformer.resblocks.0.ln_1.bias"][0] += 1e-6
    from safetensors.torch import save_file

    from senbench.models.checkpoints import fetch

    save_file(state, folder / "other.safetensors")
    text = made.card.read_text().replace("mine.safetensors", "other.safetensors")
    (folder / "other.toml").write_text(
        text.replace(fetch.sha256(made.weights), fetch.sha256(folder / "other.safetensors"))
    )
    (lineage,) = [item for item in verify.verify(find(str(folder / "other.toml"))).items if item.name == "lineage"]
    assert lineage.ok is False


def test_a_run_evaluates_it(vit):
    *_, made = vit
    result = senbench.evaluate(str(made.card), "demo", "ground", limit=20, device="cpu", cache=False)
    assert result.dataset.n_evaluated == 20


def test_a_resnet_with_statistics_of_batches_exports_these(tmp_path):
    changes = aligning.settings(epochs=1, augmentation="flips")
    done = train(aligning.pairs(24), "mini", tmp_path / "run", "senclip-release", **changes)
    made = exported_model.export(tmp_path / "run", tmp_path / "rn.safetensors", "mini")
    again = load.load(str(made.card), device="cpu", kernels="torch")
    assert np.abs(again.encode_images(TILES) - done.adapter.encode_images(TILES)).max() <= 1e-6
    assert find(str(made.card)).derived_from == "mini"


def test_a_dataset_with_positions_is_held_against_the_places_of_the_pairs(tmp_path):
    from types import SimpleNamespace

    from senbench.align import near_datasets

    data = aligning.pairs(24)
    train(data, "mini", tmp_path / "run", **aligning.settings(epochs=1))
    blocks = near_datasets.utm_blocks(data.latitude[:1], data.longitude[:1])
    tiles = SimpleNamespace(clusters=lambda: blocks, tile_ids=["a"], info=SimpleNamespace(id="eurosat"))
    made = exported_model.export(tmp_path / "run", tmp_path / "x.safetensors", "mini", against=[tiles])
    assert "of 24 training points 1 lie in or beside a 5 km block of a tile of eurosat" in find(str(made.card)).note


def test_drawn_pairs_stay_synthetic_and_others_do_not(tmp_path):
    drawn = replace(aligning.pairs(24), facts={"synthetic": True})
    for name, data in (("drawn", drawn), ("others", aligning.pairs(24))):
        train(data, "mini", tmp_path / name, **aligning.settings(epochs=1))
        exported_model.export(tmp_path / name, tmp_path / f"{name}.safetensors", "mini")
    assert find(str(tmp_path / "drawn.toml")).synthetic
    assert not find(str(tmp_path / "others.toml")).synthetic


def test_what_cannot_be_exported_is_told(vit, tmp_path):
    folder, base, *_ = vit
    for out, run, start, said in (
        (folder / "mine.safetensors", folder / "run", base, "there already"),
        (tmp_path / "x.pt", folder / "run", base, "is a .safetensors"),
        (tmp_path / "x.safetensors", tmp_path, base, r"align.json cannot be read"),
        (tmp_path / "x.safetensors", folder / "run", "mini", "was trained from weights"),
    ):
        with pytest.raises(UsageError, match=said):
            exported_model.export(run, out, start)
    assert list(tmp_path.iterdir()) == []
