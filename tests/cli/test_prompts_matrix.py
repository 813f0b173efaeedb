"""`senbench prompts matrix`: a page of one real model; two models take no single weights file."""

from __future__ import annotations

from outcomes import refused


def test_the_page(senbench, mini_run, tmp_path):
    words = ("prompts", "matrix", "--model", "mini", "--prompts", "generic", "--dataset", "demo", "--device", "cpu")
    done = senbench(*words, "--offline", "--out", tmp_path / "m.html")
    assert done.code == 0, done.err
    assert done.out == (
        f"{tmp_path / 'm.html'}: it shows what labels say of each prompt; a set edited by it is access level 3\n"
    )
    assert "a satellite" in (tmp_path / "m.html").read_text()


def test_one_weights_file_for_two_models(senbench, tmp_path):
    words = ("prompts", "matrix", "--prompts", "generic", "--dataset", "demo", "--weights", tmp_path / "w.pt")
    refused(senbench(*words, "--model", "mini,clip"), 2, "--weights gives one file, but 2 models are asked for")
    refused(senbench(*words, "--model", " , "), 2, "--model ' , ': the list is empty")
