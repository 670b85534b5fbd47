"""What all mirrors of a worker may hold in memory together."""


class Budget:
    """Bytes that wait for mirrors, in pipes or in memory."""

    __slots__ = ("limit_bytes", "used_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def has_room(self, count: int) -> bool:
        """Whether so many more bytes may wait."""
        return self.used_bytes + count <= self.limit_bytes
