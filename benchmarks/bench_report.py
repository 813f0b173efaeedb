"""Build of the leaderboard: CPU time, memory and page size for made-up results (labelled synthetic).

    python benchmarks/bench_report.py make FOLDER [models] [styles]    generated, not measured
    python benchmarks/bench_report.py measure FOLDER PAGE              reads them and builds the page
    python benchmarks/bench_report.py open PAGE                        opens and sorts it in Chromium

50 models x 10 styles x 4 datasets are 2,000 runs. CPU time is that of the process and its children; memory is the
largest resident set.
"""

from __future__ import annotations

import resource
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))


def make(folder: Path, models: int = 50, styles: int = 10) -> None:
    """Made-up results for `measure`."""
    import generated_results as made

    made.write(folder, models, made.STYLES[:styles], made.DATASETS)
    print(f"made {models * styles * len(made.DATASETS)} synthetic results under {folder}")


def measure(folder: Path, page: Path) -> None:
    """Build the page once in this process."""
    from senbench.report.leaderboard.page import write

    began, clock = time.perf_counter(), time.process_time()
    write(folder, page)
    wall, cpu = time.perf_counter() - began, time.process_time() - clock
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"build: {cpu + children.ru_utime + children.ru_stime:.1f} s CPU, {wall:.1f} s wall, {peak:.0f} MB resident")
    print(f"page: {page.stat().st_size / 1e6:.2f} MB")


PAINTED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


def browse(page: Path) -> None:
    """Open a board of all prompts, draw all its rows, sort it: each until it is painted.

    Seconds of the page's main thread, which other programs lengthen little, beside those of the clock.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        probe = tab.context.new_cdp_session(tab)
        probe.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> float:
            return next(
                m["value"] for m in probe.send("Performance.getMetrics")["metrics"] if m["name"] == "TaskDuration"
            )

        def timed(what: str, act: Callable[[], object]) -> None:
            began, before = time.perf_counter(), busy()
            act()
            tab.evaluate(PAINTED)
            wall, thread, rows = time.perf_counter() - began, busy() - before, tab.locator("tr[data-run]").count()
            print(f"{what}: {wall:.2f} s, main thread {thread:.2f} s, {tab.inner_text('.shown')}, {rows} drawn")

        declared = ("declared prompts as the first page of a browser", ""), ("declared prompts", "")
        for name, fragment in (*declared, ("all prompts", "#style=*")):
            tab.goto("about:blank")
            timed(f"opens, {name}", partial(tab.goto, page.resolve().as_uri() + fragment))
        timed("draws the rest", partial(tab.keyboard.press, "Control+f"))
        for key in ("model", "value", "rank"):
            timed(f"sorts by {key}", partial(tab.click, f"[data-sort={key}]"))
        browser.close()


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["help"]
    if what == "make":
        make(Path(rest[0]), *map(int, rest[1:]))
    elif what == "measure":
        measure(Path(rest[0]), Path(rest[1]))
    elif what == "open":
        browse(Path(rest[0]))
    else:
        print(__doc__)
