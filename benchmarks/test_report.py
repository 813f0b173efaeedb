"""The leaderboard of made-up results, against reading their files; its page in a browser, against its text alone."""

from __future__ import annotations

import json
import shutil

import generated_results
import pytest

from senbench.report.leaderboard.page import write

pytestmark = pytest.mark.benchmark(group="report")


def test_leaderboard(against, tmp_path):
    """Limit: the JSON of every result, parsed."""
    generated_results.write(tmp_path / "results", 10, generated_results.STYLES[:5], generated_results.DATASETS)
    files = list((tmp_path / "results").glob("*/result.json"))
    read = lambda: [json.loads(file.read_text()) for file in files]  # noqa: E731
    against(lambda: write(tmp_path / "results", tmp_path / "page.html"), read, what="parsing the results", rounds=3)


PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


@pytest.mark.whole
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium")
@pytest.mark.parametrize(("models", "rows"), [(10, 100), (50, 500)])
def test_page_in_a_browser(against, tmp_path, models, rows):
    """Seconds by the page's clock until all rows of a board are painted; limit: the same rows as plain HTML."""
    from playwright.sync_api import sync_playwright

    generated_results.write(tmp_path / "results", models, generated_results.STYLES[:10], generated_results.DATASETS)
    page, plain = tmp_path / "page.html", tmp_path / "plain.html"
    write(tmp_path / "results", page)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()

        def shown(address: str) -> None:
            tab.goto("about:blank")
            tab.goto(address)
            if address.endswith("*"):
                tab.keyboard.press("Control+f")  # rows that are not drawn yet are drawn for a search
            tab.evaluate(PAINTED)

        shown(page.as_uri() + "#style=*")
        assert tab.locator("tr[data-run]").count() == rows
        table = tab.locator("table", has=tab.locator("tr[data-run]")).first.evaluate("t => t.outerHTML")
        plain.write_text(f"<!doctype html>{table}")

        def taken(address: str) -> float:
            shown(address)
            return float(tab.evaluate("performance.now()")) / 1000

        ours, bare = (lambda a=a: taken(a) for a in (page.as_uri() + "#style=*", plain.as_uri()))
        against(ours, bare, what="its rows as plain HTML", rounds=3)
        browser.close()
