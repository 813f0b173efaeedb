"""Git-RSCLIP and StreetCLIP against transformers' own model and processor, and the ways to load them almost right."""

from __future__ import annotations

import json
import socket
from typing import Any

import hf_release
import numpy as np
import pytest
import torch
from hf_release import OPENAI, RELEASED, TEXTS, Release
from PIL import Image

from senbench.errors import ContractError, UnavailableError
from senbench.models import contract, registry, transformers_clip
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.load import load, texts_from_file

ON_CPU = {"digest": "0" * 64, "device": "cpu"}
SIGLIP, CLIP = "git-rsclip-base", "streetclip"


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    root = tmp_path_factory.mktemp("tokenizers")
    for name in (SIGLIP, CLIP):
        (root / name).mkdir()
    return {SIGLIP: hf_release.siglip_tokenizer(root / SIGLIP), CLIP: hf_release.clip_tokenizer(root / CLIP, 700)}


@pytest.fixture
def release(request, tokenizers, tmp_path, monkeypatch) -> Release:
    """Parametrised by model id; the file is the released container, precision and extra buffers included."""
    name = getattr(request, "param", SIGLIP)
    card = registry.find(name)
    folder = tokenizers[CLIP if name == CLIP else SIGLIP]
    from transformers import CLIPTokenizer, SiglipTokenizer

    kind = CLIPTokenizer if name == CLIP else SiglipTokenizer
    configuration = hf_release.config(card, len(kind.from_pretrained(folder)))
    state = hf_release.state_dict(configuration)
    file = tmp_path / card.weights.file
    if file.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({key: value.half() for key, value in state.items()}, file)
    else:
        old = {f"{t}_model.embeddings.position_ids": torch.arange(n)[None] for t, n in (("text", 77), ("vision", 17))}
        torch.save({**state, **old}, file)
    hf_release.install(card, folder)
    small = hf_release.shrunk(card, configuration, tmp_path, monkeypatch)
    return Release(small, file, state, configuration, folder)


every = pytest.mark.parametrize("release", list(RELEASED), indirect=True)
both = pytest.mark.parametrize("release", [SIGLIP, CLIP], indirect=True)
street = pytest.mark.parametrize("release", [CLIP], indirect=True)


def tiles(n: int = 5, height: int = 64, width: int = 64) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, height // 8, width // 8, 3), dtype=np.uint8)
    return list(coarse.repeat(8, axis=1).repeat(8, axis=2))


