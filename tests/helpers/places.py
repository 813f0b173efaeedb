"""Where the repository and the shared data are."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SENBENCH_SHARED", ROOT.parent / "shared" / "data"))
