"""Cards in TOML: the shipped ones by name, what a report tells of one, and how one is blessed."""

from __future__ import annotations

import tomllib

import pytest

from senbench.errors import ContractError, UsageError
from senbench.models import card_files

MINI = card_files.shipped()["mini"]


def test_every_shipped_card_is_found_by_all_its_names():
    for card in card_files.shipped().values():
        for name in (card.id, *card.aliases, card.id.upper()):
            assert card_files.shipped_as(name) == card
    assert card_files.shipped_as("nothing") is None
    assert card_files.shipped_as("CLIP") != card_files.shipped_as("SenCLIP")


def test_a_name_that_is_used_twice_is_refused(tmp_path, monkeypatch):
    text = (card_files.CARDS / "mini.toml").read_text()
    (tmp_path / "a.toml").write_text(text)
    (tmp_path / "b.toml").write_text(text.replace('id = "mini"', 'id = "other"\naliases = ["mini"]'))
    monkeypatch.setattr(card_files, "CARDS", tmp_path)
    with pytest.raises(ContractError, match=r"b\.toml: the model name 'mini' is used twice"):
        card_files.shipped.__wrapped__()


def test_an_absent_bias_means_that_there_is_none():
    (table,) = tomllib.loads((card_files.CARDS / "mini.toml").read_text())["model"]
    assert "logit_bias" not in table
    assert MINI.logit_bias is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('unit = "uint8"\n', "", r"card 'mini': missing unit$"),
        ('unit = "uint8"\n', 'unit = "uint8"\nunitt = 3\n', r"card 'mini': unitt: Extra inputs"),
        ('unit = "uint8"\n', "", "missing unit"),
    ],
)
def test_a_fault_names_file_card_and_field(tmp_path, old, new, says):
    text = (card_files.CARDS / "mini.toml").read_text()
    assert old in text
    (tmp_path / "x.toml").write_text(text.replace(old, new))
    with pytest.raises(ContractError, match=rf"^x\.toml, {says}" if says.startswith("card") else says) as error:
        card_files.read_cards(tmp_path / "x.toml")
    assert "\n" not in str(error.value)


def test_a_recorded_card_tells_no_folder():
    weights = MINI.weights.model_copy(update={"path": "/home/me/secret/w.pt"})
    change = {"architecture": "/home/me/a.json", "tokenizer": "/home/me/b.txt.gz", "weights": weights}
    told = card_files.portable(MINI.model_copy(update=change))
    assert (told["architecture"], told["tokenizer"], told["weights"]["path"]) == ("a.json", "b.txt.gz", "w.pt")
    assert "/home" not in str(told)
    repository = MINI.model_copy(update={"tokenizer": "hf:owner/name"})
    assert card_files.portable(repository)["tokenizer"] == "hf:owner/name"


def test_blessing_keeps_comments_and_order(tmp_path):
    path = tmp_path / "mine.toml"
    text = "# mine\n" + (card_files.CARDS / "mini.toml").read_text()
    path.write_text(text)
    assert card_files.bless(MINI, "ab" * 32, (0.1, 0.2, 0.3, 0.4, 0.5), str(path)) == path
    (card,) = card_files.read_cards(path)
    assert (card.weights.sha256, card.fingerprint, card.verified) == ("ab" * 32, (0.1, 0.2, 0.3, 0.4, 0.5), True)
    assert path.read_text().startswith("# mine\n")
    left = card.model_dump(exclude={"weights", "fingerprint", "verified"})
    assert left == MINI.model_dump(exclude={"weights", "fingerprint", "verified"})


def test_another_official_file_keeps_the_pinned_hash(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text((card_files.CARDS / "mini.toml").read_text())
    known = MINI.model_copy(update={"weights": MINI.weights.model_copy(update={"also_sha256": ("cd" * 32,)})})
    card_files.bless(known, "cd" * 32, (0.0,) * 5, str(path))
    assert card_files.read_cards(path)[0].weights.sha256 == MINI.weights.sha256


def test_a_card_that_is_in_no_file_is_not_blessed(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text((card_files.CARDS / "mini.toml").read_text())
    with pytest.raises(UsageError, match="the card of other is in no TOML file"):
        card_files.bless(MINI.model_copy(update={"id": "other"}), "0" * 64, (0.0,) * 5, str(path))


@pytest.mark.parametrize(
    ("line", "changed", "said"),
    [
        ("mean = [0.344, 0.380, 0.408]", "mean = [nan, 0.380, 0.408]", "preprocess.mean holds nan"),
        ("std = [0.19, 0.135, 0.115]", "std = [inf, 0.135, 0.115]", "preprocess.std holds inf"),
        ('bands = ["B04", "B03", "B02"]', 'bands = ["B04", "B04", "B02"]', "'B04' is there twice"),
        ("embed_dim = 128", "embed_dim = 0", "embed_dim is 0"),
        ('logit_scale = "checkpoint"', "logit_scale = 0.07", "lies between 1 and 1,000"),
        ("embed_dim = 128", "embed_dim = 1" + "0" * 6000, "cannot be read"),
        ("embed_dim = 128", "embed_dim = " + "[" * 100000, "cannot be read"),
    ],
)
def test_values_that_no_card_can_have(tmp_path, line, changed, said):
    text = (card_files.CARDS / "mini.toml").read_text(encoding="utf-8")
    assert line in text
    (tmp_path / "x.toml").write_text(text.replace(line, changed), encoding="utf-8")
    with pytest.raises(ContractError, match=said) as error:
        card_files.read_cards(tmp_path / "x.toml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_cards_as_editors_save_them(tmp_path, encoding):
    text = (card_files.CARDS / "mini.toml").read_text(encoding="utf-8")
    (tmp_path / "x.toml").write_bytes(text.encode(encoding))
    assert card_files.read_cards(tmp_path / "x.toml") == [MINI]


def test_a_card_in_another_encoding_is_named_with_its_line(tmp_path):
    (tmp_path / "x.toml").write_bytes("[[model]]\ntitle = 'Wälder'\n".encode("latin-1"))
    with pytest.raises(
        ContractError, match=r"^card file x\.toml: not a text file in UTF-8 \(line 2\): save it as UTF-8$"
    ):
        card_files.read_cards(tmp_path / "x.toml")
