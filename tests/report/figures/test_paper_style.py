"""The style of papers holds inside, and the user's own outside; labels are short and harmless."""

from __future__ import annotations

import matplotlib as mpl
import pytest

from senbench.errors import UsageError
from senbench.report.figures import paper_style


def test_settings_hold_inside_only():
    with mpl.rc_context({"font.size": 23}):
        with paper_style.paper():
            assert mpl.rcParams["font.size"] == paper_style.SETTINGS["font.size"]
        assert mpl.rcParams["font.size"] == 23


@pytest.mark.parametrize(("columns", "width"), paper_style.WIDTHS.items())
def test_widths(columns, width):
    assert paper_style.blank(columns, 1.0).get_figwidth() == width


def test_other_widths_are_refused():
    with pytest.raises(UsageError, match="give 1 or 2"):
        paper_style.blank(0, 1.0)


def test_labels_are_short_and_harmless():
    assert paper_style.label("a\nb\x1b[0m") == paper_style.label("a b\x1b[0m")
    assert "\x1b" not in paper_style.label("\x1b[0m")
    assert len(paper_style.label("x" * 80)) == paper_style.LONGEST
