"""What can keep a soak from being one, and is told in one line."""


class SoakError(Exception):
    """A program of the soak did not do its part."""
