"""A caption names what is shown and everything that qualifies it."""

from __future__ import annotations

import runs

from senbench.report.figures.captions import SHOWS, caption
from senbench.results.qualifications import qualifications


def test_all_qualifications_are_there(tmp_path):
    result = runs.run(tmp_path, "some", 0.3)
    found = qualifications(result)
    assert found
    for kind in SHOWS:
        text = caption(kind, [result])
        assert all(one.line in text for one in found)
        assert f"{result.dataset.n_evaluated:,} images" in text
        assert "{" not in text
