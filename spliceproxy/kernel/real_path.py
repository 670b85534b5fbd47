"""Where a path leads, also when the working directory has been removed."""

import os


def real_path(path: str) -> str:
    """Return a path without symbolic links; a relative one as it is, if its directory is gone.

    Then it leads nowhere, and whoever opens it is told so.
    """
    try:
        return os.path.realpath(path)
    except FileNotFoundError:  # getcwd(2)
        return path
