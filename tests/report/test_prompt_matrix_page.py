"""The matrix of prompts by classes: figures against brute force, a page that nothing can break out of."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import stubs
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UnavailableError
from senbench.evaluation.embed import Embeddings
from senbench.models import registry
from senbench.report.html import script_json
from senbench.report.prompt_matrix_page import record, render, within_column, write
from senbench.results.matrix import Matrix, ModelMatrix
from senbench.schema.prompt_set import PromptSet
from senbench.scoring.classifier import class_scores, unit
from senbench.studies.prompt_matrix import TOP, matrix_of, pictures

COUNTS = (3, 1, 4)
TEXT_CLASS = np.repeat(np.arange(3), COUNTS)
NASTY = "</script><img src=x onerror=alert(1)>&<!--\u2028\"'"


def prompt_set(texts=None):
    texts = texts or {key: tuple(f"{key} {j}" for j in range(n)) for key, n in zip(stubs.CLASSES, COUNTS, strict=True)}
    facts = {"id": "mine", "style": "custom", "source": "x", "class_names": "folder", "names": tuple(texts)}
    return PromptSet(**facts, texts=texts, template_aligned=False, hash="0" * 64)


def embeddings(n=60, d=5, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    prototypes = rng.normal(size=(3, d))
    images = (0.5 * prototypes[labels] + rng.normal(size=(n, d))).astype(np.float32)
    texts = (0.5 * prototypes[TEXT_CLASS] + rng.normal(size=(len(TEXT_CLASS), d))).astype(np.float32)
    return images, texts, labels


def small(prompts=None):
    images, texts, labels = embeddings()
    tiles = stubs.tiles(60)
    model = matrix_of("stub", images, texts, TEXT_CLASS, labels, 3)
    return Matrix(prompts or prompt_set(), tiles, (model,), pictures(tiles, [model.top]))


def test_figures_equal_brute_force():
    images, texts, labels = embeddings()
    found = matrix_of("stub", images, texts, TEXT_CLASS, labels, 3)
    x, t = unit(images), unit(texts)
    for p in range(len(t)):
        for c in range(3):
            mean = np.mean([x[i] @ t[p] for i in np.flatnonzero(labels == c)])
            assert found.cosine[p, c] == pytest.approx(mean, abs=1e-6)
        best = sorted(range(60), key=lambda i: -(x[i] @ t[p]))[:TOP]
        assert found.top[p].tolist() == best
        np.testing.assert_allclose(found.top_cosine[p], x[best] @ t[p], atol=1e-6)

    def recalls(keep):
        right = class_scores(images, texts[keep], TEXT_CLASS[keep], 3).argmax(1) == labels
        return np.array([right[labels == c].mean() for c in range(3)])

    for p in range(len(t)):
        keep = np.arange(len(t)) != p
        if TEXT_CLASS[p] == 1:
            assert np.isnan(found.contribution[p]).all()
        else:
            np.testing.assert_allclose(found.contribution[p], recalls(slice(None)) - recalls(keep), atol=1e-12)
    assert np.nanmax(np.abs(found.contribution)) > 0


def test_columns_are_standardised_and_a_flat_one_is_zero():
    values = np.array([[1.0, 2, 3], [3, 2, 5], [5, 2, 1]])
    found = within_column(values)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), [1, 0, 1])
    assert (np.diff(found[:, 0]) > 0).all()


def test_a_class_without_images_has_no_figures():
    images, texts, labels = embeddings()
    found = matrix_of("stub", images, texts, TEXT_CLASS, np.where(labels == 2, 1, labels), 3)
    data = record(Matrix(prompt_set(), stubs.tiles(60), (found,), {}))["models"][0]
    assert all(row[2] is None for row in (*data["similarity"], *data["cosine"], *data["contribution"]))
    assert json.loads(script_json(data)) == data


def test_first_places_get_pictures_before_second_ones_and_the_size_is_bounded():
    tiles = stubs.tiles(60)
    top = np.arange(40).reshape(10, TOP)
    every = pictures(tiles, [top])
    assert list(every)[:10] == list(range(0, 40, TOP))
    assert len(every) == 40
    few = pictures(tiles, [top], limit=sum(len(every[i]) for i in range(0, 20, TOP)))
    assert list(few) == list(range(0, 20, TOP))
    assert pictures(stubs.tiles(60, bad=range(60)), [top]) == {}


def policy(page):
    (found,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    return found


def test_the_policy_allows_what_the_page_holds_and_nothing_else():
    page = render(small())
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy(page)
    assert policy(page).startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy(page)
    assert not re.search(r"https?://|\bstyle=|\son\w+=", re.sub(r'"data:image/webp;base64,[^"]*"', "", page))
    assert page == render(small())


def test_prompts_and_names_stay_text():
    texts = {key: tuple(f"{NASTY} {key} {j}" for j in range(n)) for key, n in zip(stubs.CLASSES, COUNTS, strict=True)}
    pack = prompt_set(texts).model_copy(update={"id": NASTY, "style": NASTY, "names": (NASTY, "b", "c")})
    page = render(small(pack))
    assert page.count("</script>") == 2
    assert "<img" not in page
    assert "<!--" not in page
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert "\u2028" not in text
    data = json.loads(text)
    assert [entry["text"] for entry in data["prompts"]] == [line for lines in texts.values() for line in lines]
    assert data["classes"][0]["name"] == NASTY


def test_a_full_page_stays_below_two_megabytes():
    rng = np.random.default_rng(0)
    keys = tuple(f"Class{k}" for k in range(10))
    tiles = stubs.tiles(
        1000,
        info=stubs.info(classes=keys, splits={"all": 1000}),
        reader=lambda i: np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8),
    )
    texts = {key: tuple(f"a ground-level photo of {j} of {key}, {'word ' * 12}" for j in range(51)) for key in keys}
    top = rng.integers(0, 1000, (510, TOP))
    models = tuple(
        ModelMatrix(f"m{k}", rng.normal(size=(510, 10)), rng.normal(size=(510, 10)), top, rng.random((510, TOP)))
        for k in range(3)
    )
    shown = pictures(tiles, [top])
    assert 100 < len(shown) < 1000
    assert len(render(Matrix(prompt_set(texts), tiles, models, shown)).encode()) < 2_000_000


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    path = write(small(), tmp_path / "sub" / "m.html")
    assert path.read_text(encoding="utf-8") == render(small())
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot be written"):
        write(small(), tmp_path / "file" / "m.html")
    assert [p.name for p in path.parent.iterdir()] == ["m.html"]


def test_the_command_on_multi_label_scenes_with_two_models(tmp_path, monkeypatch):
    def embed(spec, card, tiles, prompts, draw):
        rng = np.random.default_rng(len(seen))
        seen.append(card.id)
        of = np.repeat(np.arange(len(prompts.texts)), [len(texts) for texts in prompts.texts.values()])
        images, rows = rng.normal(size=(len(tiles), 8)), rng.normal(size=(len(of), 8))
        return Embeddings({"title": card.title}, images.astype(np.float32), tiles, rows.astype(np.float32), of)

    seen = []
    monkeypatch.setattr("senbench.evaluation.embed.embed", embed)
    out = tmp_path / "m.html"
    words = [
        "prompts",
        "matrix",
        "--model",
        "mini,clip-vit-b-32",
        "--prompts",
        "generic",
        "--dataset",
        "demo-multilabel",
    ]
    result = CliRunner().invoke(application(), [*words, "--limit", "40", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "level 3" in result.output
    data = json.loads(re.findall(r'id="data">(.*?)</script>', out.read_text(), re.DOTALL)[0])
    assert [m["title"] for m in data["models"]] == [registry.find(name).title for name in seen]
    assert any(len(tile["own"]) != 1 for tile in data["tiles"])
    assert "average precision" in out.read_text()


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium")
def test_the_page_draws_in_a_browser_and_nothing_runs_from_a_prompt(tmp_path):
    texts = {key: tuple(f"{NASTY} {key} {j}" for j in range(n)) for key, n in zip(stubs.CLASSES, COUNTS, strict=True)}
    page = write(small(prompt_set(texts)), tmp_path / "m.html")
    options = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    words = ["chromium", *options.split(), f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()]
    dom = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    table = dom[dom.index("<tbody>") : dom.index("</tbody>")]
    assert table.count("<tr>") == sum(COUNTS)
    assert table.count("<td") == 3 * sum(COUNTS)
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in table
    assert "<img" not in table
