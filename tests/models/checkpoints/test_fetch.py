"""Where a checkpoint is found, and which bytes a card accepts."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.io import receipt
from senbench.models import registry
from senbench.models.checkpoints import fetch, hashes
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.load import load
from senbench.runtime.access import Access
from senbench.schema.model_card import HubFile, ModelCard, WeightsSource

CARD = registry.find("senclip")
REVISION = "0123456789abcdef0123456789abcdef01234567"
OLD, NEW = b"old weights" * 1000, b"new weights" * 1000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def card(id: str = "mine", companions: tuple[HubFile, ...] = (), **source: object) -> ModelCard:
    change = {"id": id, "companions": companions, "weights": WeightsSource(**source)}
    return CARD.model_copy(update=change)


def locate(card: ModelCard, file: str | None = None, *, offline: bool = False) -> Path:
    return fetch.locate(card, Access(offline=offline, weights=file))


def refused(wanted: ModelCard, path: Path, **how: object) -> str:
    with pytest.raises(ContractError) as error:
        fetch.identify(wanted, path, **how)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.fixture
def zoo_of(monkeypatch):
    def only(*cards: ModelCard) -> None:
        monkeypatch.setattr(registry.card_files, "shipped", lambda: {c.id: c for c in cards})

    return only


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "x.pt"
    path.write_bytes(OLD)
    return path


class TestLocate:
    def test_the_users_file_comes_first(self, tmp_path, file, no_sockets):
        other = tmp_path / "other.pt"
        other.write_bytes(NEW)
        assert locate(card(path=str(other), repo="o/m", file="m.pt"), str(file)) == file

    def test_missing_local_file(self):
        with pytest.raises(UsageError, match=r"--weights nowhere\.pt: no such file"):
            load("senclip", file="nowhere.pt")

    def test_file_named_by_the_card(self, tmp_path, file, no_sockets):
        assert locate(card(path=str(file), repo="o/m", file="m.pt")) == file
        with pytest.raises(UsageError, match=r"model mine: no file .*none\.pt, which its card names") as error:
            locate(card(path=str(tmp_path / "none.pt")))
        assert "\n" not in str(error.value)

    def test_shipped(self, no_sockets):
        assert locate(registry.find("mini")).parent == fetch.SHIPPED

    def test_from_the_hub_at_the_pinned_commit(self, hub):
        hub.add("o/m", "sub/m.pt", OLD, revision=REVISION)
        path = locate(card(repo="o/m", file="sub/m.pt", revision=REVISION))
        assert path.read_bytes() == OLD
        assert path.parts[-4:] == ("o--m", REVISION[:12], "sub", "m.pt")

    def test_from_an_address(self, hub):
        path = locate(card(url=hub.add_url("/files/m.safetensors", OLD)))
        assert path.read_bytes() == OLD
        assert path.name == "m.safetensors"

    def test_from_a_zip_at_an_address(self, hub):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("SkyCLIP_x/epoch_20.pt", OLD)
        url = hub.add_url("/ckpt/SkyCLIP_x.zip", buffer.getvalue())
        path = locate(card(url=url, member="SkyCLIP_x/epoch_20.pt", sha256=sha256(OLD)))
        assert path.read_bytes() == OLD
        assert path.name == "epoch_20.pt"

    def test_no_address(self, no_sockets):
        with pytest.raises(UnavailableError, match="no released address is known; give the file with --weights FILE"):
            locate(card())

    def test_cards_of_one_file_fetch_it_once(self, hub):
        hub.add("o/m", "m.pt", OLD)
        first, second = (locate(card(id, repo="o/m", file="m.pt")) for id in ("quickgelu", "gelu"))
        assert first == second
        assert hub.ranges() == [None]

    @pytest.mark.parametrize(
        "source",
        [{"repo": "o/n", "file": "m.pt"}, {"repo": "o/m", "file": "m.pt", "revision": REVISION}],
        ids=["other repository", "other commit"],
    )
    def test_a_card_whose_source_changed_does_not_find_the_old_file(self, hub, source):
        hub.add("o/m", "m.pt", OLD)
        hub.add(source["repo"], "m.pt", NEW, revision=source.get("revision", "main"))
        assert locate(card(repo="o/m", file="m.pt")).read_bytes() == OLD
        assert locate(card(**source)).read_bytes() == NEW

    def test_other_addresses_of_one_name(self, hub):
        a, b = hub.add_url("/a/m.pt", OLD), hub.add_url("/b/m.pt", NEW)
        assert [locate(card(url=url)).read_bytes() for url in (a, b)] == [OLD, NEW]

    @pytest.mark.parametrize(
        "source",
        [
            {"repo": "o/m", "file": "../../m.pt"},
            {"repo": "o/m", "file": "/etc/m.pt"},
            {"url": "https://h.example/x.zip", "member": "x/.."},
        ],
    )
    def test_a_card_cannot_write_elsewhere(self, no_sockets, source):
        with pytest.raises(UsageError, match="is not a file name below"):
            locate(card(**source))
        with pytest.raises(UsageError, match="is not a file name below"):
            locate(card(companions=(HubFile(repo="o/t", file="../x"),), repo="o/m", file="m.pt"))

    def test_a_shared_folder_that_cannot_be_written(self, hub, monkeypatch):
        hub.add("o/m", "m.pt", OLD)
        hub.add("o/m", "other.pt", OLD)
        wanted = card(repo="o/m", file="m.pt")
        fetch.identify(wanted, locate(wanted))

        def refuse(self: object, *given: object, **how: object) -> None:
            raise PermissionError(13, "Permission denied", str(self))

        for name in ("filelock.FileLock.acquire", "pathlib.Path.mkdir", "pathlib.Path.replace"):
            monkeypatch.setattr(name, refuse)
        hub.requests.clear()
        assert fetch.identify(wanted, locate(wanted)) == sha256(OLD)
        assert hub.requests == []
        with pytest.raises(UnavailableError, match=r"is not writable .* set SENBENCH_HOME elsewhere"):
            locate(card(repo="o/m", file="other.pt"))

    def test_offline_without_weights_says_what_to_do(self, no_sockets):
        with pytest.raises(UnavailableError, match="--weights FILE") as error:
            load("senclip", offline=True)
        assert "`senbench models fetch senclip-vit-b-32-avgpool`" in str(error.value)
        with pytest.raises(UnavailableError, match="run the same command without --offline"):
            locate(card(repo="o/m", file="m.pt"), offline=True)  # a user's card has no name to fetch by


class TestCompanions:
    TOKENIZER = HubFile(repo="o/text", file="tokenizer.json")

    def test_fetched_beside_the_weights(self, hub):
        hub.add("o/m", "m.pt", OLD)
        hub.add("o/text", "tokenizer.json", b"{}")
        wanted = card(repo="o/m", file="m.pt", companions=(self.TOKENIZER,))
        locate(wanted)
        assert (fetch.companions(wanted, "o/text") / "tokenizer.json").read_bytes() == b"{}"
        hub.requests.clear()
        locate(wanted)
        assert hub.requests == []

    def test_fetched_for_a_file_of_the_user(self, hub, file):
        hub.add("o/text", "tokenizer.json", b"{}")
        wanted = card(companions=(self.TOKENIZER,))
        assert locate(wanted, str(file)) == file
        assert (fetch.companions(wanted, "o/text") / "tokenizer.json").is_file()

    def test_an_error_names_it(self, hub, file):
        with pytest.raises(UnavailableError, match=r"companion file that mine needs .*: tokenizer\.json from o/text"):
            locate(card(companions=(self.TOKENIZER,)), str(file))

    def test_offline(self, file, no_sockets):
        with pytest.raises(UnavailableError, match=r"tokenizer\.json does not exist, and nothing is fetched offline"):
            locate(card(companions=(self.TOKENIZER,)), str(file), offline=True)

    def test_pinned(self, hub, file):
        hub.add("o/text", "tokenizer.json", b"[]", revision=REVISION)
        pinned = self.TOKENIZER.model_copy(update={"sha256": sha256(b"{}"), "revision": REVISION})
        with pytest.raises(UnavailableError, match="sha256"):
            locate(card(companions=(pinned,)), str(file))
        wanted = card(companions=(pinned,))
        assert fetch.companions(wanted, "o/text") != fetch.companions(card(companions=(self.TOKENIZER,)), "o/text")

    def test_one_that_changed_is_refused(self, hub, file):
        hub.add("o/text", "tokenizer.json", b"{}")
        wanted = card(companions=(self.TOKENIZER,))
        locate(wanted, str(file))
        fetch.identify(wanted, file)
        (fetch.companions(wanted, "o/text") / "tokenizer.json").write_bytes(b"[]")
        text = refused(wanted, file)
        assert "companion file tokenizer.json of mine changed since it was first used" in text
        assert fetch.identify(wanted, file, accept_new=True) == sha256(OLD)
        fetch.identify(wanted, file)


class TestIdentify:
    def test_recorded_on_first_use_and_compared_ever_after(self, file):
        assert fetch.identify(card(), file) == sha256(OLD)
        file.write_bytes(NEW)
        for _ in range(2):  # being refused changes nothing
            text = refused(card(), file)
            assert "weights x.pt of mine changed since it was first used" in text
            assert f"sha256 was {sha256(OLD)[:12]}, is {sha256(NEW)[:12]}" in text
            assert "--accept-new-weights" in text
        assert fetch.identify(card(), file, accept_new=True) == sha256(NEW)
        assert fetch.identify(card(), file) == sha256(NEW)
        file.write_bytes(OLD)
        refused(card(), file)

    def test_hashed_once(self, file, monkeypatch):
        calls = []
        real = hashlib.file_digest
        monkeypatch.setattr(hashlib, "file_digest", lambda *given: calls.append(1) or real(*given))
        for _ in range(3):
            fetch.identify(card(), file)
        assert len(calls) == 1

    def test_a_pinned_download_is_read_once(self, hub, monkeypatch):
        calls = []
        real = hashlib.file_digest
        monkeypatch.setattr(hashlib, "file_digest", lambda *given: calls.append(1) or real(*given))
        hub.add("o/m", "m.pt", OLD)
        wanted = card(repo="o/m", file="m.pt", sha256=sha256(OLD))
        assert fetch.identify(wanted, locate(wanted)) == sha256(OLD)
        assert len(calls) == 1

    def test_another_file_than_the_pinned_release(self, file):
        pinned = card(sha256=sha256(NEW), repo="o/m", file="m.pt")
        text = refused(pinned, file)
        assert "weights x.pt of mine is not the release the card pins" in text
        assert f"sha256 is {sha256(OLD)[:12]}, the card has {sha256(NEW)[:12]}" in text
        assert "--accept-new-weights" in text
        assert fetch.identify(pinned, file, accept_new=True) == sha256(OLD)
        refused(pinned, file)  # a choice for each run: the card has not changed its mind

    def test_the_pin_is_stronger_than_the_record(self, file):
        fetch.identify(card(), file)
        file.write_bytes(NEW)
        assert fetch.identify(card(sha256=sha256(NEW)), file) == sha256(NEW)
        assert fetch.identify(card(), file) == sha256(NEW)

    def test_other_official_files_are_known(self, file):
        assert fetch.identify(card(sha256=sha256(NEW), also_sha256=(sha256(OLD),)), file) == sha256(OLD)

    def test_standing(self, file, monkeypatch):
        assert fetch.standing(card(sha256=sha256(OLD)), file, fetch.identify(card(), file)) == "pinned"
        assert fetch.standing(card(), file, sha256(OLD)) == "recorded"
        monkeypatch.setattr(hashes, "recorded", lambda path: None)
        assert fetch.standing(card(), file, sha256(OLD)).startswith("not recorded")

    def test_shipped_file_is_always_held_against_its_card(self, zoo_of, monkeypatch, tmp_path):
        mini = registry.find("mini")
        monkeypatch.setattr(fetch, "SHIPPED", tmp_path)
        (tmp_path / str(mini.weights.package)).write_bytes(OLD)
        for accept_new in (False, True):
            with pytest.raises(UnavailableError, match=r"are damaged .* reinstall senbench"):
                fetch.identify(mini, locate(mini), accept_new=accept_new)

    def test_new_shipped_bytes_of_a_new_version_are_no_change(self, monkeypatch, tmp_path):
        monkeypatch.setattr(fetch, "SHIPPED", tmp_path)
        for data in (OLD, NEW):
            (tmp_path / "mini.safetensors").write_bytes(data)
            version = card(package="mini.safetensors", sha256=sha256(data))
            assert fetch.identify(version, locate(version)) == sha256(data)


class TestOtherCards:
    def test_known_hash_is_refused_under_the_wrong_card(self):
        openai = registry.find("clip-vit-b-32").weights.also_sha256[0]
        fetch.check_identity(registry.find("clip-vit-b-32"), openai, Path("ViT-B-32.pt"))
        with pytest.raises(ContractError, match="are those of clip-vit-b-32"):
            fetch.check_identity(CARD, openai, Path("ViT-B-32.pt"))

    def test_refused_end_to_end_under_the_wrong_card(self, file, zoo_of):
        clip = registry.find("clip-vit-b-32")
        pinned = clip.weights.model_copy(update={"sha256": sha256(OLD)})
        zoo_of(CARD, clip.model_copy(update={"weights": pinned}))
        with pytest.raises(ContractError, match="run with --model clip-vit-b-32"):
            load("senclip", file=str(file), device="cpu")

    def test_accepting_new_weights_does_not_accept_another_models(self, file, zoo_of):
        zoo_of(card("other", sha256=sha256(OLD)))
        assert "run with --model other" in refused(card(), file, accept_new=True)

    @pytest.mark.parametrize("pinned", [True, False])
    def test_two_cards_of_one_file(self, file, zoo_of, pinned):
        source = {"repo": "o/m", "file": "m.pt"}
        quick = card("quickgelu", sha256=sha256(OLD), **source)
        gelu = card("gelu", sha256=sha256(OLD) if pinned else None, **source)
        zoo_of(quick, gelu)
        assert fetch.identify(quick, file) == fetch.identify(gelu, file) == sha256(OLD)

    def test_files_without_an_address_are_not_one_file(self, file, zoo_of):
        zoo_of(card("other", sha256=sha256(OLD)))
        refused(card(), file)


@pytest.mark.parametrize(
    ("use", "licence", "says"),
    [
        ("allowed", "MIT", None),
        ("forbidden", "CC-BY-NC-4.0", "licence of mine: CC-BY-NC-4.0, which forbids commercial use"),
        (
            "not stated",
            "none stated",
            "licence of mine: none stated by the authors; ask them before commercial use",
        ),
        (
            "not stated",
            "llama3",
            "licence of mine: llama3, commercial use not stated; ask the authors before it",
        ),
    ],
)
def test_licence(hub, capsys, use, licence, says):
    hub.add("o/m", "m.pt", OLD)
    hub.add("o/text", "tokenizer.json", b"{}")
    wanted = card(repo="o/m", file="m.pt", companions=(TestCompanions.TOKENIZER,))
    wanted = wanted.model_copy(update={"commercial_use": use, "licence": licence})
    locate(wanted)
    err = capsys.readouterr().err
    assert err.count("licence") == (says is not None)  # once, although two files were fetched
    assert says is None or says + "\n" in err
    locate(wanted)
    assert capsys.readouterr().err == ""  # nothing was fetched: nothing is said


PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class TestArrived:
    def test_a_page_is_deleted_and_named(self, hub, isolated_home):
        hub.add("owner/name", "w.pt", PAGE)
        wanted = card(repo="owner/name", file="w.pt")
        with pytest.raises(UnavailableError, match=r"what arrived is a web page .*; it was deleted") as error:
            locate(wanted)
        assert "\n" not in str(error.value)
        assert not [path for path in isolated_home.rglob("*") if path.is_file() and path.read_bytes() == PAGE]

    def test_a_page_in_place_of_a_zip(self, hub):
        wanted = card(url=hub.add_url("/ckpt.zip", PAGE), member="w.pt")
        with pytest.raises(UnavailableError, match="what arrived is a web page"):
            locate(wanted)

    def test_a_flipped_byte_is_found_by_the_hubs_own_hash(self, hub):
        hub.add("owner/name", "w.pt", OLD, corrupt=True)
        with pytest.raises(UnavailableError, match=r"sha256 is .* expected .* deleted"):
            locate(card(repo="owner/name", file="w.pt"))

    def test_a_small_file_outside_lfs_is_held_against_gits_hash(self, hub):
        hub.add("owner/name", "w.pt", OLD, corrupt=True, lfs=False)
        with pytest.raises(UnavailableError, match=r"git sha1 is .* expected .* deleted"):
            locate(card(repo="owner/name", file="w.pt"))
        hub.add("owner/name", "w.pt", OLD, lfs=False)
        assert locate(card(repo="owner/name", file="w.pt")).read_bytes() == OLD

    def test_an_address_of_the_hub_states_the_hash_too(self, hub):
        hub.add("owner/name", "w.pt", OLD, corrupt=True)
        url = f"{hub.url}/owner/name/resolve/main/w.pt"
        with pytest.raises(UnavailableError, match=r"sha256 is .* expected .* deleted"):
            locate(card(url=url))

    def test_an_etag_of_another_server_is_no_hash(self, hub):
        path = locate(card(url=hub.add_url("/w.pt", OLD, corrupt=True)))
        assert path.read_bytes() != OLD

    def test_a_companion_outside_lfs_too(self, hub, file):
        hub.add("o/text", "tokenizer.json", b'{"a": 1}', corrupt=True, lfs=False)
        with pytest.raises(UnavailableError, match="git sha1"):
            locate(card(companions=(TestCompanions.TOKENIZER,)), str(file))

    def test_the_commit_is_noted_and_bound_to_the_bytes(self, hub):
        hub.add("owner/name", "w.pt", OLD)
        path = locate(card(repo="owner/name", file="w.pt"))
        assert receipt.revision(path, sha256(OLD)) == "f" * 40
        path.write_bytes(NEW)
        assert Checkpoint.of(card(repo="owner/name", file="w.pt"), Access(offline=True)).revision is None

    def test_of_an_address_the_etag_is_noted(self, hub):
        path = locate(card(url=hub.add_url("/w.pt", OLD)))
        assert receipt.revision(path, sha256(OLD)) == sha256(OLD)  # which is what this server has as ETag


class TestOrigin:
    CARD = card(repo="owner/name", file="w.pt")

    @pytest.fixture(params=[True, False], ids=["in LFS", "in git"])
    def fetched_before(self, request, hub):
        """A file that an earlier version fetched: nothing is noted beside it."""
        hub.add("owner/name", "w.pt", OLD, lfs=request.param)
        path = locate(self.CARD)
        path.with_name("w.pt.fetched.json").unlink()
        return path

    def test_the_server_says_that_it_is_its_file(self, fetched_before):
        assert Checkpoint.of(self.CARD, Access(offline=True)).revision is None
        assert fetch.origin(self.CARD, fetched_before, sha256(OLD)) == "f" * 40
        assert Checkpoint.of(self.CARD, Access(offline=True)).revision == "f" * 40

    def test_the_server_has_another(self, fetched_before, hub):
        hub.add("owner/name", "w.pt", NEW)
        said = fetch.origin(self.CARD, fetched_before, sha256(OLD))
        assert said.startswith("main, not confirmed by owner/name at main, which has another file now: delete")
        assert receipt.revision(fetched_before, sha256(OLD)) is None

    def test_nobody_is_asked_offline_or_of_what_is_known(self, fetched_before, no_sockets):
        assert "was not asked" in fetch.origin(self.CARD, fetched_before, sha256(OLD), offline=True)
        known = card(repo="owner/name", file="w.pt", sha256=sha256(OLD))
        assert fetch.origin(known, fetched_before, sha256(OLD)) == "main"
        assert fetch.origin(card(path=str(fetched_before)), fetched_before, sha256(OLD)) == "-"

    def test_a_server_that_cannot_be_asked(self, fetched_before, hub):
        hub.files["/owner/name/resolve/main/w.pt"].status = 403
        with pytest.raises(UnavailableError, match="refuses access"):
            fetch.origin(self.CARD, fetched_before, sha256(OLD))
