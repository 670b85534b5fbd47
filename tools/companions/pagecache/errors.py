"""What can go wrong, told in one line."""


class PageCacheError(Exception):
    """A file that has no page cache, or a process whose maps cannot be read."""
