"""How a ring, or a transfer through one, can fail."""


class RingError(Exception):
    """The other end is gone, silent or wrong; the message says which."""


class WriterDiedError(RingError):
    """The writer ended without closing the ring. Every byte it had published was read before."""

    def __init__(self, read_bytes: int) -> None:
        super().__init__(
            f"the writer died: all {read_bytes:,} bytes that it had published were read, "
            "the rest of its stream is missing"
        )
        self.read_bytes = read_bytes


class ReaderGoneError(RingError):
    """The reader closed the ring or died; what it had not read is lost, as with a pipe."""

    def __init__(self) -> None:
        super().__init__("the reader closed the ring or died")


class RingTimeoutError(RingError):
    """The other end lives, and did nothing for as long as the caller wanted to wait."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"the other end did nothing for {timeout_s:g} s")


class RingCorruptError(RingError):
    """The other end announced more than the ring can hold: its counts cannot be believed."""
