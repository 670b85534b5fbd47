"""`python -m spliceproxy` is the `spliceproxy` command."""

from spliceproxy.cli.main import main

if __name__ == "__main__":
    main()
