"""`senbench run` as torchrun starts it, in shards of 32 rows; a process can kill itself, and says what it imported."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from senbench.embedding import image_pass
from senbench.embedding.row_cache import Store


def main() -> None:
    image_pass.SHARD_ROWS = 32
    rank, add, kept = os.environ["RANK"], Store.add, []

    def counted(self, keys, rows):
        if self.settings["kind"] == "image" and rank == os.environ.get("TEST_KILLED") and len(kept) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        kept.append(len(keys))
        add(self, keys, rows)

    Store.add = counted
    from senbench.cli.main import main as senbench

    try:
        senbench()
    finally:
        loaded = "senbench.models.clip.vit" in sys.modules
        (Path(os.environ["TEST_TOLD"]) / rank).write_text("model loaded" if loaded else "")


if __name__ == "__main__":
    main()
