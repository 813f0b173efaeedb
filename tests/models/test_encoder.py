"""The protocol: every model that a run may get has all of its members, in type and in fact."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import stubs

from senbench.models import lazy_model
from senbench.models.encoder import Encoder, TextEncoder
from senbench.models.load import load
from senbench.models.registry import find
from senbench.models.user import UserEncoder
from senbench.runtime.access import Access

KNOWN = {name: value for kind in (TextEncoder, Encoder) for name, value in vars(kind).items() if name[0] != "_"}
MEMBERS = sorted(KNOWN)


def encoders():
    return {
        "adapter": load("mini", device="cpu", offline=True),
        "lazy": lazy_model.of(find("mini"), Access(offline=True, device="cpu")),
        "user": UserEncoder(SimpleNamespace(encode_images=len, encode_texts=lambda texts: np.ones((len(texts), 3)))),
        "stub": stubs.StubEncoder(),
    }


@pytest.mark.parametrize("kind", ["adapter", "lazy", "user", "stub"])
def test_every_member_is_there(kind):
    encoder = encoders()[kind]
    assert len(MEMBERS) >= 20
    assert [name for name in MEMBERS if not hasattr(encoder, name)] == []
    assert [name for name in MEMBERS if callable(KNOWN[name]) != callable(getattr(encoder, name))] == []


def test_a_loaded_and_a_lazy_model_say_the_same():
    adapter, lazy = (encoders()[kind] for kind in ("adapter", "lazy"))
    plain = [name for name in MEMBERS if not callable(KNOWN[name]) and name != "device"]
    assert {name: getattr(lazy, name) for name in plain} == {name: getattr(adapter, name) for name in plain}
    assert lazy.device.type == adapter.device.type


@pytest.mark.parametrize(
    ("target", "ok"),
    [
        ("senbench.models.adapter:Adapter", True),
        ("senbench.models.lazy_model:LazyModel", True),
        ("senbench.models.user:UserEncoder", True),
        ("senbench.models.tokenizers:Tokenizer", False),
    ],
)
@pytest.mark.slow
def test_mypy_agrees(tmp_path, target, ok):
    module, _, name = target.partition(":")
    code = f"from {module} import {name}\nfrom senbench.models.encoder import Encoder\n\n"
    (tmp_path / "seam.py").write_text(code + f"def seam(given: {name}) -> Encoder:\n    return given\n")
    words = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(tmp_path / "seam.py")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is ok, done.stdout
