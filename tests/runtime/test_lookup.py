"""`module:attr` targets, and what is said of a name that does not exist."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.runtime.lookup import resolve, unknown

NAMES = st.text("abcdefgh-0123", min_size=1, max_size=12)


def test_a_target_is_what_it_names():
    assert resolve("json:loads") is json.loads
    assert resolve("os.path:join")("a", "b") == "a/b"


@pytest.mark.parametrize("target", ["", "json", "json:", ":loads", ".json:loads", "..:loads"])
def test_other_forms_are_refused(target):
    with pytest.raises(UsageError) as refused:
        resolve(target)
    assert str(refused.value) == f"target {target!r} is not of the form module:attr"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no_such_module:x", "No module named 'no_such_module'"),
        ("json:no_such_name", "module 'json' has no attribute 'no_such_name'"),
        ("json:JSONEncoder.encode", "has no attribute 'JSONEncoder.encode'"),
    ],
)
def test_what_does_not_exist_is_named(target, says):
    with pytest.raises(UsageError, match="cannot be imported: ") as refused:
        resolve(target)
    assert target in str(refused.value)
    assert says in str(refused.value)


def test_a_mistake_inside_a_users_module_is_not_hidden(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mistaken_adapter.py").write_text("len(3)\n")
    with pytest.raises(UsageError, match=r"adapter '.*' cannot be imported: TypeError: .* has no len.*adapter\.py:1\)"):
        resolve("mistaken_adapter:Adapter", "adapter")
    (tmp_path / "ending_adapter.py").write_text("raise SystemExit(4)\n")
    with pytest.raises(UsageError, match=r"cannot be imported: SystemExit: SystemExit 4 \("):
        resolve("ending_adapter:Adapter")
    assert "mistaken_adapter" not in sys.modules


def test_the_closest_name_is_proposed_and_all_are_listed():
    error = unknown("model", "SENCLP", ["clip", "senclip", "mini"])
    assert str(error) == "unknown model 'SENCLP'. Did you mean 'senclip'? Available: clip, mini, senclip."
    assert str(unknown("model", "zzz", ["mini"])) == "unknown model 'zzz'. Available: mini."


@given(NAMES, st.sets(NAMES, min_size=1, max_size=6))
def test_a_proposal_is_one_of_the_names(name, available):
    said = str(unknown("style", name, available))
    assert said.endswith(f"Available: {', '.join(sorted(available))}.")
    if "Did you mean" in said:
        assert said.split("'")[3] in available
    else:
        assert name not in available