def unit(rows: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(rows.float(), dim=-1).numpy()


def adapt(release: Release, **change: Any) -> transformers_clip.TransformersAdapter:
    card = release.card.model_copy(update=change)
    # what the files are is not tested here: a changed companion is accepted
    return load(card, file=str(release.file), device="cpu", offline=True, accept_new_weights=True)


@every
def test_images_texts_and_logits_equal_transformers(release):
    adapter = adapt(release)
    images = tiles()
    siglip = release.configuration["model_type"] == "siglip"
    inputs = release.processor()(
        text=TEXTS,
        images=[Image.fromarray(image) for image in images],
        padding="max_length" if siglip else True,
        truncation=True,
        max_length=release.card.context_length,
        return_tensors="pt",
    )
    with torch.no_grad():
        want = release.reference()(**inputs)
    got_images, got_texts = adapter.encode_images(images), adapter.encode_texts(TEXTS)
    np.testing.assert_allclose(got_images, unit(want.image_embeds), atol=1e-5)
    np.testing.assert_allclose(got_texts, unit(want.text_embeds), atol=1e-5)
    logits = adapter.logit_scale * got_images @ got_texts.T + (adapter.logit_bias or 0)
    np.testing.assert_allclose(logits, want.logits_per_image.numpy(), atol=2e-3)  # a hundred times the cosine
    assert (adapter.logit_bias is None) != siglip
    # the generated model must be able to tell its inputs apart, or the comparison proves nothing
    assert np.ptp(got_images @ got_texts.T) > 0.05
    assert got_images.dtype == got_texts.dtype == np.float32


@both
@pytest.mark.parametrize("dtype", ["float32", "bf16"])
def test_texts_need_no_image_tower(release, dtype):
    whole = load(release.card, file=str(release.file), device="cpu", dtype=dtype, offline=True)
    alone = texts_from_file(Checkpoint(release.card, release.file, fetch.sha256(release.file), "cpu", dtype))
    np.testing.assert_array_equal(alone.encode_texts(TEXTS), whole.encode_texts(TEXTS))
    assert not hasattr(alone.model, "vision_model")


@pytest.mark.slow
def test_the_shipped_card_equals_transformers(tmp_path):
    """Git-RSCLIP base in full size: card, configuration and manifest as they are, half precision in the file."""
    from safetensors.torch import save_file

    card = registry.find(SIGLIP)
    folder = hf_release.filled(hf_release.siglip_tokenizer(tmp_path), 32000)
    hf_release.install(card, folder)
    torch.manual_seed(0)
    model = hf_release.model(RELEASED[SIGLIP])
    state = {key: value.half() for key, value in model.state_dict().items()}
    save_file(state, tmp_path / "model.safetensors")
    model.load_state_dict(state)  # float32 again, with the values of the file
    full = Release(card, tmp_path / "model.safetensors", {}, transformers_clip.config(card), folder)
    adapter = adapt(full)
    images = [Image.fromarray(image) for image in tiles(2)]
    inputs = full.processor()(text=TEXTS[:3], images=images, padding="max_length", return_tensors="pt")
    with torch.no_grad():
        want = model(**inputs)
    np.testing.assert_allclose(adapter.encode_images(tiles(2)), unit(want.image_embeds), atol=1e-5)
    np.testing.assert_allclose(adapter.encode_texts(TEXTS[:3]), unit(want.text_embeds), atol=1e-5)


def test_the_whole_vocabulary_gives_openais_tokens(tmp_path):
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    whole = CLIPTokenizer.from_pretrained(hf_release.clip_tokenizer(tmp_path))
    texts = [text for text in TEXTS if len(text) < 200]
    ours = whole(texts, padding="max_length", truncation=True, max_length=77)["input_ids"]
    theirs = SimpleTokenizer()(texts, context_length=77).numpy()
    ends = theirs.argmax(axis=1)
    for a, b, end in zip(ours, theirs, ends, strict=True):
        assert a[: end + 1] == b[: end + 1].tolist()
    assert len(whole) == transformers_clip.config(registry.find(CLIP))["text_config"]["vocab_size"]


@both
def test_batches_and_order_do_not_matter(release):
    adapter = adapt(release)
    rows = adapter.encode_texts(TEXTS)
    np.testing.assert_allclose(adapter.encode_texts(TEXTS[::-1], batch_size=1)[::-1], rows, atol=1e-5)
    assert adapter.causal_text == (release.configuration["model_type"] == "clip")


@pytest.mark.parametrize("name", RELEASED)
def test_the_shipped_configuration_is_the_releases(name):
    from transformers import CLIPConfig, SiglipConfig

    kind = {"clip": CLIPConfig, "siglip": SiglipConfig}[RELEASED[name]["model_type"]]
    ours = kind.from_dict(transformers_clip.config(registry.find(name)))
    theirs = kind.from_dict(RELEASED[name])
    for tower in ("text_config", "vision_config"):
        a, b = (getattr(one, tower).to_dict() for one in (ours, theirs))
        # SigLIP's defaults for these two are CLIP's, which its vocabulary does not have: nothing reads them
        changed = {key for key in a.keys() | b.keys() if a.get(key) != b.get(key)}
        assert changed <= {"bos_token_id", "eos_token_id", "vision_use_head"}
    assert getattr(ours, "projection_dim", None) == getattr(theirs, "projection_dim", None)


@pytest.mark.parametrize("name", RELEASED)
def test_card_architecture_and_layout_agree(name):
    """The shipped card, full size: built without weights, held against the manifest, counted."""
    from senbench.models import architectures
    from senbench.models.contract import check_layout, check_release

    card = registry.find(name)
    check_release(card)
    model = transformers_clip.build(card, transformers_clip.config(card))
    check_layout(card, architectures.shapes(model))
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    assert not card.verified
    assert card.note


@both
def test_nothing_is_random_and_no_buffer_is_left_out(release):
    before = torch.get_rng_state()
    model = adapt(release).model
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(t.is_meta for t in (*model.parameters(), *model.buffers()))
    for name, buffer in model.named_buffers():
        assert name.endswith("position_ids")
        assert torch.equal(buffer, torch.arange(buffer.shape[-1])[None])
    assert not model.training


@both
def test_no_socket_is_opened(release, monkeypatch):
    def refuse(*_: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert adapt(release).encode_texts(["x"]).shape == (1, release.card.embed_dim)


# what would be wrong without an error


@both
@pytest.mark.parametrize("tower", ["text_config", "vision_config"])
def test_another_activation_differs_and_is_refused(release, tower):
    adapter = adapt(release)
    wrong = "gelu" if release.configuration["model_type"] == "siglip" else "gelu_pytorch_tanh"
    changed = json.loads(json.dumps(release.configuration))
    changed[tower]["hidden_act"] = wrong
    other = hf_release.reference(changed, release.state)  # loads strictly: nothing but the card can tell
    if tower == "vision_config":
        pixels = release.processor().image_processor(tiles(), return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            rows = unit(other.get_image_features(pixel_values=pixels).pooler_output)
        assert np.abs(rows - adapter.encode_images(tiles())).max() > 3e-5
    else:
        tokens = torch.from_numpy(adapter._tokenize(TEXTS)[0])
        with torch.no_grad():
            rows = unit(other.get_text_features(input_ids=tokens).pooler_output)
        assert np.abs(rows - adapter.encode_texts(TEXTS)).max() > 3e-5
    path = release.file.with_name("changed.json")
    path.write_text(json.dumps(changed))
    with pytest.raises(ContractError, match=f"for the {tower.partition('_')[0]} tower.*is built with gelu"):
        adapt(release, architecture=str(path))


@both
@pytest.mark.parametrize("field", ["activation", "text_activation"])
def test_a_card_with_another_activation_is_refused(release, field):
    with pytest.raises(ContractError, match="states activation 'gelu' for the"):
        adapt(release, **{field: "gelu"})
    with pytest.raises(ContractError, match="states activation 'gelu' for the"):
        adapt(release, layout=None, **{field: "gelu"})


@both
def test_card_and_architecture_changed_together_are_refused(release):
    """Then only the release itself can tell."""
    changed = json.loads(json.dumps(release.configuration))
    for tower in ("text_config", "vision_config"):
        changed[tower]["hidden_act"] = "gelu"
    path = release.file.with_name("changed.json")
    path.write_text(json.dumps(changed))
    with pytest.raises(ContractError, match=r"states activation 'gelu' .* checkpoints of layout"):
        adapt(release, activation="gelu", architecture=str(path))


def test_one_odd_block_is_noticed():
    card = registry.find(CLIP)
    model = transformers_clip.build(
        card, hf_release.config(card, 100) | {"vision_config": {"image_size": 336}} | {"projection_dim": 768}
    )
    assert contract.activations(model)[1] == {"quickgelu"}
    model.text_model.encoder.layers[1].mlp.activation_fn = torch.nn.GELU()
    assert contract.activations(model)[1] == {"quickgelu", "gelu"}
    model.text_model.encoder.layers[1].mlp.activation_fn = torch.nn.ReLU()
    assert contract.activations(model)[1] == {"quickgelu", "ReLU"}


def test_padding_to_the_longest_text_differs(release):
    """SigLIP attends to padding and pools at the last position: the mistake of `padding=True`."""
    adapter = adapt(release)
    short = TEXTS[:3]
    longest = release.processor().tokenizer(short, padding=True, return_tensors="pt")["input_ids"]
    assert longest.shape[1] < 64
    with torch.no_grad():
        rows = unit(release.reference().get_text_features(input_ids=longest).pooler_output)
    assert np.abs(rows - adapter.encode_texts(short)).max() > 1e-2
    tokens, lengths = adapter._tokenize(short)
    assert tokens.shape[1] == 64
    assert (lengths == 64).all()  # never cut at the end of text


def test_an_attention_mask_differs(release):
    adapter = adapt(release)
    made = release.processor().tokenizer(
        TEXTS[:3], padding="max_length", return_attention_mask=True, return_tensors="pt"
    )
    with torch.no_grad():
        rows = unit(release.reference().get_text_features(**made).pooler_output)
    assert np.abs(rows - adapter.encode_texts(TEXTS[:3])).max() > 1e-2


def test_siglips_tokenizer_lowers_and_removes_punctuation(release):
    adapter = adapt(release)
    rows = adapter.encode_texts(["A Satellite: photo, (of) wheat!", "a satellite photo of wheat"])
    np.testing.assert_array_equal(rows[0], rows[1])
    import sentencepiece

    plain = sentencepiece.SentencePieceProcessor(model_file=str(release.tokenizer / "spiece.model"))
    text = "A Satellite: photo, (of) wheat!"
    assert plain.encode(text) != plain.encode("a satellite photo of wheat")  # so the class does it, not the model


@pytest.mark.parametrize(
    "change",
    [
        {"mean": OPENAI[0]},
        {"std": OPENAI[1]},
        {"mean": OPENAI[1], "std": OPENAI[0]},
        {"interpolation": "bilinear"},
        {"resize_mode": "shortest-crop"},
    ],
    ids=str,
)
def test_every_preprocessing_field_changes_the_embedding(release, change):
    how = release.card.preprocess.model_copy(update=change)
    changed = release.card.model_copy(update={"preprocess": how})
    other = load(changed, file=str(release.file), device="cpu")
    oblong = tiles(3, 96, 72)
    assert np.abs(other.encode_images(oblong) - adapt(release).encode_images(oblong)).max() > 1e-4


@street
@pytest.mark.parametrize("change", [{"mean": OPENAI[1], "std": OPENAI[0]}, {"resize_mode": "squash"}], ids=str)
def test_swapped_statistics_and_squash_for_crop(release, change):
    how = release.card.preprocess.model_copy(update=change)
    changed = release.card.model_copy(update={"preprocess": how})
    other = load(changed, file=str(release.file), device="cpu")
    oblong = tiles(3, 96, 72)
    assert np.abs(other.encode_images(oblong) - adapt(release).encode_images(oblong)).max() > 1e-3


@both
def test_band_order_changes_the_embedding(release):
    adapter, images = adapt(release), tiles(2)
    mirrored = [image[..., ::-1] for image in images]
    assert np.abs(adapter.encode_images(mirrored) - adapter.encode_images(images)).max() > 1e-3


@both
@pytest.mark.parametrize(("height", "width"), [(64, 64), (72, 96), (120, 40)])
def test_oblong_tiles_are_fitted_as_the_release_does(release, height, width):
    images = tiles(2, height, width)
    adapter = adapt(release)
    pixels = release.processor().image_processor([Image.fromarray(i) for i in images], return_tensors="pt")
    mean, std = (np.array(v, np.float32) for v in (adapter.preprocess.mean, adapter.preprocess.std))
    ours = np.stack([(adapter.prepare(image).astype(np.float32) / 255 - mean) / std for image in images])
    np.testing.assert_allclose(ours.transpose(0, 3, 1, 2), pixels["pixel_values"].numpy(), atol=1e-5)


@both
def test_bf16_is_close_but_not_equal(release):
    low = load(release.card, file=str(release.file), device="cpu", dtype="bf16")
    full = adapt(release)
    assert low.logit_scale == full.logit_scale
    cosine = (low.encode_images(tiles()) * full.encode_images(tiles())).sum(1)
    assert 0.95 < cosine.min() < 0.9999999


@both
def test_truncated_texts_are_named(release, capfd):
    assert adapt(release).truncated(["short", TEXTS[3]]) == [TEXTS[3]]
    assert "longer than" not in capfd.readouterr().err


# files and cards that contradict each other


@both
@pytest.mark.parametrize(
    ("field", "value"), [("embed_dim", 31), ("context_length", 76), ("architecture", "hf-siglip-b-99")]
)
def test_card_and_architecture_must_agree(release, field, value):
    with pytest.raises(ContractError, match=str(value)):
        adapt(release, **{field: value})


def test_a_card_without_siglips_bias_is_refused(release):
    with pytest.raises(ContractError, match="logit_bias None"):
        adapt(release, logit_bias=None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ('{"embed_dim": 3}', "cannot be read"),
        ('{"model_type": "blip", "text_config": {}, "vision_config": {}}', "is 'blip'"),
        ('{"model_type": "clip", "text_config": 3, "vision_config": {}}', "is 'clip'"),
        ('{"model_type": "clip", "text_config": {"hidden_size": "x"}, "vision_config": {}}', "cannot be built"),
        ('{"model_type": "siglip", "text_config": {"hidden_act": "x"}, "vision_config": {}}', "cannot be built"),
    ],
)
def test_a_foreign_configuration_is_one_line(tmp_path, text, reason):
    (tmp_path / "a.json").write_text(text)
    card = registry.find(SIGLIP).model_copy(update={"architecture": str(tmp_path / "a.json"), "layout": None})
    with pytest.raises(ContractError, match=reason) as error:
        transformers_clip.TransformersAdapter.load(Checkpoint(card, tmp_path / "none", **ON_CPU))
    assert "\n" not in str(error.value)


@both
def test_foreign_prefixes_and_missing_keys_are_refused(release):
    from safetensors.torch import save_file

    for name, state, found in (
        ("prefixed", {f"model.{k}": v for k, v in release.state.items()}, r"not expected \(model\."),
        ("less", {k: v for k, v in release.state.items() if k != "logit_scale"}, r"missing \(logit_scale\)"),
        ("more", {**release.state, "head.weight": torch.zeros(2)}, r"not expected \(head\.weight\)"),
    ):
        path = release.file.with_name(f"{name}.safetensors")
        save_file(state, path)
        with pytest.raises(ContractError, match=found):
            load(release.card, file=str(path), device="cpu")


def test_position_ids_of_old_releases_are_the_only_extra(tokenizers):
    for name in RELEASED:
        assert state_dict.manifest(registry.find(name).layout)["drop"] == ["*.embeddings.position_ids"]


@both
def test_missing_tokenizer_files_say_what_to_do(release):
    one = release.card.companions[0]
    path = fetch.companions(release.card, one.repo) / one.file
    path.unlink()
    with pytest.raises(UnavailableError, match=rf"{one.file} of {one.repo}.*senbench models fetch") as error:
        transformers_clip.TransformersAdapter.load(Checkpoint(release.card, release.file, **ON_CPU))
    assert "\n" not in str(error.value)


@both
def test_a_damaged_tokenizer_is_one_line(release):
    one = release.card.companions[0]
    (fetch.companions(release.card, one.repo) / one.file).write_bytes(b"\x00\xffhello")
    with pytest.raises(UnavailableError, match=r"tokenizer in .* cannot be read") as error:
        adapt(release)
    assert "\n" not in str(error.value)


@street
def test_another_vocabulary_is_refused(release):
    from transformers import CLIPTokenizer

    folder = fetch.companions(release.card, release.card.companions[0].repo)
    CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}, merges=[]).save_pretrained(folder)
    with pytest.raises(ContractError, match="has tokens 3, the text tower"):
        adapt(release)


