"""A user's own GeoTIFFs of digital numbers: bands by name, the offset of newer products, no data, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
from own_tiles import FOUR, OLD, dn, folder, opened, write
from typer.testing import CliRunner

import senbench
from senbench.cli.main import application
from senbench.datasets import radiometry
from senbench.datasets.bands import pair
from senbench.datasets.open import dataset_info, open_dataset
from senbench.datasets.packed import write as pack
from senbench.datasets.readers import product_metadata
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError
from senbench.models import registry


def test_bands_by_name_the_offset_removed_and_what_is_told(tmp_path):
    tiles = opened(folder(tmp_path / "mine"))
    assert tiles.info.bands == FOUR
    assert (tiles.info.unit, tiles.info.level, tiles.info.tile_size) == ("dn", "L2A", None)
    assert tiles.info.radiometry == tiles.radiometry == "dn2000"
    assert dataset_info(f"folder:{tmp_path / 'mine'}") == tiles.info
    assert tiles.ids == ("field/t0.tif", "field/t1.tif", "water/t0.tif", "water/t1.tif")
    assert tiles.facts_of_source == {
        "dn_offset": 1000,
        "dn_offset_from": "tag PROCESSING_BASELINE, 05.10",
        "nodata_share": 0.0,
        "below_offset_share": 0.0,
        "values_seen_of": 4,
        "pixels": {
            "decisions": {
                "bit depth": "uint16: digital numbers",
                "bands": "B02, B03, B04, B08: names of the bands",
                "scale": "1 DN a unit: 10,000 is reflectance 1, as Sentinel-2 has it",
                "offset": "1000 DN: tag PROCESSING_BASELINE, 05.10",
                "sign": "values below 0 become 0",
                "no data": "0",
            }
        },
    }
    want = dn(10).transpose(1, 2, 0)[..., [3, 0]] - 1000
    got = tiles.reader.bands(2, ("B08", "B02"))
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, want)
    rgb = dn(10).transpose(1, 2, 0)[..., [2, 1, 0]] - 1000
    np.testing.assert_array_equal(tiles.read(2), radiometry.render(rgb, "dn2000"))
    np.testing.assert_array_equal(
        opened(tmp_path / "mine", radiometry="dn3000").read(2), radiometry.render(rgb, "dn3000")
    )


def test_older_products_keep_their_values_and_are_rendered_as_their_level(tmp_path):
    tiles = opened(folder(tmp_path, tags=OLD))
    assert (tiles.info.level, tiles.radiometry) == ("L1C", "eurosat-jpeg")
    assert tiles.facts_of_source["dn_offset"] == 0
    np.testing.assert_array_equal(tiles.reader.bands(0, FOUR), dn(0).transpose(1, 2, 0))


def test_an_offset_that_nobody_tells_is_asked_for(tmp_path):
    folder(tmp_path, tags={})
    with pytest.raises(UsageError, match="--dn-offset 1000 if they do, --dn-offset 0 if not") as error:
        opened(tmp_path, radiometry="dn2000")
    assert "field/t0.tif" in str(error.value)
    assert "\n" not in str(error.value)
    first = [opened(tmp_path, dn_offset=given).reader.bands(0, ("B02",))[0, 0, 0] for given in ("0", "1000")]
    assert first == [dn(0)[0, 0, 0], dn(0)[0, 0, 0] - 1000]
    told = opened(tmp_path, dn_offset="1000").facts_of_source
    assert (told["dn_offset"], told["dn_offset_from"]) == (1000, "--dn-offset 1000")


def test_the_flag_wins_over_the_metadata_and_says_so(tmp_path):
    told = opened(folder(tmp_path), dn_offset="0").facts_of_source
    assert told["dn_offset"] == 0
    assert told["dn_offset_from"] == "--dn-offset 0, against tag PROCESSING_BASELINE, 05.10"


def test_content_keys_tell_offset_and_band_order(tmp_path):
    """The same bytes become other tiles: embeddings that were kept must not be taken for theirs."""
    folder(tmp_path, names=None)
    (tmp_path / "bands.txt").write_text("B02 B03 B04 B08\n")
    seen = [opened(tmp_path, dn_offset=given) for given in ("0", "1000")]
    (tmp_path / "bands.txt").write_text("B04, B03, B02, B08  # as exported\n")
    seen.append(opened(tmp_path, dn_offset="0"))
    assert len({tiles.key(0) for tiles in seen}) == 3
    assert len({tiles.reader.stamp([0], ()) for tiles in seen}) == 3
    np.testing.assert_array_equal(seen[2].reader.bands(0, ("B04",))[..., 0], dn(0)[0])


def test_no_data_stays_zero_and_is_counted(tmp_path):
    folder(tmp_path)
    values = dn(5).astype("int16")
    values[:, :5] = -9999
    values[:, 5] = 0
    values[0, 6, 0], values[0, 6, 1] = 900, -3
    write(tmp_path / "field" / "t0.tif", values, nodata=-9999)
    tiles = opened(tmp_path)
    got = tiles.reader.bands(0, FOUR)
    assert not got[:6].any()
    assert (got[6, 0, 0], got[6, 1, 0]) == (0, 0)  # below the offset: clipped, never wrapped
    np.testing.assert_array_equal(got[7:], dn(5).transpose(1, 2, 0)[7:] - 1000)
    assert tiles.facts_of_source["nodata_share"] == pytest.approx(6 / 20 / 4, abs=1e-4)
    assert tiles.facts_of_source["below_offset_share"] == pytest.approx(2 / (4 * 4 * 20 * 24), abs=1e-4)
    assert any(
        "7.5 % of the tiles' values are no data" in note for note in product_metadata.notes(tiles.facts_of_source)
    )


def test_values_below_the_offset_raise_the_question(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name / "t.tif", dn(1) - 1000)
    said = product_metadata.notes(opened(tmp_path).facts_of_source)
    assert any("below the offset" in note and "--dn-offset 0" in note for note in said)
    assert any("an offset of 1,000 DN was subtracted" in note for note in said)
    (asked,) = product_metadata.notes(opened(tmp_path, dn_offset="0").facts_of_source)
    assert asked == "no offset was subtracted from the tiles (--dn-offset 0, against tag PROCESSING_BASELINE, 05.10)"
    assert product_metadata.notes({}) == []


def test_damaged_and_empty_tiles_are_tile_errors(tmp_path):
    folder(tmp_path, n=4)
    whole = (tmp_path / "field" / "t0.tif").read_bytes()
    (tmp_path / "field" / "t0.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "field" / "t1.tif").write_bytes(b"")
    (tmp_path / "field" / "t2.tif").write_bytes(b"II*\0nonsense")
    write(tmp_path / "water" / "t0.tif", np.zeros((4, 20, 24), "uint16"))
    tiles = opened(tmp_path)
    assert tiles.info.bands == FOUR
    for i, says in (
        (0, "cannot be decoded"),
        (1, "cannot be decoded|empty"),
        (2, "decoded"),
        (4, "nothing but no data"),
    ):
        with pytest.raises(TileError, match=says) as error:
            tiles.read(i)
        assert tiles.ids[i] in str(error.value)
        assert str(tmp_path) not in str(error.value)
    assert tiles.read(3).shape == (20, 24, 3)


def test_sizes_and_positions(tmp_path):
    write(tmp_path / "a" / "t.tif", dn(1, size=(30, 30)), epsg=32633)
    write(tmp_path / "a" / "u.tif", dn(2, size=(30, 30)), epsg=32633, east=5.001e5)
    write(tmp_path / "b" / "t.tif", dn(3, size=(30, 30)), epsg=32633, east=6e5)
    tiles = opened(tmp_path)
    assert tiles.info.tile_size == 30
    places = tiles.clusters()
    assert places[0] == places[1] != places[2]
    write(tmp_path / "b" / "t.tif", dn(3, size=(20, 30)))
    tiles = opened(tmp_path)
    assert tiles.info.tile_size is None
    assert tiles.clusters()[2] == "unlocated/b/t.tif"
    write(tmp_path / "a" / "t.tif", dn(1), epsg=4326, east=10)
    write(tmp_path / "a" / "u.tif", dn(1))
    assert opened(tmp_path).reader.located is False  # degrees are no metres


def test_an_unknown_level_gets_no_rendering_by_itself(tmp_path):
    folder(tmp_path, tags={"PROCESSING_BASELINE": "05.10"})
    info = dataset_info(f"folder:{tmp_path}")
    assert info.level is None
    with pytest.raises(UsageError, match="pass --radiometry, such as eurosat-jpeg for L1C or dn2000 for L2A"):
        pair(registry.find("mini"), info)
    with pytest.raises(TileError, match="no rendering"):
        opened(tmp_path).read(0)
    tiles = opened(tmp_path, radiometry="dn3000")
    assert tiles.radiometry == tiles.info.radiometry == "dn3000"
    assert not pair(registry.find("mini"), tiles.info).native


def test_a_radiometry_that_does_not_exist_and_8_bit_tiles(tmp_path):
    folder(tmp_path / "dn")
    with pytest.raises(UsageError, match="dn2000"):
        opened(tmp_path / "dn", radiometry="dn200")
    for name in ("a", "b"):
        write(tmp_path / "rgb" / name / "t.tif", dn(1, 3, kind="uint8"), names=None)
    assert opened(tmp_path / "rgb").info.unit == "uint8"
    for name in ("demo", f"folder:{tmp_path / 'rgb'}"):
        with pytest.raises(UsageError, match="own folder of digital numbers"):
            open_dataset(name, split=None, data_dir=None, dn_offset="1000")


def test_a_packed_store_gives_the_same_and_not_under_another_offset(tmp_path):
    root = folder(tmp_path / "mine")
    plain = opened(root)
    store, _ = pack.pack(pack.job(plain, FOUR), processes=1)
    tiles = opened(root)
    assert tiles.packed
    assert tiles.facts_of_source == plain.facts_of_source
    np.testing.assert_array_equal(tiles.read(1), plain.read(1))
    other = opened(root, dn_offset="0")
    assert not other.packed
    np.testing.assert_array_equal(other.reader.bands(1, FOUR), dn(1).transpose(1, 2, 0))
    with pytest.raises(UsageError, match="settled already"):
        opened(store, dn_offset="0")


def run(*more):
    return CliRunner().invoke(application(), ["run", "--model", "mini", "--prompts", "generic", "--json", *more])


@pytest.fixture
def results(tmp_path):
    return ("--results", str(tmp_path / "results"))


def test_a_run_from_end_to_end(tmp_path, results):
    root = folder(tmp_path / "mine", n=3)
    given = ("--dataset", f"folder:{root}", *results)
    done = run(*given)
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)
    dataset = told["dataset"]
    assert (dataset["radiometry"], dataset["level"], dataset["n_evaluated"]) == ("dn2000", "L2A", 6)
    assert (dataset["dn_offset"], dataset["dn_offset_from"]) == (1000, "tag PROCESSING_BASELINE, 05.10")
    assert any("an offset of 1,000 DN was subtracted" in line for line in told["warnings"])
    (again,) = json.loads(run(*given, "--dn-offset", "0").stdout)
    assert again["dataset"]["dn_offset"] == 0
    assert again["timings"]["images_cached"] == 0  # other pixels, other embeddings
    assert again["dataset"]["content_hash"] != dataset["content_hash"]
    assert again["run_id"] != told["run_id"]
    (same,) = json.loads(run(*given, "--dn-offset", "1000").stdout)
    assert same["dataset"]["dn_offset_from"] == "--dn-offset 1000"
    assert same["run_id"] == told["run_id"]  # how it was found decides no score


def test_a_run_refuses_what_is_not_told(tmp_path, results):
    root = folder(tmp_path / "mine", tags={})
    for more, says in (
        ((), "pass --radiometry"),
        (("--radiometry", "dn2000"), "pass --dn-offset 1000 if they do"),
        (("--dn-offset", "500"), "--dn-offset"),
    ):
        with pytest.raises(UsageError, match=says):
            _raise(run("--dataset", f"folder:{root}", *results, *more))
    assert run("--dataset", f"folder:{root}", *results, "--radiometry", "dn2000", "--dn-offset", "1000").exit_code == 0
    with pytest.raises(UsageError, match="does not apply to demo"):
        _raise(run("--dataset", "demo", *results, "--dn-offset", "1000"))


def test_the_other_commands_take_the_offset_too(tmp_path, results):
    """Where they ask for it, it must be theirs to give; a run reads what was packed with the same."""
    root = folder(tmp_path / "mine", tags={"PRODUCT_TYPE": "S2MSI2A"})
    name, packs = f"folder:{root}", ["datasets", "pack"]
    with pytest.raises(UsageError, match="pass --dn-offset 1000"):
        _raise(CliRunner().invoke(application(), [*packs, name]))
    with pytest.raises(UsageError, match="use 0, 1000 or auto"):
        _raise(CliRunner().invoke(application(), [*packs, name, "--dn-offset", "500"]))
    done = CliRunner().invoke(application(), [*packs, name, "--dn-offset", "1000", "--jobs", "1"])
    assert done.exit_code == 0, done.output
    assert opened(root, dn_offset="1000").packed
    assert not opened(root, dn_offset="0").packed
    sweep = ["sweep", "radiometry", "--model", "mini", "--prompts", "generic", "--dataset", name, "--json", *results]
    done = CliRunner().invoke(application(), [*sweep, "--dn-offset", "1000"])
    assert done.exit_code == 0, done.output
    with pytest.raises(UsageError, match="pass --dn-offset 1000"):
        _raise(CliRunner().invoke(application(), sweep))


def _raise(result):
    assert result.exception is not None, result.output
    raise result.exception


def test_an_offset_does_not_apply_to_opened_tiles(tmp_path):
    tiles = opened(folder(tmp_path))
    with pytest.raises(UsageError, match="dn_offset does not apply"):
        senbench.evaluate("mini", tiles, "generic", dn_offset="1000")
