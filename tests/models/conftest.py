"""Generated checkpoints, once per session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import checkpoints
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def vit_state():
    return checkpoints.state_dict("openai-vit-b-32")


@pytest.fixture(scope="session")
def vit_file(vit_state, tmp_path_factory) -> Path:
    return checkpoints.write(tmp_path_factory.mktemp("weights") / "SenCLIP_AvgPool_ViTB32.ckpt", vit_state)
