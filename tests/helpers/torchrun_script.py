"""`senbench run` as torchrun starts it, in shards of 32 rows; a process can kill itself, and says what it imported."""

from __future__ import annotations

import atexit
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

    def told():
        loaded = "senbench.models.clip.vit" in sys.modules
        (Path(os.environ["TEST_TOLD"]) / rank).write_text("model loaded" if loaded else "")

    Store.add = counted
    atexit.register(told)
    from senbench.cli.main import program

    program()  # as the command ends: taking gloo apart at the end of a process may abort it


if __name__ == "__main__":
    main()
