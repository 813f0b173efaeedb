"""Entry point of `senbench` and `python -m senbench`; reports interrupts and missing memory during imports too."""

import sys

from senbench.runtime import signals


def start() -> None:
    """Entry point of the command."""
    with signals.watched():
        try:
            from senbench.cli.main import program

            program()
        except KeyboardInterrupt:
            sys.stderr.write("senbench: interrupted before anything was done\n")
            sys.exit(128 + (signals.taken() or 2))
        except (ImportError, MemoryError, OSError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            sys.stderr.write(
                f"senbench: its libraries cannot be loaded ({reason}); raise the memory limit (`ulimit -v`), if there "
                "is one, else install senbench anew\n"
            )
            sys.exit(3)


if __name__ == "__main__":
    start()
