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
    facts = opened(tmp_path).facts_of_source
    said = product_metadata.notes(facts)
    assert facts["below_offset_share"] > 0.1  # told as a qualification of the result
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
        (4, "only no-data pixels"),
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
        with pytest.raises(UsageError, match="own tiles of digital numbers"):
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


BARE = {"BOA_OFFSET_APPLIED": "true", "PROCESSING_LEVEL": "L2A"}


@pytest.mark.parametrize(
    ("kind", "gain", "tags", "scaling"),
    [
        ("uint16", 10, {"QUANTIFICATION_VALUE": "1000"}, None),
        ("int16", 10, {"BOA_QUANTIFICATION_VALUE": "1000"}, None),
        ("uint32", 10, {}, (0.001, 0)),
        ("int32", 10, {"raster:bands": '[{"scale": 0.001, "offset": 0}]'}, None),
        ("float32", 1, {}, (0.0001, 0)),
        ("float64", 10_000, {"QUANTIFICATION_VALUE": "1"}, None),
    ],
)
def test_one_rule_for_scale_sign_and_type(tmp_path, kind, gain, tags, scaling):
    wanted = dn(1).astype(float) // 10 * 10
    for name in ("a", "b"):
        write(tmp_path / name / "t.tif", (wanted / gain).astype(kind), tags=BARE | tags, scaling=scaling)
    tiles = opened(tmp_path)
    np.testing.assert_allclose(tiles.reader.bands(0, FOUR), wanted.transpose(1, 2, 0), atol=1)
    assert f"{gain:g} DN a unit" in tiles.facts_of_source["pixels"]["decisions"]["scale"]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"scaling": (0.0001, 1000)}, "10,000,000 DN would be added .* or it means that 1,000 was added"),
        ({"scaling": (2.75e-5, -0.2)}, "2,000 DN would be subtracted"),
        ({"tags": {"BOA_ADD_OFFSET": "1000"}}, "1,000 DN would be added"),
    ],
)
def test_an_offset_that_cannot_be_is_refused_in_both_readings(tmp_path, how, says):
    folder(tmp_path, **({"tags": {"PROCESSING_LEVEL": "L2A"}} | how))
    with pytest.raises(UsageError, match=says) as error:
        opened(tmp_path)
    assert "--dn-offset 1000 if they do" in str(error.value) and "\n" not in str(error.value)
    assert opened(tmp_path, dn_offset="1000").facts_of_source["dn_offset"] == 1000


@pytest.mark.parametrize("tags", [{"QUANTIFICATION_VALUE": "0"}, {"QUANTIFICATION_VALUE": "1000"}])
def test_scales_that_cannot_be_or_contradict(tmp_path, tags):
    folder(tmp_path, tags=BARE | tags, scaling=(0.0001, 0))
    with pytest.raises(UsageError, match=r"field/t0\.tif states (two scales|a scale that is impossible)"):
        opened(tmp_path)


def test_values_that_were_wrapped_are_refused_with_their_share(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name / "t.tif", dn(1) - 1400, tags=BARE)  # uint16: below 0 becomes 65,000
    with pytest.raises(UsageError, match=r"\d\d\.\d % of the values lie above 32,767 DN"):
        opened(tmp_path)


@pytest.mark.parametrize("filler", [9000, float("nan")])
def test_masked_pixels_and_nan_are_no_data(tmp_path, filler):
    import rasterio

    kind = "uint16" if filler == 9000 else "float32"
    for name in ("a", "b"):
        values = dn(1).astype(kind)
        values[:, :5] = filler
        path = write(tmp_path / name / "t.tif", values, tags=BARE | {"QUANTIFICATION_VALUE": "10000"})
        if filler == 9000:
            mask = np.full((20, 24), 255, "uint8")
            mask[:5] = 0
            with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
                file.write_mask(mask)
    tiles = opened(tmp_path)
    assert not tiles.reader.bands(0, FOUR)[:5].any()
    np.testing.assert_array_equal(tiles.reader.bands(0, FOUR)[5:], dn(1).transpose(1, 2, 0)[5:])
    assert tiles.facts_of_source["nodata_share"] == 0.25


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_bands_as_notepad_saves_them(tmp_path, encoding):
    folder(tmp_path, names=("b1", "b2", "b3", "b4"))
    with pytest.raises(UsageError, match=r"cannot be identified by their names \(b1, b2, b3, b4\)"):
        opened(tmp_path)
    (tmp_path / "bands.txt").write_bytes("B02\r\nB03\r\nB04\r\nB08\r\n \r\n".encode(encoding))
    assert opened(tmp_path).info.bands == FOUR
    (tmp_path / "bands.txt").write_bytes(b"B02 \xe9")
    with pytest.raises(UsageError, match=r"bands\.txt: not a text file in UTF-8"):
        opened(tmp_path)


def test_stac_tags_as_gdal_writes_and_cuts_them(tmp_path):
    uri = "S2B_MSIL2A_20250302T095029_N0511_R079_T33UXP_20250302T104753.SAFE"
    folder(tmp_path, tags={"earthsearch:boa_offset_applied": "True", "s2:product_uri": uri})
    assert opened(tmp_path).facts_of_source["dn_offset_from"] == "tag BOA_OFFSET_APPLIED"
