"""Whether others could redirect what file mirrors write."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from spliceproxy.doctor.finding import Finding, ok, warn
from spliceproxy.kernel.trusted_directory import UntrustedDirectoryError, open_directory


def check_owners(directories: Iterable[Path]) -> Iterator[Finding]:
    """Look at the owners of each directory that is there, and of those on the way to it."""
    for directory in directories:
        check = f"mirrors.directory:{directory}"
        try:
            os.close(open_directory(str(directory)))
        except UntrustedDirectoryError as problem:
            fact = f"files in {directory}: {problem.strerror}; a start is refused"
            yield warn(check, fact, f"{problem.remedy}, or set trust_directory")
        except OSError:  # not there yet, or not to be opened: a start tells
            continue
        else:
            yield ok(check, f"files in {directory}: nobody else can redirect them")
