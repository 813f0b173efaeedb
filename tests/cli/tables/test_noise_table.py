"""The noise floor as it is printed."""

from __future__ import annotations

import runs

from senbench.cli.tables.noise_table import print_noise


def test_every_variant_has_its_row_and_what_was_left_out_its_reason(tmp_path, capsys):
    result = runs.run(tmp_path, noise=30)
    print_noise([result], stderr=False)
    out = capsys.readouterr().out
    assert f"Noise of good, {result.prompts.id}, stub: 30 tiles (of 60) encoded again" in out
    assert result.noise.variants and all(variant.name in out for variant in result.noise.variants)
    for name, why in result.noise.left_out.items():
        assert f"- {name}: not done, {why}" in " ".join(out.split())


def test_nothing_is_printed_where_nothing_was_repeated(tmp_path, capsys):
    print_noise([runs.run(tmp_path)], stderr=False)
    assert capsys.readouterr().out == ""
    print_noise([runs.run(tmp_path, noise=60)], stderr=True)
    assert "tiles (all) encoded again" in capsys.readouterr().err
