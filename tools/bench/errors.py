"""What can go wrong in a benchmark and is told in one line."""


class BenchError(Exception):
    """A program is missing, did not start, or did not finish its work."""
