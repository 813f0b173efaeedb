"""Inputs that went wrong once, with the right answer of `cases/README.md`, as a run reads them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UsageError

DN = ("--radiometry", "eurosat-jpeg")
RIGHT = {
    "u8_bgr_named20": ((), 58, 60),
    "q1000": (DN, 58, 60),
    "stac_tags_applied": (DN, 58, 60),
    "bands_bom": (DN, 12, 12),
    "u8_rgb_minisblack": ((), 12, 12),
    "ms_rgb_first_named": (("--dataset", "eurosat", "--split", "all"), 5, 6),
    "ms_zenodo_zip": (("--dataset", "eurosat", "--split", "all"), 5, 6),
    "z_backslash": (("--dataset", "eurosat-rgb"), 8, 20),
    "mixed_ext_ignored": ((), 41, 42),
}
REFUSED = {
    "png16_rgb": ((), "pass --radiometry"),
    "b1b4_bgrn": (DN, r"cannot be told from their names \(b1, b2, b3, b4\).*bands\.txt"),
    "underflow": (DN, r"64\.4 % of the values lie above 32,767 DN"),
    "dn_scale_1e4_off+1000": (DN, "10,000,000 DN would be added .* or it means that 1,000 was added"),
    "dn_with_quicklook": (DN, "12 files hold digital numbers .* 12 are 8-bit images"),
}
NOTED = {
    "mask_filler": (DN, "50.0 % of the tiles' values are no data"),
    "rgba_nodata": ((), "31.2 % of the tiles' values are no data"),
    "numeric_classes": ((), "--class-names"),
    "mixed_ext_ignored": ((), "3 files not read, suffix .part: Forest/Forest_15.jpg.part"),
}


def run(root, more, tmp_path):
    given = more if "--dataset" in more else ("--dataset", f"folder:{root}", *more)
    where = ("--data-dir", str(root)) if "--dataset" in more else ()
    fixed = ["run", "--model", "mini", "--prompts", "generic", "--offline", "--no-cache", "--accept-pixels", "--json"]
    return CliRunner().invoke(application(), [*fixed, "--results", str(tmp_path), *given, *where])


def told(result):
    assert result.exception is None, result.output
    (one,) = json.loads(result.stdout)
    return one


@pytest.mark.shared
@pytest.mark.parametrize("case", RIGHT)
def test_cases_that_are_read(shared, case, tmp_path):
    more, right, n = RIGHT[case]
    one = told(run(shared / "cases" / case, more, tmp_path))
    assert one["dataset"]["n_evaluated"] == n
    assert round(one["metrics"]["top1"]["value"] * n) == right
    assert one["dataset"]["pixels"]["decisions"]["bands"]
    assert one["complete"] is (one["dataset"]["n_evaluated"] == one["dataset"]["n_expected"])


@pytest.mark.shared
@pytest.mark.parametrize("case", REFUSED)
def test_cases_that_are_refused(shared, case, tmp_path):
    more, says = REFUSED[case]
    failed = run(shared / "cases" / case, more, tmp_path)
    assert isinstance(failed.exception, UsageError)
    with pytest.raises(UsageError, match=says) as error:
        raise failed.exception
    assert "\n" not in str(error.value)


@pytest.mark.shared
@pytest.mark.parametrize("case", NOTED)
def test_cases_that_are_noted(shared, case, tmp_path):
    more, says = NOTED[case]
    one = told(run(shared / "cases" / case, more, tmp_path))
    assert any(says in note for note in one["warnings"])


@pytest.mark.shared
def test_16_bit_pictures_go_through_a_named_radiometry(shared, tmp_path):
    one = told(run(shared / "cases" / "png16_rgb", (*DN, "--dn-offset", "0"), tmp_path))
    assert round(one["metrics"]["top1"]["value"] * 60) == 58


@pytest.mark.shared
def test_bands_in_capital_suffixes(shared, tmp_path):
    root = shared / "cases" / "ben_upper_tif"
    one = told(run(root, ("--dataset", "bigearthnet-v1", "--split", "train"), tmp_path))
    assert one["dataset"]["n_evaluated"] == 4
