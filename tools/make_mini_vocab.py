"""Shorten open_clip's BPE file to the first merges, for the model `mini`.

    python tools/make_mini_vocab.py --merges 6000

The merges are in order of frequency, so the first ones hold the common words. `SimpleTokenizer` reads the
result as it reads its own file: a header line, then one merge per line and no newline at the end (an empty
last line would become a merge). The vocabulary is 512 bytes + the merges + 2 special tokens.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parents[1] / "senbench" / "models" / "weights"


def shorten(source: Path, merges: int) -> bytes:
    """The first `merges` lines after the header of a gzipped BPE file, gzipped, the same bytes every time."""
    lines = gzip.decompress(source.read_bytes()).decode("utf-8").split("\n")[: merges + 1]
    return gzip.compress("\n".join(lines).encode("utf-8"), compresslevel=9, mtime=0)


def main() -> None:
    """Write `mini-bpe.txt.gz` beside the weights."""
    from open_clip.tokenizer import default_bpe

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--merges", type=int, default=6000)
    args = parser.parse_args()
    target = WEIGHTS / "mini-bpe.txt.gz"
    target.write_bytes(shorten(Path(default_bpe()), args.merges))
    print(f"{target.name}: {args.merges} merges, vocabulary {512 + args.merges + 2}, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
