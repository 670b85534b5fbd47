"""What is wrong with a file of the TLS settings, and which of their keys names it."""


class TlsFileError(Exception):
    """A file cannot be used. The message ends in what is expected."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(path, message)
        self.path = path
        """Of the key within the mapping of TLS, such as ("certificates", 0, "key")."""
        self.message = message
