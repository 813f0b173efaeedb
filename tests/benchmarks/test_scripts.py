"""Scripts that are run by hand: they import, and take the options that their texts name."""

from __future__ import annotations

import importlib.util

import pytest
from places import ROOT

SCRIPTS = ("bench_gpu.py", "compare.py", "flips.py", "roofline.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_help(name, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(name.removesuffix(".py"), ROOT / "benchmarks" / name)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        script.main(*([["--help"]] if name == "compare.py" else []))
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out