def test_another_padding_token_differs_and_is_refused(release, tokenizers, tmp_path):
    own = json.loads((tokenizers[SIGLIP] / "tokenizer_config.json").read_text())
    folder = fetch.companions(release.card, release.card.companions[0].repo)
    (folder / "tokenizer_config.json").write_text(json.dumps({**own, "pad_token": "<pad>"}))
    with pytest.raises(ContractError, match=r"padding token 0, the text tower of .* 1"):
        adapt(release)


@pytest.mark.parametrize("name", ["clip-bpe", "lcybuaa/Git-RSCLIP-base"])
def test_the_tokenizer_must_be_a_repositorys(release, name):
    with pytest.raises(ContractError, match="hf:OWNER/NAME"):
        adapt(release, tokenizer=name)


@both
def test_the_tokenizer_is_part_of_the_result_and_of_the_cache_key(release):
    adapter = adapt(release)
    one = release.card.companions[0]
    path = fetch.companions(release.card, one.repo) / one.file
    digest = fetch.sha256(path)
    assert adapter.describe()["companions_sha256"][f"{one.repo}/{one.file}"] == digest
    before = adapter.text_identity()
    settings = fetch.companions(release.card, one.repo) / "tokenizer_config.json"
    settings.write_text(settings.read_text() + "\n")
    assert adapt(release).text_identity() != before
    assert adapt(release).image_identity() == adapter.image_identity()
