"""Models from elsewhere: a card file, an installed package, and what happens when either is wrong."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest
import tomlkit
from places import ROOT
from safetensors.torch import load_file, save_file

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import card_files, entry_points, registry
from senbench.models.checkpoints import fetch
from senbench.models.load import load


@pytest.fixture
def card_file(tmp_path):
    """A user's card beside the user's weights: here those of mini, under another name."""
    document = tomlkit.parse((card_files.CARDS / "mini.toml").read_text())
    table = document["model"][0]
    table["id"] = "my-clip"
    table.pop("layout")
    table.pop("fingerprint", None)
    table["weights"] = {"path": "mine.safetensors"}
    state = load_file(fetch.SHIPPED / "mini.safetensors")
    state["ln_final.weight"] *= 2  # mini's own bytes would be refused under another name
    save_file(state, tmp_path / "mine.safetensors")
    path = tmp_path / "my.toml"
    path.write_text(tomlkit.dumps(document))
    return path


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package of one module with an entry point, as a wheel would lie on the path."""

    def make(source: str, *, name: str = "plug", target: str = "plug:cards") -> None:
        root = tmp_path / f"site-{name}"
        (root / f"{name}-1.0.dist-info").mkdir(parents=True)
        (root / f"{name}-1.0.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (root / f"{name}-1.0.dist-info" / "entry_points.txt").write_text(f"[{entry_points.GROUP}]\n{name} = {target}\n")
        (root / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(str(root))
        monkeypatch.delitem(sys.modules, name, raising=False)
        entry_points.installed.cache_clear()

    yield make
    entry_points.installed.cache_clear()


PLUGIN = """
from senbench.models.card_files import read_cards, CARDS
def cards():
    (mini,) = read_cards(CARDS / "mini.toml")
    return [mini.model_copy(update={{"id": "{id}", "aliases": {aliases}}})]
"""


def test_a_card_file_needs_no_python(card_file):
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    mine, shipped = load(str(card_file), device="cpu"), load("mini", device="cpu")
    np.testing.assert_array_equal(mine.encode_images(image), shipped.encode_images(image))
    assert mine.card.id == "my-clip"


def test_a_card_file_may_not_take_a_shipped_name(card_file):
    for name in ("mini", "senclip"):
        card_file.write_text(card_file.read_text().replace('id = "my-clip"', f'id = "{name}"'))
        with pytest.raises(ContractError, match=f"'{name}' is the name of a shipped model"):
            registry.find(str(card_file))
        card_file.write_text(card_file.read_text().replace(f'id = "{name}"', 'id = "my-clip"'))


def test_a_changed_architecture_file_is_another_model(card_file, tmp_path):
    """Heads change no key and no shape: only the file's content tells."""
    import json

    from senbench.models.architectures import FOLDER

    config = json.loads((FOLDER / "mini.json").read_text())
    (tmp_path / "arch.json").write_text(json.dumps(config))
    card_file.write_text(card_file.read_text().replace('architecture = "mini"', 'architecture = "arch.json"'))
    before = load(str(card_file), device="cpu")
    known = before.image_identity(), before.text_identity(), before.describe()
    config["text_cfg"]["heads"] *= 2
    (tmp_path / "arch.json").write_text(json.dumps(config))
    after = load(str(card_file), device="cpu")
    for old, new in zip(known, (after.image_identity(), after.text_identity(), after.describe()), strict=True):
        assert old != new
    assert str(tmp_path) not in json.dumps(after.describe())


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('bands = ["B04", "B03", "B02"]', 'bands = ["red", "B03", "B02"]', "'red' is no Sentinel-2 band"),
        ("mean = [0.344, 0.380, 0.408]", "mean = []", "preprocess.mean has 0 values for 3 bands"),
        ("std = [0.19, 0.135, 0.115]", "std = [0.19, 0.0, 0.115]", "it is divided by"),
        ("synthetic = true", "synthetic = true\nfingerprint = [0.1]", "fingerprint has 1 cosines"),
        ("senbench-scenes =", "eurosatt =", "contamination.eurosatt"),
    ],
)
def test_impossible_values_are_refused_when_reading(card_file, old, new, says):
    text = card_file.read_text()
    assert old in text
    card_file.write_text(text.replace(old, new.replace("\\n", "\n")))
    with pytest.raises(ContractError, match=says) as error:
        registry.find(str(card_file))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, b"no gzip"])
