"""The command, with a worker that spins for ever as soon as a file appears; the first to see it."""

import os
import sys
from pathlib import Path

from spliceproxy.cli.main import main
from spliceproxy.proxy.publisher import Publisher

SPIN_FILE = "TEST_SPIN_FILE"


def spin_for_ever() -> None:
    while True:
        pass


def main_that_may_spin() -> None:
    file = Path(os.environ[SPIN_FILE])
    beat = Publisher._beat

    def beat_or_spin(publisher: Publisher) -> None:
        try:
            file.unlink()
        except FileNotFoundError:
            beat(publisher)
        else:
            spin_for_ever()

    Publisher._beat = beat_or_spin  # type: ignore[method-assign, assignment]
    sys.exit(main())


if __name__ == "__main__":
    main_that_may_spin()
