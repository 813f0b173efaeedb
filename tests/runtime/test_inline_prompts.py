from __future__ import annotations

from senbench.runtime.inline_prompts import is_template


def test_a_text_with_braces_is_a_template_unless_it_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_template("a photo of {}, seen from above") and is_template("{} / {}" + "x" * 5000)
    assert not is_template("ground") and not is_template("a.json")
    (tmp_path / "odd{}.json").write_text("[]")
    assert not is_template("odd{}.json")