def test_a_vocabulary_that_cannot_be_read(card_file, tmp_path, content):
    path = tmp_path / "own.txt.gz"
    if content is not None:
        path.write_bytes(content)
    card_file.write_text(card_file.read_text().replace('"mini-bpe.txt.gz"', f'"{path}"'))
    with pytest.raises(ContractError, match=r"no tokenizer" if content is None else r"vocabulary .* cannot be read"):
        load(str(card_file), device="cpu")


def test_a_vocabulary_beside_the_card_is_that_of_its_content(card_file, tmp_path):
    shutil.copyfile(fetch.SHIPPED / "mini-bpe.txt.gz", tmp_path / "own.txt.gz")
    shipped = load(str(card_file), device="cpu")
    card_file.write_text(card_file.read_text().replace('"mini-bpe.txt.gz"', '"own.txt.gz"'))
    own = load(str(card_file), device="cpu")
    assert own.card.tokenizer == str(tmp_path / "own.txt.gz")
    assert np.array_equal(own.encode_texts(["a river", "a forest"]), shipped.encode_texts(["a river", "a forest"]))
    assert own.text_identity()["vocabulary"] == shipped.text_identity()["vocabulary"]


def test_a_card_file_is_found_from_any_folder(card_file, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert registry.find("../my.toml").weights.path == str(tmp_path / "mine.safetensors")


def test_a_card_file_that_lies_about_the_activation_is_refused(card_file):
    card_file.write_text(card_file.read_text().replace('activation = "gelu"', 'activation = "quickgelu"'))
    with pytest.raises(ContractError, match="quickgelu"):
        load(str(card_file), device="cpu")


def test_missing_fields_are_named_together(card_file):
    text = card_file.read_text()
    card_file.write_text(text.replace('activation = "gelu"\n', "").replace('tokenizer = "mini-bpe.txt.gz"\n', ""))
    with pytest.raises(ContractError, match=r"my\.toml, card 'my-clip': missing activation, tokenizer") as error:
        registry.find(str(card_file))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ['model = "x"', "model = [1, 2]", "[model]\nid = 1", "x = 1", "[["])
def test_no_card_at_all(tmp_path, text):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ContractError, match=r"card file x\.toml"):
        registry.find(str(tmp_path / "x.toml"))


def test_two_cards_in_one_file(card_file):
    card_file.write_text(card_file.read_text() * 1 + "\n" + card_file.read_text().replace("my-clip", "other"))
    with pytest.raises(UsageError, match="2 cards in it"):
        registry.find(str(card_file))
    with pytest.raises(UsageError, match="no such card file"):
        registry.find("nowhere.toml")


def test_an_installed_package_offers_models(install, capsys):
    install(PLUGIN.format(id="plug-mini", aliases=("pm",)))
    assert registry.find("plug-mini").family == "mini"
    assert registry.find("PM").id == "plug-mini"
    assert load("plug-mini", device="cpu").embed_dim == 128
    from senbench.cli.models import list_models

    list_models(as_json=False)
    assert "plug-mini" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("def cards():\n    raise ValueError('two\\nlines')", "two lines"),
        ("def cards():\n    return ['x']", "it returned str"),
        ("def cards():\n    raise SystemExit(3)", "SystemExit"),
        (PLUGIN.format(id="senclip", aliases=()), "'senclip' is taken"),
        ("x = 1", "cards"),
    ],
)
def test_a_broken_plug_in_is_listed_and_using_it_is_an_error(install, capsys, source, reason):
    install(PLUGIN.format(id="good-mini", aliases=()), name="good", target="good:cards")
    install(source)
    from senbench.cli.models import list_models

    list_models(as_json=False)
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.startswith("broken plug-in plug:")]
    assert reason in line
    assert "good-mini" in out  # the others are not hidden
    with pytest.raises(UnavailableError, match="plug-in plug is broken") as error:
        registry.find("plug")
    assert "\n" not in str(error.value)


def test_shipped_models_do_not_look_at_plug_ins(install):
    install("raise RuntimeError('imported')")
    assert registry.find("senclip").family == "SenCLIP"
    assert entry_points.installed.cache_info().currsize == 0


def test_the_example_in_contributing_is_a_valid_card(tmp_path):

    text = (ROOT / "CONTRIBUTING.md").read_text()
    (tmp_path / "my.toml").write_text(
        next(b for b in text.split("```") if b.startswith("toml\n[[model]]")).removeprefix("toml\n")
    )
    card = registry.find(str(tmp_path / "my.toml"))
    assert card.weights.path == str(tmp_path / "epoch_20.pt")
    with pytest.raises(UsageError, match=r"epoch_20\.pt"):
        load(str(tmp_path / "my.toml"), device="cpu")
