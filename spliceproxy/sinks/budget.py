"""What the mirrors of a worker may hold in memory together, and who may hold how much of it.

Memory is shared by need, as between the ports of a switch that has one memory for all: a queue may
grow to a multiple of what is still free (Choudhury and Hahne, "Dynamic queue length thresholds for
shared-memory packet switches", 1998). With the factor 2 that is the same as two thirds of what the
others leave, which holds for a mirror among mirrors and for a client among a mirror's clients:
whoever is alone may use most of the memory, and whoever comes next always finds some.

Half of the memory is divided among the mirrors as floors, which no other mirror can take. All
that a check needs is kept in sums, so it costs the same for any number of mirrors and clients.
"""


class Budget:
    """Bytes that wait for mirrors, in pipes or in memory.

    What is held stays within the limit, but for what was accepted unasked (``overflow=block``).
    """

    __slots__ = (
        "_shares",
        "beyond_bytes",
        "floor_bytes",
        "limit_bytes",
        "rest_bytes",
        "used_bytes",
    )

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.beyond_bytes = 0
        """What mirrors hold beyond their floors."""
        self.floor_bytes = 0
        """What each mirror may hold whatever the others do."""
        self.rest_bytes = limit_bytes
        """What is nobody's floor."""
        self._shares: list[MirrorShare] = []

    def open_share(self) -> "MirrorShare":
        """Give one more mirror a share. The floors of the others become smaller."""
        share = MirrorShare(self)
        self._shares.append(share)
        self._divide()
        return share

    def close_share(self, share: "MirrorShare") -> None:
        """Take back the share of a mirror that holds nothing."""
        self._shares.remove(share)
        self._divide()

    def _divide(self) -> None:
        count = len(self._shares)
        self.floor_bytes = self.limit_bytes // (2 * count) if count else 0
        self.rest_bytes = self.limit_bytes - count * self.floor_bytes
        for share in self._shares:
            share.beyond_bytes = max(0, share.used_bytes - self.floor_bytes)
        self.beyond_bytes = sum(share.beyond_bytes for share in self._shares)


class MirrorShare:
    """What one mirror holds, and which clients it holds it for."""

    __slots__ = ("_clients", "beyond_bytes", "budget", "used_bytes")

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.used_bytes = 0
        self.beyond_bytes = 0
        """How much of it is beyond the floor."""
        self._clients: dict[bytes, ClientShare] = {}

    @property
    def clients(self) -> int:
        """How many clients have a share: no more than there are streams."""
        return len(self._clients)

    def join(self, client: bytes) -> "ClientShare":
        """Return the share of a client, for one more of its streams."""
        share = self._clients.get(client)
        if share is None:
            share = self._clients[client] = ClientShare(self, client)
        share.streams += 1
        return share

    def leave(self, share: "ClientShare") -> None:
        """Forget a client with its last stream."""
        share.streams -= 1
        if not share.streams:
            del self._clients[share.client]


class ClientShare:
    """What a mirror holds for one client, by whatever number of connections."""

    __slots__ = ("_mirror", "client", "streams", "used_bytes")

    def __init__(self, mirror: MirrorShare, client: bytes) -> None:
        self._mirror = mirror
        self.client = client
        self.streams = 0
        self.used_bytes = 0

    @property
    def limit_bytes(self) -> int:
        """How much may be held for this client, as long as the others hold what they do."""
        mirror = self._mirror
        budget = mirror.budget
        rest = budget.rest_bytes - budget.beyond_bytes + mirror.beyond_bytes
        for_mirror = budget.floor_bytes + (rest * 2 // 3 if rest > 0 else 0)
        left = for_mirror - mirror.used_bytes + self.used_bytes
        return left * 2 // 3 if left > 0 else 0

    @property
    def fill(self) -> float:
        """How much of that is held."""
        limit_bytes = self.limit_bytes
        return self.used_bytes / limit_bytes if limit_bytes else 1.0

    def has_room(self, count: int) -> bool:
        """Whether so many more bytes may wait."""
        budget = self._mirror.budget
        return (
            self.used_bytes + count <= self.limit_bytes
            # Floors that have just become smaller may still be in use.
            and budget.used_bytes + count <= budget.limit_bytes
        )

    def has_room_in_half(self, count: int) -> bool:
        """Whether so many more bytes may wait in the first half; the other is for the disk's."""
        return 2 * (self.used_bytes + count) <= self.limit_bytes and self.has_room(count)

    def hold(self, count: int) -> None:
        """Count bytes that wait from now on."""
        mirror = self._mirror
        budget = mirror.budget
        self.used_bytes += count
        mirror.used_bytes += count
        budget.used_bytes += count
        beyond = mirror.used_bytes - budget.floor_bytes
        if beyond < 0:
            beyond = 0
        budget.beyond_bytes += beyond - mirror.beyond_bytes
        mirror.beyond_bytes = beyond

    def release(self, count: int) -> None:
        """Count bytes that wait no more."""
        self.hold(-count)
