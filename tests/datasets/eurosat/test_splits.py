from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.eurosat import splits
from senbench.datasets.open import dataset_info
from senbench.errors import UnavailableError, UsageError

pytest_plugins = ["hub_server"]

IDS = st.lists(st.builds("{}_{}".format, st.sampled_from(EUROSAT), st.integers(1, 3000)), min_size=1, unique=True)


@given(IDS, st.data())
def test_every_way_to_write_a_name_gives_the_same_id(ids, data):
    lines = []
    for tile in ids:
        folder = data.draw(st.sampled_from(["", f"{tile.split('_')[0]}/", "2750\\X\\", "./a/b/"]))
        suffix = data.draw(st.sampled_from(["", ".jpg", ".jpeg", ".tif", ".TIF", ".tiff"]))
        pad = data.draw(st.sampled_from(["", " ", "\t"]))
        lines.append(f"{pad}{folder}{tile}{suffix}{pad}")
        lines += [""] * data.draw(st.integers(0, 2))
    newline = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    assert splits.parse_names(newline.join(lines), "f.txt") == tuple(ids)


def test_names_are_composed():
    """Lists written on macOS have accents apart."""
    assert splits.parse_names("W\u0061\u0308lder_1.jpg\n", "f.txt") == ("W\u00e4lder_1",)
    with pytest.raises(UsageError, match="is named twice"):
        splits.parse_names("W\u0061\u0308lder_1\nW\u00e4lder_1\n", "f.txt")


@given(st.text(max_size=200))
def test_any_text_parses_or_is_refused_in_one_line(text):
    try:
        ids = splits.parse_names(text, "f.txt")
    except UsageError as error:
        assert "f.txt" in str(error)
    else:
        assert ids
        assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("text", "says"), [("", "no tile"), ("\n \n", "no tile"), ("A_1.jpg\nx/A_1.tif\n", "A_1 is named twice")]
)
def test_refused_lists(text, says):
    with pytest.raises(UsageError, match=says):
        splits.parse_names(text, "mine.txt")


def test_binary_list_is_refused(tmp_path):
    (tmp_path / "l.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(UsageError, match="not a text file"):
        splits.read_names(tmp_path / "l.txt")


def test_facts_are_torchgeos_and_torchvisions():
    """Constants here spare an import of TorchGeo; they must not drift from it."""
    import inspect

    from torchgeo.datasets import EuroSAT, EuroSATSpatial
    from torchvision.datasets import EuroSAT as EuroSATJpeg

    from senbench.datasets.eurosat import rgb

    for kind, cls in (("random", EuroSAT), ("spatial", EuroSATSpatial)):
        assert cls.url.endswith(f"/datasets/{splits.REPO}/resolve/{splits.REVISION}/")
        for part in ("train", "val", "test"):
            spec = splits.LISTS[f"{kind}-{part}"]
            assert spec.file == cls.split_filenames[part]
            assert not hasattr(cls, "split_md5s") or spec.md5 == cls.split_md5s[part]  # TorchGeo 0.8 and 0.9 have it
            assert dataset_info("eurosat-rgb").splits[f"{kind}-{part}"] == spec.n
    source = inspect.getsource(EuroSATJpeg.download)
    assert f"{splits.REPO}/resolve/{rgb.REVISION}/{rgb.FILE}" in source
    assert rgb.MD5 in source


@pytest.fixture
def spec():
    text = b"Forest_2.jpg\nRiver_1.jpg\n"
    return splits.SplitList("l.txt", hashlib.md5(text).hexdigest(), 2), text


def test_list_comes_from_the_folder_then_home_then_the_hub(hub, spec, tmp_path, isolated_home):
    spec, text = spec
    hosted = hub.add(splits.REPO, "l.txt", text, revision=splits.REVISION, repo_type="dataset")

    def get(offline=False):
        return splits.published(spec, look_in=[tmp_path], place="eurosat", offline=offline, dataset="eurosat-rgb").ids

    with pytest.raises(UnavailableError, match="senbench datasets fetch eurosat-rgb"):
        get(offline=True)
    hosted.corrupt = True
    with pytest.raises(UnavailableError, match="md5"):
        get()
    hosted.corrupt = False
    assert get() == ("Forest_2", "River_1")
    assert get(offline=True) == ("Forest_2", "River_1")
    (tmp_path / "l.txt").write_bytes(text + b"SeaLake_1.jpg\n")
    with pytest.raises(UnavailableError, match="not the published list"):
        get()


@pytest.mark.shared
def test_real_spatial_lists(shared):
    seen: set[str] = set()
    for part, n in (("train", 16200), ("val", 5400), ("test", 5400)):
        ids = splits.published(
            splits.LISTS[f"spatial-{part}"], look_in=[shared / "eurosat"], place="x", offline=True, dataset="d"
        ).ids
        assert len(ids) == n
        assert not seen & set(ids)
        seen |= set(ids)
    assert len(seen) == 27000


class Members:
    """A source by its names alone."""

    title = "s"

    def __init__(self, *names):
        self.names = names


def split(names, wanted=None, name="all", n=2):
    """What `open_split` makes of these tiles and the ids of a list."""
    source = Members(*(f"{tile.partition('_')[0]}/{tile}.jpg" for tile in names))
    info = dataset_info("eurosat-rgb").model_copy(update={"splits": {"all": n, "train": 2, "test": 2}})
    listed = None if wanted is None else splits.Listed(tuple(wanted), len(wanted))
    found = splits.find_tiles(source, (".jpg",))
    return splits.open_split(info, name, listed, source, found, lambda tiles: tiles, ("native-jpeg", lambda _: {}))


def test_more_tiles_than_the_split_has():
    with pytest.raises(UnavailableError, match="s: holds 3 tiles, split all has 2"):
        split(["River_0", "River_1", "River_2"])


def test_a_split_and_its_complement_share_no_tile_and_miss_none():
    every = [f"{key}_{n}" for key in ("Forest", "River", "SeaLake") for n in (2, 10, 1)]
    train, rest = every[::2], every[1::2]
    one, other = (split(every, ids, name, n=9) for ids, name in ((train, "train"), (rest, "test")))
    assert (set(one.ids), set(other.ids)) == (set(train), set(rest))
    assert one.ids == ("Forest_1", "Forest_2", "River_10", "SeaLake_1", "SeaLake_2")  # by class, then by number
    assert [PurePosixPath(name).stem for name in one.reader] == list(
        one.ids
    )  # the reader gets the chosen ones, in that order
    assert one.labels.tolist() == [splits.EUROSAT.index(name.partition("_")[0]) for name in one.ids]
    assert set(split(every, n=9).ids) == set(every)
    assert (one.n_expected, one.split) == (5, "train")


def test_a_split_of_which_nothing_is_there():
    with pytest.raises(UnavailableError, match="s: none of the 1 tiles of split test is in it"):
        split(["River_1"], ["Forest_1"], "test")
