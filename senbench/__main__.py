"""`python -m senbench`."""

from senbench.cli.main import main

if __name__ == "__main__":
    main()
