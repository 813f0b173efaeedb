"""`python -m senbench`."""

from senbench.cli.main import program

if __name__ == "__main__":
    program()
